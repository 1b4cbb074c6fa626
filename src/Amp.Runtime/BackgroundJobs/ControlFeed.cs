using System.Diagnostics.CodeAnalysis;
using Amp.Events;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Amp.BackgroundJobs;

/// <summary>
/// Takes what other services tell of tenants: each message in the order of its partition, and once. An offset is stored only when its
/// message's transaction has committed, so that nothing is skipped; a message that comes again is found in the inbox. Several feeds may run.
/// </summary>
internal sealed class ControlFeed : IAsyncDisposable
{
    /// <summary>The consumer group that all feeds share.</summary>
    public const string DefaultGroup = "jobs-svc-control";

    /// <summary>How long a stop may go unnoticed, and how long a message may take before the others are paused.</summary>
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FaultPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan TopicRefresh = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(45);

    private readonly InboxTable _inbox;
    private readonly JobQueue _queue;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly KafkaClientLog _clientLog;
    private readonly KafkaEventOptions _kafka;
    private readonly Dictionary<string, string> _ownSettings;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    // Messages that were read while another was still being taken.
    private readonly Queue<ConsumeResult<Ignore, byte[]>> _early = [];
    private volatile bool _isBroken;
    private string? _lastError;

    /// <summary>Begins to take messages.</summary>
    /// <param name="inbox">Where they are taken.</param>
    /// <param name="queue">Whose jobs are cancelled when their tenant is deleted.</param>
    /// <param name="kafka">Where the brokers are; its topic does not matter.</param>
    /// <param name="time">The clock of pauses.</param>
    /// <param name="logger">Told of messages that were put aside, and of trouble.</param>
    /// <param name="group">The consumer group.</param>
    /// <param name="topicRefresh">How long a new topic may go unnoticed; null for 10 s.</param>
    /// <param name="sessionTimeout">After which silence the others in the group take over; null for 45 s.</param>
    public ControlFeed(
        InboxTable inbox, JobQueue queue, KafkaEventOptions kafka, TimeProvider time, ILogger logger, string group = DefaultGroup,
        TimeSpan? topicRefresh = null, TimeSpan? sessionTimeout = null)
    {
        (_inbox, _queue, _kafka, _time, _logger) = (inbox, queue, kafka, time, logger);
        _clientLog = new KafkaClientLog(time, logger);
        _ownSettings = new Dictionary<string, string>
        {
            ["group.id"] = group,
            ["enable.auto.commit"] = "true",
            ["auto.commit.interval.ms"] = "1000",
            ["enable.auto.offset.store"] = "false",
            ["auto.offset.reset"] = "earliest",
            ["partition.assignment.strategy"] = "cooperative-sticky",
            ["topic.metadata.refresh.interval.ms"] = $"{(topicRefresh ?? TopicRefresh).TotalMilliseconds:0}",
            ["session.timeout.ms"] = $"{(sessionTimeout ?? SessionTimeout).TotalMilliseconds:0}",
            ["heartbeat.interval.ms"] = $"{(sessionTimeout ?? SessionTimeout).TotalMilliseconds / 15:0}",
        };

        // librdkafka's consumer blocks, so it gets a thread of its own instead of one of the pool's.
        _loop = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Why it cannot go on; null when it can.</summary>
    public string? LastError => Volatile.Read(ref _lastError);

    /// <summary>Ends after what is under way, commits the offsets of what was taken, and leaves the group.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    /// <summary>On the feed's own thread.</summary>
    private void Run()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var consumer = Build();
                try
                {
                    consumer.Subscribe(ControlMessage.TopicPatterns);
                    Take(consumer);
                }
                finally
                {
                    KafkaClients.Leave(consumer);
                }
            }
            catch (Exception e)
            {
                Note(e.Message);
            }

