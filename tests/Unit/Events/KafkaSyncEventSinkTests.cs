using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Amp.Support;

namespace Amp.Events;

/// <summary>Order, patience and bounds of the sink over a broker that does what the test says.</summary>
public class KafkaSyncEventSinkTests
{
    private static readonly SendResult Delivered = new(SendOutcome.Delivered);
    private static readonly SendResult Refused = new(SendOutcome.Refused, "TopicAuthorizationFailed", "not allowed");
    private static readonly SendResult Unanswered = new(SendOutcome.Unanswered, "Local_MsgTimedOut", "timed out");
    private static readonly ProbeResult Away = new(ProbeOutcome.Unreachable, 0, "Local_Transport", "connection refused");

    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _logger = new();

    [Fact]
    public async Task Emit_WhenBrokerRefuses_TriesAfterOneFiveAndSixtySecondsThenDrops()
    {
        var broker = new ScriptedTransport(_time, e => e.EventType == SyncEventWire.Started ? Refused : Delivered);
        await using var sink = NewSink(broker);

        sink.Emit(EventSamples.Started("blocks"));
        sink.Emit(EventSamples.Completed("blocks"));
        await DrainAsync(sink);

        var attempts = broker.Attempts.Where(a => a.Event.EventType == SyncEventWire.Started).ToArray();
        Assert.Equal([0, 1, 6, 66], attempts.Select(a => a.At.TotalSeconds));
        Assert.Single(attempts.DistinctBy(a => a.Event.EventId));
        Assert.Equal(66, broker.Attempts.Single(a => a.Event.EventType == SyncEventWire.Completed).At.TotalSeconds);
    }

    [Fact]
    public async Task Emit_WhenManyEventsAreDroppedForOneReason_WarnsOnce()
    {
        var broker = new ScriptedTransport(_time, _ => Refused);
        await using var sink = NewSink(broker);

        for (var table = 0; table < 50; table++)
        {
            sink.Emit(EventSamples.Started($"table{table}"));
        }

        await DrainAsync(sink);

        Assert.Single(_logger.Entries, e => e.Event == nameof(Log.EventDropped));
    }

    [Fact]
    public async Task Emit_WhenTopicIsMissing_TriesFourTimesThenDropsAndWarns()
    {
        var broker = new ScriptedTransport(_time, _ => Delivered)
        {
            Probe = new(ProbeOutcome.Refused, 0, "UnknownTopicOrPart", "unknown topic"),
        };
        await using var sink = NewSink(broker);

        sink.Emit(EventSamples.Started("blocks"));
        await DrainAsync(sink);

        Assert.Empty(broker.Attempts);
        Assert.Equal(4, broker.Probes);
        Assert.Equal(66, _time.Elapsed.TotalSeconds);
        Assert.Single(_logger.Entries, e => e.Event == nameof(Log.TopicRefused));
        Assert.Single(_logger.Entries, e => e.Event == nameof(Log.EventDropped));
    }

