using System.Threading.Channels;
using Amp.Events;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Amp.BackgroundJobs;

/// <summary>
/// Reads the work topic as a member of the workers' consumer group. One thread polls, and does nothing else, so that a job of any length
/// never costs the membership; when too much is under way it reads no more, and pauses its partitions if that lasts. Offsets are committed
/// up to the first message that is not settled.
/// </summary>
internal sealed class JobFeed : IAsyncDisposable
{
    private const int PauseAt = 1_000;
    private const int ResumeAt = 500;

    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(20);

    /// <summary>Short, since a development broker lets a message wait for the whole of it; a real one answers as soon as it has something.</summary>
    private static readonly TimeSpan FetchWait = TimeSpan.FromMilliseconds(20);

    /// <summary>Whoever is killed is missed soon, so that its partitions' jobs go on elsewhere.</summary>
    private static readonly (TimeSpan Silence, TimeSpan Heartbeat) Membership = (TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(2));

    private static readonly TimeSpan FullPause = TimeSpan.FromMilliseconds(2);

    /// <summary>How long it may be full before partitions are paused: the client throws away what it has read ahead of a paused one.</summary>
    private static readonly TimeSpan FullPatience = TimeSpan.FromSeconds(2);

    /// <summary>How long a rebalance waits for jobs of the partitions that go.</summary>
    private static readonly TimeSpan RevokePatience = TimeSpan.FromSeconds(3);

    private readonly string _topic;
    private readonly IConsumer<Ignore, byte[]> _consumer;
    private readonly KafkaClientLog _clientLog;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<FeedItem> _items = Channel.CreateUnbounded<FeedItem>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly InboxTable _inbox;

    // The poll thread's own.
    private readonly Dictionary<int, PartitionOffsets> _assigned = [];
    private long? _fullSince;
    private bool _isPaused;
    private volatile bool _isDraining;

    /// <summary>Joins the group and begins to read.</summary>
    /// <param name="kafka">Brokers, log-on, and the topic.</param>
    /// <param name="group">The consumer group.</param>
    /// <param name="inbox">Where messages are put aside that cannot be understood.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where log lines go.</param>
    /// <param name="fetchWait">How long a broker may wait with its answer while it has no message; null for 20 ms.</param>
    /// <param name="membership">How long a member of the group may be silent, and how often it says that it is there; null for 10 s and 2 s.</param>
    public JobFeed(
        KafkaEventOptions kafka, string group, InboxTable inbox, TimeProvider time, ILogger logger, TimeSpan? fetchWait = null,
        (TimeSpan Silence, TimeSpan Heartbeat)? membership = null)
    {
        (_topic, _inbox, _time, _logger) = (kafka.Topic, inbox, time, logger);
        _clientLog = new KafkaClientLog(time, logger);
        var settings = KafkaClients.CommonSettings(kafka);
        settings["group.id"] = group;
        settings["partition.assignment.strategy"] = "cooperative-sticky";
        settings["auto.offset.reset"] = "earliest";
        settings["enable.auto.offset.store"] = "false";
        settings["enable.auto.commit"] = "true";
        settings["auto.commit.interval.ms"] = "1000";

        var (silence, heartbeat) = membership ?? Membership;
        settings["session.timeout.ms"] = $"{silence.TotalMilliseconds:0}";
        settings["heartbeat.interval.ms"] = $"{heartbeat.TotalMilliseconds:0}";
        settings["fetch.wait.max.ms"] = $"{(fetchWait ?? FetchWait).TotalMilliseconds:0}";
        settings["fetch.error.backoff.ms"] = "100";
        settings["queued.max.messages.kbytes"] = "16384";
        _consumer = KafkaClients.BuildConsumer(kafka, settings, builder => builder
            .SetLogHandler((_, message) => _clientLog.Write(message))
            .SetErrorHandler((_, error) => Note(error))
            .SetPartitionsAssignedHandler((_, partitions) => Assign(partitions))
            .SetPartitionsRevokedHandler((_, partitions) => Revoke(partitions.Select(partition => partition.Partition.Value), commits: true))
            .SetPartitionsLostHandler((_, partitions) => Revoke(partitions.Select(partition => partition.Partition.Value), commits: false)));
        new Thread(Run) { IsBackground = true, Name = "Amp job feed" }.Start();
    }