            // What it read belongs to a consumer that is gone, and is read again.
            _early.Clear();
            _stop.Token.WaitHandle.WaitOne(FaultPause);
        }
    }

    private void Take(IConsumer<Ignore, byte[]> consumer)
    {
        while (!_stop.IsCancellationRequested && !_isBroken)
        {
            if ((_early.TryDequeue(out var early) ? early : Poll(consumer, Slice)) is { } read && Settle(consumer, read))
            {
                // A partition that is another's by now cannot be stored: the message is read there again and found in the inbox.
                Try(() => consumer.StoreOffset(read));
            }
        }
    }

    /// <summary>Takes a message; false when that was given up, because the feed ends.</summary>
    [SuppressMessage("Usage", "VSTHRD002:Avoid problematic synchronous waits", Justification = "the thread is the feed's own, and the work never needs it")]
    private bool Settle(IConsumer<Ignore, byte[]> consumer, ConsumeResult<Ignore, byte[]> read)
    {
        var work = Task.Run(() => SettleAsync(read));
        for (var isPaused = false; ; isPaused = true)
        {
            if (work.Wait(Slice))
            {
                if (isPaused)
                {
                    Try(() => consumer.Resume(consumer.Assignment));
                }

                return work.Result;
            }

            // However long the database is away, polling keeps the membership: no rebalance waits for this feed. What is read before
            // its partition is paused, as that of a new one, waits its turn.
            if (Poll(consumer, TimeSpan.Zero) is { } early)
            {
                _early.Enqueue(early);
            }

            Try(() => consumer.Pause(consumer.Assignment));
        }
    }

    /// <summary>On a thread of the pool: tries until it is done. False when the feed ends before.</summary>
    private async Task<bool> SettleAsync(ConsumeResult<Ignore, byte[]> read)
    {
        var (message, error) = Understand(read);
        ControlOutcome? outcome = error is null && message is null ? ControlOutcome.Unknown : null;
        for (var pause = ShortestPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                // Checkpoint: when the process ends after the commit, the message comes again and is found in the inbox.
                outcome ??= message is null ? await ParkAsync(read, error!) : await _inbox.TakeAsync(message, _stop.Token);
                if (message is not null)
                {
                    await FinishAsync(message);
                    Log.TookMessage(_logger, message.Topic, message.EventId, message.TenantId, outcome.Value);
                }

                ControlFeedMetrics.Consumed.Add(1, new("topic", read.Topic), new("outcome", outcome.Value.ToString()));
                Recover();
                return true;
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return false;
            }
            catch (Exception e)
            {
                Note($"{read.TopicPartitionOffset}: {e.Message}");
            }

            await Task.Delay(pause, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The message, or why it cannot be understood; neither when its topic says nothing that matters here.</summary>
    private (ControlMessage? Message, string? Error) Understand(ConsumeResult<Ignore, byte[]> read)
    {
        if (!ControlMessage.IsKnown(read.Topic))
        {
            return (null, null);
        }

        try
        {
            var sentAt = read.Message.Timestamp.Type is TimestampType.NotAvailable ? _time.GetUtcNow() : new DateTimeOffset(read.Message.Timestamp.UtcDateTime);
            return (ControlMessage.Read(read.Topic, read.Message.Value, sentAt), null);
        }
        catch (AmpException e)
        {
            return (null, e.Message);
        }
    }

    /// <summary>Does what does not fit into the message's transaction; also for one that was seen, since the process may have ended in between.</summary>
    private async Task FinishAsync(ControlMessage message)
    {
        if (message.Kind is ControlKind.Deleted)
        {
            var cancelled = await _queue.CancelAllOfTenantAsync(message.TenantId, "system", JobQueue.TenantDeleted, _stop.Token);
            if (cancelled > 0)
            {
                Log.CancelledJobsOfTenant(_logger, message.TenantId, cancelled);
            }
        }
    }

    private async Task<ControlOutcome> ParkAsync(ConsumeResult<Ignore, byte[]> read, string error)
    {
        if (!await _inbox.ParkAsync(read.Topic, read.Partition.Value, read.Offset.Value, read.Message.Value ?? [], error, _stop.Token))
        {
            return ControlOutcome.Seen;
        }

        Log.ParkedMessage(_logger, read.Topic, read.Partition.Value, read.Offset.Value, error);
        return ControlOutcome.Malformed;
    }

    private ConsumeResult<Ignore, byte[]>? Poll(IConsumer<Ignore, byte[]> consumer, TimeSpan patience)
    {
        try
        {
            return consumer.Consume(patience);
        }
        catch (KafkaException e)
        {
            // The client goes on by itself; but what is forbidden stays so until somebody does something.
            _clientLog.Write(e.Error);
            if (e.Error.Code is ErrorCode.TopicAuthorizationFailed or ErrorCode.GroupAuthorizationFailed)
            {
                Note(e.Error.Reason);
            }

            return null;
        }
    }

    /// <summary>Does what fails only where a partition, or the group, is lost; which costs nothing then.</summary>
    private static void Try(Action step)
    {
        try
        {
            step();
        }
        catch (KafkaException)
        {
            // Nothing was stored that is not so.
        }
    }

    private IConsumer<Ignore, byte[]> Build()
    {
        var settings = KafkaClients.CommonSettings(_kafka);
        foreach (var (name, value) in _ownSettings)
        {
            settings[name] = value;
        }

        _isBroken = false;
        return KafkaClients.BuildConsumer(_kafka, settings, builder => builder
            .SetLogHandler((_, message) => _clientLog.Write(message))
            .SetErrorHandler((_, error) =>
            {
                _clientLog.Write(error);
                if (error.IsFatal)
                {
                    _isBroken = true;
                    Note(error.Reason);
                }
            }));
    }

    private void Note(string reason)
    {
        if (Interlocked.Exchange(ref _lastError, reason) is null)
        {
            Log.ControlFails(_logger, reason);
        }
    }

    private void Recover()
    {
        if (Interlocked.Exchange(ref _lastError, null) is not null)
        {
            Log.ControlRecovered(_logger);
        }
    }
}