    [Fact]
    public async Task Emit_WhenBrokerIsAwayForAnHour_KeepsLifecycleAndTheNewestProgress()
    {
        var broker = new ScriptedTransport(_time, _ => Delivered) { Probe = Away };
        await using var sink = NewSink(broker);

        sink.Emit(EventSamples.Started("blocks"));
        await Eventually.TrueAsync(() => broker.Probes > 0, "the broker is asked");
        for (var second = 0; second < 3600; second++)
        {
            sink.Emit(EventSamples.Progress("blocks", (ulong)second));
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        sink.Emit(EventSamples.Completed("blocks"));
        broker.Probe = new(ProbeOutcome.Ready, 16);
        await DrainAsync(sink);

        Assert.Equal(["sync.started", "sync.progress", "sync.completed"], broker.Delivered.Select(e => e.EventType));
        Assert.Equal(3599UL, broker.Delivered[1].SyncProgress.Progress.CurrentBlock);
        Assert.Single(_logger.Entries, e => e.Event == nameof(Log.BrokerAway));
    }

    [Fact]
    public async Task Emit_WhenProgressIsInFlight_DoesNotReplaceIt()
    {
        var broker = new ScriptedTransport(_time, _ => null);
        await using var sink = NewSink(broker);
        sink.Emit(EventSamples.Progress("blocks", 1));
        await Eventually.TrueAsync(() => broker.Held == 1, "the first snapshot is in flight");

        sink.Emit(EventSamples.Progress("blocks", 2));
        sink.Emit(EventSamples.Progress("blocks", 3));
        broker.ReleaseAll(Delivered);
        await Eventually.TrueAsync(() => broker.Held == 1, "the last snapshot is in flight");
        broker.ReleaseAll(Delivered);
        await DrainAsync(sink);

        Assert.Equal([1UL, 3UL], broker.Delivered.Select(e => e.SyncProgress.Progress.CurrentBlock));
    }

    [Fact]
    public async Task Emit_WhenProgressIsReplacedWhileFailing_StillComesToItsLastAttempt()
    {
        var broker = new ScriptedTransport(_time, _ => Refused);
        await using var sink = NewSink(broker);

        var block = 0UL;
        await Eventually.TrueAsync(
            () =>
            {
                sink.Emit(EventSamples.Progress("blocks", block++));
                _time.Advance(TimeSpan.FromSeconds(1));
                return _logger.Entries.Any(e => e.Event == nameof(Log.EventDropped));
            },
            "an event is given up");

        Assert.True(broker.Attempts.Count >= 4);
        Assert.True(broker.Attempts[3].Event.SyncProgress.Progress.CurrentBlock > 60);
    }

    [Fact]
    public async Task Emit_WhenQueueIsFull_GivesUpSnapshotsBeforeLifecycle()
    {
        var broker = new ScriptedTransport(_time, _ => Delivered) { Probe = Away };
        await using var sink = NewSink(broker, capacity: 10);

        for (var table = 0; table < 10; table++)
        {
            sink.Emit(EventSamples.Progress($"table{table}", 1));
        }

        for (var table = 0; table < 9; table++)
        {
            sink.Emit(EventSamples.Failed($"table{table}"));
        }

        broker.Probe = new(ProbeOutcome.Ready, 16);
        await DrainAsync(sink);

        Assert.Equal(9, broker.Delivered.Count(e => e.EventType == SyncEventWire.Failed));
        Assert.Equal("table9", Assert.Single(broker.Delivered, e => e.EventType == SyncEventWire.Progress).SyncProgress.TableName);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Emit_WithAnyMixOfFailures_KeepsTheOrderOfEachTable(int seed)
    {
        var (random, choice) = (new Random(seed), new Random(seed + 100));
        ScriptedTransport? broker = null;
        broker = new ScriptedTransport(_time, _ =>
        {
            // Away, moving, or slow to answer for a while; then well again.
            broker!.Probe = random.Next(4) == 0 ? Away : new(ProbeOutcome.Ready, 16);
            return random.Next(5) switch
            {
                0 => Refused,
                1 => Unanswered,
                2 when random.Next(4) == 0 => new SendResult(SendOutcome.Broken, "Local_Fatal", "fenced"),
                _ => Delivered,
            };
        });
        var pulse = Task.Run(async () =>
        {
            await using var sink = NewSink(broker);
            for (var step = 0UL; step < 160; step++)
            {
                var table = $"table{choice.Next(5)}";
                sink.Emit((step % 4) switch
                {
                    0 => new SyncStarted(1, EventSamples.Table(table), step, null),
                    1 => new SyncCompleted(1, EventSamples.Table(table), step, TimeSpan.Zero),
                    2 => new SyncFailed(1, EventSamples.Table(table), $"{step}", null),
                    _ => EventSamples.Progress(table, step),
                });
                broker.Probe = new(ProbeOutcome.Ready, 16);
                await Task.Yield();
            }

            while (!await sink.FlushAsync(TimeSpan.FromSeconds(30)))
            {
                broker.Probe = new(ProbeOutcome.Ready, 16);
            }
        });

        await _time.AdvanceUntilAsync(pulse);

        foreach (var table in broker.Delivered.GroupBy(TableOf))
        {
            var ids = table.Select(e => e.EventId).ToArray();
            Assert.True(ids.Length > 8, $"{table.Key} delivered {ids.Length}");
            Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
        }
    }

    [Fact]
    public async Task Emit_WhenMessageIsTooLarge_DropsItAtOnceAndGoesOn()
    {
        var broker = new ScriptedTransport(_time, e => e.EventType == SyncEventWire.Failed
            ? new SendResult(SendOutcome.Impossible, "MsgSizeTooLarge", "too large")
            : Delivered);
        await using var sink = NewSink(broker);

        sink.Emit(EventSamples.Failed("blocks"));
        sink.Emit(EventSamples.Started("blocks", job: 2));
        await sink.FlushAsync(Timeout.InfiniteTimeSpan);

        Assert.Equal(0, _time.Elapsed.TotalSeconds);
        Assert.Equal(2, Assert.Single(broker.Delivered).SyncStarted.JobId);
    }

    [Fact]
    public async Task Emit_WhenNobodyAnswersAndTheBrokerIsAway_CountsNoAttempt()
    {
        var answers = 0;
        ScriptedTransport? broker = null;
        broker = new ScriptedTransport(_time, _ =>
        {
            broker!.Probe = Away;
            return ++answers <= 10 ? Unanswered : Delivered;
        });
        await using var sink = NewSink(broker);

        sink.Emit(EventSamples.Started("blocks"));
        var drained = sink.FlushAsync(Timeout.InfiniteTimeSpan);
        await _time.AdvanceUntilAsync(Task.Run(async () =>
        {
            while (!drained.IsCompleted)
            {
                var probes = broker.Probes;
                await Eventually.TrueAsync(() => broker.Probes > probes + 1 || drained.IsCompleted, "the broker was asked again");
                broker.Probe = new(ProbeOutcome.Ready, 16);
            }
        }));

        Assert.Equal(11, broker.Attempts.Count);
        Assert.Single(broker.Delivered);
    }

    [Fact]
    public async Task Emit_WhenClientBreaks_StartsItAnewAndSendsTheEventAgain()
    {
        var broken = false;
        var broker = new ScriptedTransport(_time, _ =>
        {
            (var result, broken) = (broken ? Delivered : new SendResult(SendOutcome.Broken, "Local_Fatal", "fenced"), true);
            return result;
        });
        await using var sink = NewSink(broker);

        sink.Emit(EventSamples.Started("blocks"));
        await DrainAsync(sink);

        Assert.Equal(1, broker.Resets);
        Assert.Single(broker.Delivered);
    }

    [Fact]
    public async Task DisposeAsync_WhenBrokerIsAway_GivesUpAfterTheFlushTimeoutAndCountsTheRest()
    {
        using var dropped = new CountOf("amp.sync_events.dropped");
        var broker = new ScriptedTransport(_time, _ => Delivered) { Probe = Away };
        var sink = NewSink(broker, flushTimeout: KafkaSyncEventSink.DefaultFlushTimeout);
        sink.Emit(EventSamples.Started("blocks"));

        await _time.AdvanceUntilAsync(sink.DisposeAsync().AsTask());
        sink.Emit(EventSamples.Completed("blocks"));

        Assert.InRange(_time.Elapsed.TotalSeconds, 5, 6);
        Assert.Contains(_logger.Entries, e => e.Event == nameof(Log.EventDropped) && e.Message.Contains("Stopped", StringComparison.Ordinal));
        Assert.True(dropped.Total("Stopped") >= 2);
    }

    [Fact]
    public async Task Emit_WhenTopicHasAnotherNumberOfPartitions_WarnsWithBoth()
    {
        var broker = new ScriptedTransport(_time, _ => Delivered) { Probe = new(ProbeOutcome.Ready, 6) };
        await using var sink = NewSink(broker);

        sink.Emit(EventSamples.Started("blocks"));
        await sink.FlushAsync(Timeout.InfiniteTimeSpan);

        var warning = Assert.Single(_logger.Entries, e => e.Event == nameof(Log.PartitionsDiffer));
        Assert.Contains("6 partitions, the configuration says 16", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Emit_FromManyThreadsWhileBrokerIsAway_StaysBoundedAndFast()
    {
        var broker = new ScriptedTransport(_time, _ => Delivered) { Probe = Away };
        await using var sink = NewSink(broker, capacity: 1000);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(() =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                sink.Emit(EventSamples.Started($"table{worker}-{i % 100}", job: i));
            }
        })));

        broker.Probe = new(ProbeOutcome.Ready, 16);
        await DrainAsync(sink);
        Assert.Equal(1000, broker.Delivered.Count);
    }

