using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Amp.Events;

/// <summary>
/// Publishes events to Kafka in the background, strictly in order per table, at least once. While no broker answers,
/// events wait; an event that a broker refuses is tried four times in all (after 1, 5 and 60 seconds) and then dropped.
/// </summary>
internal sealed class KafkaSyncEventSink : ISyncEventSink, IAsyncDisposable
{
    /// <summary>How many events may wait; at a few hundred bytes each some megabytes.</summary>
    public const int Capacity = 10_000;

    /// <summary>How long the end of the worker waits for events that are still to be sent.</summary>
    public static readonly TimeSpan DefaultFlushTimeout = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ReconnectDelay = TimeSpan.FromSeconds(1);

    private readonly KafkaEventOptions _options;
    private readonly string _workerId;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly IEventTransport _transport;
    private readonly TimeSpan _flushTimeout;
    private readonly long _epoch;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _sender;

    // Guards the fields of this group.
    private readonly Lock _gate = new();
    private readonly EventIds _ids;
    private readonly SyncEventQueue _queue;
    private readonly DropLog _drops;
    private TaskCompletionSource _work = NewSignal();
    private TaskCompletionSource? _drained;
    private SendResult? _broken;
    private bool _ready;
    private bool _stopped;

    // The sender's alone: what it said last about the broker, so as to say it once.
    private ProbeOutcome? _said;
    private int _saidPartitions;

    /// <summary>Starts to send. Returns at once, whether or not a broker is there.</summary>
    /// <exception cref="AmpException"><c>KafkaLibraryMissing</c> or <c>KafkaConfigurationInvalid</c>.</exception>
    public KafkaSyncEventSink(
        KafkaEventOptions options, string workerId, TimeProvider time, ILogger logger, TimeSpan? flushTimeout = null)
        : this(options, workerId, time, logger, new KafkaEventTransport(options, time, logger), flushTimeout)
    {
    }

    /// <summary>The same over another transport and with another capacity.</summary>
    internal KafkaSyncEventSink(
        KafkaEventOptions options, string workerId, TimeProvider time, ILogger logger, IEventTransport transport,
        TimeSpan? flushTimeout = null, int capacity = Capacity)
    {
        _options = options;
        _workerId = workerId;
        _time = time;
        _logger = logger;
        _transport = transport;
        _flushTimeout = flushTimeout ?? DefaultFlushTimeout;
        _epoch = time.GetTimestamp();
        _ids = new EventIds(time);
        _queue = new SyncEventQueue(capacity);
        _drops = new DropLog(time, logger);
        _sender = Task.Run(SendUntilStoppedAsync);
    }

    private TimeSpan Now => _time.GetElapsedTime(_epoch);

    /// <inheritdoc/>
    public void Emit(SyncEvent syncEvent)
    {
        lock (_gate)
        {
            if (_stopped)
            {
                _drops.Write(syncEvent, "Stopped", "the worker stopped");
                return;
            }

            var entry = new SyncEventEntry(syncEvent, _ids.Next(), _time.GetUtcNow());
            SyncEventMetrics.QueueDepth.Add(1);
            if (_queue.Enqueue(entry, out var evicted))
            {
                SyncEventMetrics.QueueDepth.Add(-1);
                SyncEventMetrics.Dropped.Add(1, new TagList { { "reason", "Superseded" } });
            }

            if (evicted is not null)
            {
                Drop(evicted, new SendResult(SendOutcome.Impossible, "QueueFull", "too many events wait for the broker"));
            }

            _work.TrySetResult();
        }
    }

    /// <summary>Waits until every event given so far was sent or dropped. Returns false when the time was up before.</summary>
    public async Task<bool> FlushAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Task drained;
        lock (_gate)
        {
            if (_queue.Count == 0)
            {
                return true;
            }

            _drained ??= NewSignal();
            drained = _drained.Task;
        }

        try
        {
            await drained.WaitAsync(timeout, _time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Takes no more events, sends what waits within the flush timeout, and drops the rest.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_stopped)
            {
                return;
            }

            _stopped = true;
        }

        await FlushAsync(_flushTimeout);
        _stopping.Cancel();
        await _sender;
        await _transport.DisposeAsync();
        lock (_gate)
        {
            foreach (var entry in _queue.Clear())
            {
                Drop(entry, new SendResult(SendOutcome.Impossible, "Stopped", "the worker stopped before a broker took it"));
            }
        }

