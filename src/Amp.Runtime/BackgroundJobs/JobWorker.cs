using System.Collections.Concurrent;
using System.Threading.Channels;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging;

namespace Amp.BackgroundJobs;

/// <summary>
/// A worker: takes jobs that messages bring, or that it finds in the queue, runs their handlers and says what became of them. One loop
/// talks to the queue, and ends and takes as many jobs in a transaction as there are, so that a busy worker needs few of them. When it
/// cannot go on it ends, and does not look alive any more.
/// </summary>
internal sealed class JobWorker : IAsyncDisposable
{
    private const int MostInATransaction = 500;

    /// <summary>
    /// Jobs are taken for so long ahead, and for two exchanges with the queue, at the present pace, so that handlers do not wait for it: a queue
    /// that is slow gets fewer transactions, and more jobs in each.
    /// </summary>
    private static readonly TimeSpan Ahead = TimeSpan.FromMilliseconds(50);

    /// <summary>A job whose message is so old and that nobody has taken is looked for in the queue: its message was lost, or nobody could take it.</summary>
    private static readonly TimeSpan LostMessageAge = TimeSpan.FromSeconds(30);

    /// <summary>How long a message waits for a job that cannot be taken yet; then it is found in the queue.</summary>
    private static readonly TimeSpan HeldLongest = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan HeldPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan PauseWithFeed = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestFaultPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CancelPatience = TimeSpan.FromSeconds(7);

    private readonly JobQueue _queue;
    private readonly JobFeed? _feed;
    private readonly JobHandlers _handlers;
    private readonly JobWorkerOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly string _topic;
    private readonly JobTally _tally;
    private readonly JobRunner _runner;
    private readonly JobHeartbeat _heartbeat;
    private readonly Task[] _runners;
    private readonly Task _loop;

    private readonly Channel<RunningAttempt> _claimed = Channel.CreateUnbounded<RunningAttempt>();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ConcurrentDictionary<Guid, RunningAttempt> _attempts = new();
    private readonly ConcurrentQueue<(RunningAttempt Attempt, AttemptEnd? End)> _over = new();
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _running;
    private volatile bool _isDraining;
    private volatile bool _isEnding;
    private volatile string? _lastError;

    // The loop's own.
    private readonly List<Held> _held = [];
    private readonly List<(RunningAttempt Attempt, AttemptEnd End)> _ends = [];
    private readonly Queue<FeedItem> _ready = new();
    private TimeSpan _pause = ShortestPause;
    private long _nextLook;
    private TimeSpan _faultPause = ShortestPause;
    private TimeSpan _exchangeTime;

    /// <summary>Registers the worker, and begins to take jobs.</summary>
    /// <param name="database">Where the queue is.</param>
    /// <param name="queue">The queue.</param>
    /// <param name="feed">Brings jobs; disposed by the worker. Null to look for them in the queue only.</param>
    /// <param name="topic">The topic that the feed reads.</param>
    /// <param name="handlers">What it can do; types without a handler are left to others.</param>
    /// <param name="options">How it works.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where log lines go.</param>
    /// <exception cref="AmpException">Errors of the database.</exception>
    public JobWorker(
        MetadataDatabase database, JobQueue queue, JobFeed? feed, string topic, JobHandlers handlers, JobWorkerOptions options, TimeProvider time, ILogger logger)
    {
        (_queue, _feed, _topic, _handlers, _options, _time, _logger) = (queue, feed, topic, handlers, options, time, logger);
        _tally = new JobTally(time);
        _runner = new JobRunner(queue, handlers, _tally, time, logger);
        _heartbeat = new JobHeartbeat(
            database, () => new JobWorkerBeat(Id, _options.PoolSize, _handlers.Patterns, _tally.Describe(_running, _feed, _lastError)), CancelByUser, CancelAll, End, time, logger);
        _runners = [.. Enumerable.Range(0, options.PoolSize).Select(_ => Task.Run(() => GuardAsync(RunJobsAsync)))];
        _loop = Task.Run(() => GuardAsync(LoopAsync));
        Log.JobWorkerStarted(logger, Id, options.PoolSize);
    }