    private static string TableOf(Wire.WorkerEvent e) =>
        e.SyncStarted?.TableName ?? e.SyncProgress?.TableName ?? e.SyncCompleted?.TableName ?? e.SyncFailed.TableName;

    // A test that fails must not wait for a clock that nobody moves any more: the sink's end flushes nothing.
    private KafkaSyncEventSink NewSink(
        ScriptedTransport broker, int capacity = KafkaSyncEventSink.Capacity, TimeSpan flushTimeout = default) =>
        new(EventSamples.Kafka("localhost:9092"), "worker-01", _time, _logger, broker, flushTimeout, capacity);

    private Task DrainAsync(KafkaSyncEventSink sink) => _time.AdvanceUntilAsync(sink.FlushAsync(Timeout.InfiniteTimeSpan));

    /// <summary>Adds up a counter by its reason, from all sinks of the process.</summary>
    private sealed class CountOf : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly ConcurrentDictionary<string, long> _totals = [];

        public CountOf(string instrument)
        {
            _listener.InstrumentPublished = (published, listener) =>
            {
                if (published.Meter.Name == SyncEventMetrics.MeterName && published.Name == instrument)
                {
                    listener.EnableMeasurementEvents(published);
                }
            };
            _listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
                _totals.AddOrUpdate((string)tags[0].Value!, value, (_, total) => total + value));
            _listener.Start();
        }

        public long Total(string reason) => _totals.GetValueOrDefault(reason);

        public void Dispose() => _listener.Dispose();
    }
}