        _stopping.Dispose();
    }

    private async Task SendUntilStoppedAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await WaitForWorkAsync();
                if (await BecomeReadyAsync())
                {
                    SendDue();
                }
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Whatever it was, it must not cost the events that follow.
                Log.SenderFailed(_logger, e, ReconnectDelay);
                await PauseAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task WaitForWorkAsync()
    {
        while (true)
        {
            Task work;
            TimeSpan? delay;
            lock (_gate)
            {
                var now = Now;
                if (_queue.HasDue(now))
                {
                    return;
                }

                if (_work.Task.IsCompleted)
                {
                    _work = NewSignal();
                }

                work = _work.Task;
                delay = _queue.NextDue() - now;
            }

            if (delay is null)
            {
                await work.WaitAsync(_stopping.Token);
                continue;
            }

            using var timer = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            await Task.WhenAny(work, Task.Delay(delay.Value, _time, timer.Token));
            timer.Cancel();
            _stopping.Token.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Makes sure that a broker with the topic is there. When it is not, settles what that means for the events.</summary>
    private async Task<bool> BecomeReadyAsync()
    {
        SendResult? broken;
        lock (_gate)
        {
            if (_ready)
            {
                return true;
            }

            (broken, _broken) = (_broken, null);
        }

        if (broken is { } cause)
        {
            Log.ClientReset(_logger, cause.Reason, cause.Message);
            await _transport.ResetAsync();
        }

        var probe = await _transport.ProbeAsync(_stopping.Token);
        Announce(probe);
        lock (_gate)
        {
            _ready = probe.Outcome == ProbeOutcome.Ready;
            foreach (var entry in _queue.TakeDue(Now))
            {
                var unanswered = entry.Unanswered;
                entry.Unanswered = null;
                if (probe.Outcome == ProbeOutcome.Refused)
                {
                    Fail(entry, new SendResult(SendOutcome.Refused, probe.Reason, probe.Message));
                }
                else if (_ready && unanswered is { } result)
                {
                    // The broker is there and yet did not answer: that was an attempt.
                    Fail(entry, result);
                }
                else
                {
                    SyncEventQueue.PutBack(entry);
                }
            }
        }

        if (probe.Outcome == ProbeOutcome.Unreachable)
        {
            await PauseAsync();
        }

        return probe.Outcome == ProbeOutcome.Ready;
    }

    private void Announce(ProbeResult probe)
    {
        if (probe.Outcome == ProbeOutcome.Ready && probe.Partitions != _options.Partitions && probe.Partitions != _saidPartitions)
        {
            _saidPartitions = probe.Partitions;
            Log.PartitionsDiffer(_logger, _options.Topic, probe.Partitions, _options.Partitions);
        }

        if (probe.Outcome == _said)
        {
            return;
        }

        _said = probe.Outcome;
        switch (probe.Outcome)
        {
            case ProbeOutcome.Ready:
                Log.BrokerAnswered(_logger, _options.Topic, probe.Partitions);
                break;
            case ProbeOutcome.Refused:
                Log.TopicRefused(_logger, _options.Topic, probe.Reason, probe.Message);
                break;
            default:
                Log.BrokerAway(_logger, _options.Topic, probe.Reason, probe.Message);
                break;
        }
    }

    private void SendDue()
    {
        IReadOnlyList<SyncEventEntry> due;
        lock (_gate)
        {
            due = _queue.TakeDue(Now);
        }

        foreach (var entry in due)
        {
            var value = SyncEventWire.Encode(entry.Event, entry.Id, entry.Timestamp, _workerId);
            _transport.Send(entry.Event.Table.Key, value, entry.Timestamp, result => Report(entry, result));
        }
    }

    // Runs on the transport's thread.
    private void Report(SyncEventEntry entry, SendResult result)
    {
        lock (_gate)
        {
            _ready &= result.Outcome is SendOutcome.Delivered or SendOutcome.Impossible;
            switch (result.Outcome)
            {
                case SendOutcome.Delivered:
                    SyncEventMetrics.Emitted.Add(1, new TagList { { "type", SyncEventWire.TypeOf(entry.Event) } });
                    SyncEventMetrics.QueueDepth.Add(-1);
                    _queue.Remove(entry);
                    break;
                case SendOutcome.Unanswered:
                    entry.Unanswered = result;
                    SyncEventQueue.PutBack(entry);
                    break;
                case SendOutcome.Impossible:
                    _queue.Remove(entry);
                    Drop(entry, result);
                    break;
                case SendOutcome.Broken:
                    // What follows the first is what it purged.
                    _broken ??= result;
                    Fail(entry, result);
                    break;
                default:
                    Fail(entry, result);
                    break;
            }

            Signal();
        }
    }

    private void Fail(SyncEventEntry entry, SendResult result)
    {
        if (_queue.Retry(entry, Now))
        {
            SyncEventMetrics.Retried.Add(1, new TagList { { "reason", result.Reason } });
            Log.SendFailed(
                _logger, SyncEventWire.TypeOf(entry.Event), entry.Event.Table.Key, result.Reason, result.Message, entry.Failures + 1);
        }
        else
        {
            Drop(entry, result);
        }

        Signal();
    }

    private void Drop(SyncEventEntry entry, SendResult result)
    {
        SyncEventMetrics.QueueDepth.Add(-1);
        _drops.Write(entry.Event, result.Reason, result.Message);
    }

    private void Signal()
    {
        _work.TrySetResult();
        if (_queue.Count == 0)
        {
            _drained?.TrySetResult();
            _drained = null;
        }
    }

    private Task PauseAsync() => Task.Delay(ReconnectDelay, _time, _stopping.Token);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