    /// <summary>The worker.</summary>
    public Guid Id { get; } = Guid.CreateVersion7();

    /// <summary>Ends when the worker does, with <c>JobWorkerFailed</c> when it could not go on.</summary>
    public Task Completion => _completion.Task;

    /// <summary>
    /// Stops: takes nothing more, lets jobs go on for the drain time, then cancels them and gives them back, which uses no attempt; commits
    /// what was consumed and leaves the group.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (!_heartbeat.HasFailed)
        {
            await Task.WhenAny(DrainAsync(), Completion);
        }

        _heartbeat.Dispose();
        if (_feed is not null)
        {
            await _feed.DisposeAsync();
        }

        if (_heartbeat.HasFailed)
        {
            return;
        }

        try
        {
            await _queue.ResignAsync(Id, CancellationToken.None);
        }
        catch (AmpException)
        {
            // Then it falls silent.
        }

        Log.JobWorkerStopped(_logger, Id);
        _completion.TrySetResult();
    }

    /// <summary>Looks for jobs at once.</summary>
    public void Wake() => _wake.Writer.TryWrite(true);

    private async Task DrainAsync()
    {
        _isDraining = true;
        _feed?.Drain();
        GiveBackUnbegun();
        Wake();
        if (await Task.WhenAny(_drained.Task, Task.Delay(_options.DrainTimeout, _time)) != _drained.Task)
        {
            CancelAll();
            await Task.WhenAny(_drained.Task, Task.Delay(CancelPatience, _time));
        }

        _claimed.Writer.TryComplete();

        // The last job may have ended on its handler's thread, which must not be kept.
        await Task.WhenAll(_runners).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        _isEnding = true;
        Wake();
        await _loop;
    }

    /// <summary>Runs a part that the worker cannot do without.</summary>
    private async Task GuardAsync(Func<Task> part)
    {
        try
        {
            await part();
        }
        catch (Exception e)
        {
            _heartbeat.Fail(e);
        }
    }

    // The heartbeat's thread. What it does not get done for want of memory ends the process.
    private void End(Exception cause)
    {
        _lastError = cause.Message;
        _claimed.Writer.TryComplete();
        CancelAll();
        _feed?.Leave();
        Wake();
        Log.JobWorkerFailed(_logger, Id, cause.Message);
        _heartbeat.SayWhy();

        // Checkpoint: all is said; from here on the process may end.
        _completion.TrySetException(new AmpException("JobWorkerFailed", AmpErrorKind.Internal, $"Background worker {Id} cannot go on, and has ended: {cause.Message}", cause)
        {
            Target = Id,
            RecommendedAction = "Start it again; jobs that it had are done by others, or by the new one, after 15 seconds.",
        });
    }

    // Any thread: the heartbeat's.
    private void CancelByUser(IReadOnlyList<Guid> jobs)
    {
        foreach (var job in jobs)
        {
            if (_attempts.TryGetValue(job, out var attempt))
            {
                attempt.Cancel(byUser: true);
            }
        }
    }

    private void CancelAll()
    {
        foreach (var attempt in _attempts.Values)
        {
            attempt.Cancel(byUser: false);
        }
    }

    private void GiveBackUnbegun()
    {
        while (_claimed.Reader.TryRead(out var attempt))
        {
            _over.Enqueue((attempt, new AttemptEnd(attempt.Claimed.Job.JobId, attempt.Claimed.Lease, JobVerdict.GiveBack)));
        }
    }

    private async Task RunJobsAsync()
    {
        await foreach (var attempt in _claimed.Reader.ReadAllAsync())
        {
            if (_heartbeat.HasFailed)
            {
                return;
            }

            Interlocked.Increment(ref _running);
            var end = await _runner.RunAsync(attempt);
            Interlocked.Decrement(ref _running);
            _over.Enqueue((attempt, end));
            Wake();
        }
    }

    // The loop, from here on.
    private async Task LoopAsync()
    {
        while (!_heartbeat.HasFailed)
        {
            await WaitAsync();
            CollectEnds();
            if (_isDraining && _attempts.IsEmpty)
            {
                _drained.TrySetResult();
            }

            if (_isEnding && _ends.Count == 0)
            {
                return;
            }

            List<FeedItem> items = [];
            try
            {
                await ExchangeAsync(items);
                if (_lastError is not null)
                {
                    _lastError = null;
                    _faultPause = ShortestPause;
                    Log.QueueAvailable(_logger);
                }
            }
            catch (Exception) when (_isEnding)
            {
                // What is not said is found out by others when the worker falls silent.
                return;
            }
            catch (Exception e) when (JobWorkerFault.MayPass(e))
            {
                if (_lastError is null)
                {
                    Log.QueueUnavailable(_logger, e.Message);
                }

                // The ends are sent again, which is safe; what the lost answer may have given is asked for.
                _lastError = e.Message;
                _held.RemoveAll(held => items.Contains(held.Item));
                items.ForEach(_ready.Enqueue);
                await Task.Delay(_faultPause, _time);
                _faultPause = _faultPause * 2 < LongestFaultPause ? _faultPause * 2 : LongestFaultPause;
            }
        }
    }

    private async Task WaitAsync()
    {
        if (!_isDraining && _feed is { Items.Completion: { IsFaulted: true } ended })
        {
            await ended;
        }

        if (_over.IsEmpty && (_ready.Count == 0 || Capacity == 0))
        {
            using var enough = new CancellationTokenSource();
            var wait = Capacity == 0 ? LongestPause : _held.Count > 0 ? HeldPause : _time.GetElapsedTime(_time.GetTimestamp(), _nextLook);
            List<Task> reasons = [_wake.Reader.WaitToReadAsync(enough.Token).AsTask(), Task.Delay(wait > ShortestPause ? wait : ShortestPause, _time, enough.Token)];
            if (_feed is { Items.Completion.IsCompleted: false } && Capacity > 0)
            {
                reasons.Add(_feed.Items.WaitToReadAsync(enough.Token).AsTask());
            }

            await Task.WhenAny(reasons);
            await enough.CancelAsync();
        }

        _wake.Reader.TryRead(out _);
    }

    private int Capacity => _isDraining ? 0 : Math.Min(
        MostInATransaction, _options.PoolSize + (int)(_tally.PerSecond * (Ahead + (2 * _exchangeTime)).TotalSeconds) - _attempts.Count + _ends.Count);

    private void CollectEnds()
    {
        while (_ends.Count < MostInATransaction && _over.TryDequeue(out var over))
        {
            if (over.End is null)
            {
                Settle(over.Attempt);
            }
            else
            {
                _ends.Add((over.Attempt, over.End));
            }
        }
    }

    /// <summary>What to ask the queue for; the messages among it are added to <paramref name="items"/> first.</summary>
    private async Task<List<Guid>> CollectAsync(List<FeedItem> items)
    {
        var capacity = Capacity;
        var now = _time.GetTimestamp();
        items.AddRange(_held.Where(held => held.Due <= now).Take(capacity).Select(held => held.Item));
        while (items.Count < capacity && (_ready.TryDequeue(out var item) || (_feed is not null && _feed.Items.TryRead(out item))))
        {
            items.Add(item);
        }

        // What was taken away is another worker's to settle.
        items.RemoveAll(item => item.Source.IsRevoked);
        _held.RemoveAll(held => held.Item.Source.IsRevoked);
        await AdmitAsync(items);
        var candidates = items.Select(item => item.Id).Distinct().ToList();
        if (candidates.Count < capacity && _nextLook <= now)
        {
            var found = await _queue.FindClaimableAsync(_handlers.LikePatterns(), capacity - candidates.Count, _feed is null ? null : LostMessageAge, CancellationToken.None);
            candidates.AddRange(found.Except(candidates));
            _pause = found.Count > 0 ? ShortestPause : _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
            var pause = _feed is null ? _pause : PauseWithFeed;
            _nextLook = now + (long)(pause.TotalSeconds * _time.TimestampFrequency);
        }

        return candidates;
    }

    private async Task AdmitAsync(List<FeedItem> items)
    {
        var messages = items.Select(item => item.Message).OfType<JobMessage>().ToList();
        if (messages.Count > 0)
        {
            await _queue.AdmitAsync(_topic, messages, CancellationToken.None);
        }
    }

    private async Task ExchangeAsync(List<FeedItem> items)
    {
        var candidates = await CollectAsync(items);
        var byId = items.ToLookup(item => item.Id);
        if (_lastError is not null)
        {
            foreach (var claimed in await _queue.FindUnknownAsync(Id, [.. _attempts.Keys], CancellationToken.None))
            {
                Begin(claimed, byId[claimed.Job.JobId].FirstOrDefault());
            }
        }

        if (_ends.Count == 0 && candidates.Count == 0)
        {
            return;
        }

        var began = _time.GetTimestamp();
        var exchange = await _queue.ExchangeAsync(Id, _ends.ConvertAll(end => end.End), candidates, _runner.TimeLimitOf, CancellationToken.None);
        _exchangeTime = _time.GetElapsedTime(began);

        // Checkpoint: what has ended is durable, so its messages may be passed; a crash before this line only lets them come again.
        foreach (var (attempt, end) in _ends)
        {
            if (!exchange.Ended.Contains(end.Id) && !exchange.EndedBefore.Contains(end))
            {
                Log.LostJob(_logger, end.Id, attempt.Claimed.Job.Type);
                _tally.CountStale();
            }

            Settle(attempt);
        }

        _ends.Clear();
        foreach (var claimed in exchange.Claimed)
        {
            Begin(claimed, byId[claimed.Job.JobId].FirstOrDefault());
        }

        Sort(items, exchange);
        if (_isDraining)
        {
            GiveBackUnbegun();
        }
    }

    /// <summary>Messages whose job was not taken: it waits for another, or there is nothing to do any more.</summary>
    private void Sort(List<FeedItem> items, JobExchange exchange)
    {
        if (items.Count == 0)
        {
            return;
        }

        var waiting = exchange.Held.ToHashSet();
        var now = _time.GetTimestamp();
        var before = _held.ToDictionary(held => held.Item);
        _held.RemoveAll(held => items.Contains(held.Item));
        foreach (var item in items.Where(item => !item.IsBegun))
        {
            var since = before.TryGetValue(item, out var held) ? held.Since : now;
            if (waiting.Contains(item.Id) && _time.GetElapsedTime(since, now) < HeldLongest)
            {
                _held.Add(new Held(item, since, now + (long)(HeldPause.TotalSeconds * _time.TimestampFrequency)));
            }
            else
            {
                item.Source.Settle(item);
            }
        }
    }

    private void Begin(ClaimedJob claimed, FeedItem? item)
    {
        var attempt = new RunningAttempt(claimed, item);
        item?.Source.Begin(item);
        _attempts[claimed.Job.JobId] = attempt;
        _claimed.Writer.TryWrite(attempt);
    }

    private void Settle(RunningAttempt attempt)
    {
        _attempts.TryRemove(new(attempt.Claimed.Job.JobId, attempt));
        if (attempt.Item is { } item)
        {
            item.Source.Settle(item);
        }

        attempt.Dispose();
    }

    private readonly record struct Held(FeedItem Item, long Since, long Due);
}