    /// <summary>Messages in the order of their partitions; they end with the reason when no more can be read.</summary>
    public ChannelReader<FeedItem> Items => _items.Reader;

    /// <summary>Messages that are in the topic and not read yet, of the partitions that this worker has.</summary>
    public long Lag { get; private set; }

    /// <summary>How many partitions it has.</summary>
    public int Partitions { get; private set; }

    /// <summary>Why it cannot read; null when it can.</summary>
    public string? LastError { get; private set; }

    /// <summary>Takes nothing more; what is under way can still be settled.</summary>
    public void Drain() => _isDraining = true;

    /// <summary>Begins to leave the group, after what is settled is committed.</summary>
    public void Leave() => _stop.Cancel();

    /// <summary>Commits what is settled, and leaves the group.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _ended.Task;
        _stop.Dispose();
    }

    // The poll thread, from here on.
    private void Run()
    {
        Exception? fault = null;
        try
        {
            _consumer.Subscribe(_topic);
            while (!_stop.IsCancellationRequested)
            {
                try
                {
                    Turn();
                }
                catch (KafkaException e) when (!e.Error.IsFatal)
                {
                    // Such as of a partition that was just lost; what was not stored is read again elsewhere.
                    Note(e.Error);
                    Thread.Sleep(Slice);
                }
            }
        }
        catch (Exception e)
        {
            fault = e;
            LastError = e.Message;
            Log.FeedEnded(_logger, _topic, e.Message);
        }
        finally
        {
            _items.Writer.TryComplete(fault);
            if (fault is null)
            {
                StoreLast();
            }

            KafkaClients.Leave(_consumer);
            _ended.SetResult();
        }
    }

    private void Turn()
    {
        if (IsFull())
        {
            Thread.Sleep(FullPause);
        }
        else
        {
            Read();
        }

        Store();
    }

    private void Read()
    {
        // A slice's worth at once, so that a full topic is not read a message at a time.
        var timeout = Slice;
        for (var i = 0; i < PauseAt - ResumeAt; i++, timeout = TimeSpan.Zero)
        {
            ConsumeResult<Ignore, byte[]>? read;
            try
            {
                read = _consumer.Consume(timeout);
            }
            catch (ConsumeException e)
            {
                // The client repeats the fetch by itself; a topic that is not there yet may come.
                Note(e.Error);
                return;
            }

            if (read is null)
            {
                return;
            }

            LastError = null;
            if (_assigned.TryGetValue(read.Partition.Value, out var source))
            {
                Take(read, source);
            }
        }
    }

    private void Take(ConsumeResult<Ignore, byte[]> read, PartitionOffsets source)
    {
        if (read.Message.Headers.TryGetLastBytes(JobMessage.QueuedHeader, out var id) && Guid.TryParse(id, out var jobId))
        {
            Give(new FeedItem(jobId, null, source, read.Offset.Value));
            return;
        }

        try
        {
            var message = JobMessage.Read(read.Message.Value ?? []);
            JobSubmissionCheck.Require(message.ToSubmission());
            Give(new FeedItem(message.Id, message, source, read.Offset.Value));
        }
        catch (AmpException e)
        {
            var item = new FeedItem(Guid.Empty, null, source, read.Offset.Value);
            source.Add(item);
            _ = ParkAsync(read, e, item);
        }
    }

    private void Give(FeedItem item)
    {
        item.Source.Add(item);
        _items.Writer.TryWrite(item);
    }

    private async Task ParkAsync(ConsumeResult<Ignore, byte[]> read, AmpException error, FeedItem item)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await _inbox.ParkAsync(read.Topic, read.Partition.Value, read.Offset.Value, read.Message.Value ?? [], error.Message, _stop.Token);
                Log.ParkedMessage(_logger, read.Topic, read.Partition.Value, read.Offset.Value, error.Message);
                item.Source.Settle(item);
                return;
            }
            catch (Exception e) when (e is OperationCanceledException || JobWorkerFault.MayPass(e))
            {
                // Until it is put aside, its offset is not passed.
                await Task.Delay(TimeSpan.FromSeconds(1), _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e)
            {
                _items.Writer.TryComplete(e);
                return;
            }
        }
    }

    private void Store()
    {
        foreach (var partition in _assigned.Values)
        {
            Store(partition);
        }
    }

    private void Store(PartitionOffsets partition)
    {
        if (partition.TakePosition() is { } position)
        {
            _consumer.StoreOffset(new TopicPartitionOffset(_topic, partition.Partition, position));
        }
    }

    /// <summary>Whether nothing more shall be read now; while partitions are paused, polling goes on and brings nothing.</summary>
    private bool IsFull()
    {
        var open = _assigned.Values.Sum(partition => partition.Open);
        Lag = _assigned.Keys.Sum(LagOf);
        if (!_isDraining && open <= (_fullSince is null ? PauseAt - 1 : ResumeAt))
        {
            _fullSince = null;
            if (_isPaused)
            {
                _isPaused = false;
                _consumer.Resume(_consumer.Assignment);
            }

            return false;
        }

        _fullSince ??= _time.GetTimestamp();
        if (!_isPaused && _time.GetElapsedTime(_fullSince.Value) >= FullPatience)
        {
            _isPaused = true;
            _consumer.Pause(_consumer.Assignment);
        }

        return !_isPaused;
    }

    private long LagOf(int partition)
    {
        // What the client knows already; nobody is asked.
        var at = new TopicPartition(_topic, partition);
        var (high, position) = (_consumer.GetWatermarkOffsets(at).High.Value, _consumer.Position(at).Value);
        return high > 0 ? Math.Max(0, high - Math.Max(0, position)) : 0;
    }

    private void Assign(List<TopicPartition> partitions)
    {
        foreach (var partition in partitions)
        {
            _assigned[partition.Partition.Value] = new PartitionOffsets(partition.Partition.Value);
        }

        // New ones are not paused; the next look decides for all.
        (_fullSince, _isPaused) = (null, false);
        Partitions = _assigned.Count;
        Log.PartitionsChanged(_logger, _topic, _assigned.Count);
    }

    private void Revoke(IEnumerable<int> partitions, bool commits)
    {
        var gone = partitions.Select(partition => _assigned.Remove(partition, out var source) ? source : null).OfType<PartitionOffsets>().ToList();
        gone.ForEach(partition => partition.Revoke());
        if (commits)
        {
            SpinWait.SpinUntil(() => _stop.IsCancellationRequested || gone.TrueForAll(partition => partition.Begun == 0), RevokePatience);
            Commit(gone);
        }

        Partitions = _assigned.Count;
        Log.PartitionsChanged(_logger, _topic, _assigned.Count);
    }

    private void Commit(List<PartitionOffsets> partitions)
    {
        try
        {
            partitions.ForEach(Store);
            _consumer.Commit();
        }
        catch (KafkaException e) when (e.Error.Code is ErrorCode.Local_NoOffset)
        {
            // Nothing new.
        }
        catch (KafkaException e)
        {
            // They come again, and are found done.
            Note(e.Error);
        }
    }

    private void StoreLast()
    {
        try
        {
            Store();
        }
        catch (KafkaException e)
        {
            Note(e.Error);
        }
    }

    private void Note(Error error)
    {
        _clientLog.Write(error);
        LastError = error.Reason;
    }
}
