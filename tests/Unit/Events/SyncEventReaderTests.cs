using System.Diagnostics;
using Amp.Support;
using Confluent.Kafka;

namespace Amp.Events;

public class SyncEventReaderTests
{
    private const string Topic = "amp.worker.events";
    private const short FetchRequest = 1;
    private static readonly DateTimeOffset Noon = new(2026, 1, 15, 12, 0, 0, TimeSpan.Zero);

    [KafkaFact]
    public async Task ReadAsync_OfAnEmptyTopic_EndsAtOnce()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());

        Assert.Empty(await ReadAsync(broker, new()));
    }

    [KafkaFact]
    public async Task ReadAsync_WhenFollowing_GivesWhatComesLater()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await PublishAsync(broker, (EventSamples.Started("blocks", job: 1), Noon));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using var results = Reader(broker)
            .ReadAsync(new() { Follow = true }, patience.Token).GetAsyncEnumerator(patience.Token);

        Assert.True(await results.MoveNextAsync());
        var first = results.Current;
        await PublishAsync(broker, (EventSamples.Started("blocks", job: 2), Noon));
        Assert.True(await results.MoveNextAsync());

        Assert.Equal((1L, 2L), (first.Event!.JobId, results.Current.Event!.JobId));
    }

    [KafkaFact]
    public async Task ReadAsync_FromTheEnd_LeavesOutWhatWasThere()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [new(Topic, 1)] });
        await PublishAsync(broker, (EventSamples.Started("blocks", job: 1), Noon));
        Assert.Empty(await ReadAsync(broker, new() { From = SyncEventReadStart.End }));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await using var results = Reader(broker)
            .ReadAsync(new() { From = SyncEventReadStart.End, Follow = true }, patience.Token).GetAsyncEnumerator(patience.Token);
        var next = results.MoveNextAsync().AsTask();

        // It does not say when it has found the end; publish until it hears.
        for (var job = 2L; !next.IsCompleted; job++)
        {
            await PublishAsync(broker, (EventSamples.Started("blocks", job), Noon));
        }

        Assert.True(await next);
        Assert.True(results.Current.Event!.JobId > 1);
    }

    [KafkaFact]
    public async Task ReadAsync_WhenCancelled_EndsWithin200Milliseconds()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await PublishAsync(broker, (EventSamples.Started("blocks"), Noon));
        using var cancel = new CancellationTokenSource();
        await using var results = Reader(broker).ReadAsync(new() { Follow = true }, cancel.Token).GetAsyncEnumerator(cancel.Token);
        Assert.True(await results.MoveNextAsync());
        var next = results.MoveNextAsync().AsTask();

        var began = Stopwatch.GetTimestamp();
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
        var took = Stopwatch.GetElapsedTime(began);

        // 200 ms are promised; the rest is for a busy machine.
        Assert.True(took < TimeSpan.FromSeconds(1), $"took {took}");
    }

    [KafkaFact]
    public async Task ReadAsync_WhenTheCallerStopsEarly_Ends()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await PublishAsync(broker, [.. Enumerable.Range(0, 100).Select(i => ((SyncEvent)EventSamples.Started($"t{i}"), Noon))]);

        var first = await Reader(broker).ReadAsync(new() { Follow = true }).FirstAsync();

        Assert.NotNull(first.Event);
    }

    [KafkaFact]
    public async Task ReadAsync_WhenNoBrokerAnswers_SaysSoAfterTheTimeout()
    {
        var reader = new SyncEventReader(EventSamples.Kafka("127.0.0.1:1"));

        var began = Stopwatch.GetTimestamp();
        var error = await Assert.ThrowsAsync<AmpException>(
            () => reader.ReadAsync(new() { ConnectTimeout = TimeSpan.FromSeconds(2) }).ToListAsync().AsTask());

        Assert.Equal(("BrokerUnavailable", true), (error.ErrorCode, error.IsTransient));
        Assert.Contains("127.0.0.1:1", error.Message, StringComparison.Ordinal);
        Assert.Contains("Connection refused", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 1.9, 6);
    }

    [KafkaFact]
    public async Task ReadAsync_WhenTheBrokerDiesMidway_SaysSo()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [new(Topic, 1)] });
        // More than the reader takes ahead, and more than one fetch; the second one is held up until the broker is down.
        await PublishAsync(broker, [.. Enumerable.Range(0, 20_000).Select(i => ((SyncEvent)EventSamples.Started("blocks", i), Noon))]);
        broker.FailNext(FetchRequest, [0, .. Enumerable.Repeat((int)ErrorCode.NotLeaderForPartition, 100)]);
        await using var results = Reader(broker)
            .ReadAsync(new() { ConnectTimeout = TimeSpan.FromSeconds(2) }).GetAsyncEnumerator();
        Assert.True(await results.MoveNextAsync());

        broker.SetDown();
        var error = await Assert.ThrowsAsync<AmpException>(async () =>
        {
            while (await results.MoveNextAsync())
            {
            }
        });

        Assert.Equal("BrokerUnavailable", error.ErrorCode);
    }

    [KafkaFact]
    public async Task ReadAsync_OfAMalformedMessage_ReportsWhereAndGoesOn()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [new(Topic, 1)] });
        await PublishAsync(broker, (EventSamples.Started("blocks"), Noon));
        await PublishRawAsync(broker, [0xff, 0xff, 0xff]);
        await PublishRawAsync(broker, [null]);
        await PublishAsync(broker, (EventSamples.Completed("blocks"), Noon));

        var results = await ReadAsync(broker, new());

        Assert.Equal([true, false, false, true], results.Select(r => r.Event is not null));
        Assert.Equal(
            [("SyncEventMalformed", $"{Topic}[0]@1"), ("SyncEventMalformed", $"{Topic}[0]@2")],
            results.Where(r => r.Error is not null).Select(r => (r.Error!.ErrorCode, (string)r.Error.Target!)));
    }

    [KafkaFact]
    public async Task ReadAsync_WithFilters_GivesOnlyWhatMatchesAll()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await PublishAsync(
            broker,
            (EventSamples.Started("blocks", job: 1), Noon),
            (EventSamples.Failed("blocks", job: 1), Noon),
            (EventSamples.Failed("logs", job: 1), Noon),
            (EventSamples.Failed("blocks", job: 2), Noon));

        Assert.Equal(3, (await ReadAsync(broker, new() { EventTypes = ["sync.failed"] })).Count);
        Assert.Single(await ReadAsync(broker, new() { EventTypes = ["sync.failed"], Tables = ["b*"], JobIds = [1] }));
        Assert.Equal(4, (await ReadAsync(broker, new() { Datasets = ["ethereum/*"], WorkerIds = ["WORKER-0?"] })).Count);
        Assert.Empty(await ReadAsync(broker, new() { Datasets = ["ethereum"] }));
    }

    [KafkaFact]
    public async Task ReadAsync_BetweenTimes_GivesOnlyWhatHappenedThen()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [new(Topic, 2)] });
        await PublishAsync(
            broker, [.. Enumerable.Range(0, 10).Select(i => ((SyncEvent)EventSamples.Started($"t{i % 3}", i), Noon.AddMinutes(i)))]);

        var since = await ReadAsync(broker, new() { Since = Noon.AddMinutes(7) });
        var between = await ReadAsync(broker, new() { Since = Noon.AddMinutes(2), Until = Noon.AddMinutes(4) });
        var future = await ReadAsync(broker, new() { Since = Noon.AddDays(1) });

        Assert.Equal([7L, 8, 9], since.Select(r => r.Event!.JobId).Order());
        Assert.Equal([2L, 3, 4], between.Select(r => r.Event!.JobId).Order());
        Assert.Empty(future);
    }

    [KafkaFact]
    public async Task ReadAsync_OfRepeatedEvents_GivesEachOnceUnlessAskedOtherwise()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        var id = Guid.CreateVersion7();
        var message = SyncEventWire.Encode(EventSamples.Started("blocks"), id, Noon, "worker-01");
        await PublishRawAsync(broker, message, message, message);

        Assert.Single(await ReadAsync(broker, new()));
        Assert.Equal(3, (await ReadAsync(broker, new() { DeduplicationWindow = 0 })).Count);
    }

    [KafkaFact]
    public async Task ReadAsync_WithAGroup_GoesOnWhereItLeftOff()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [new(Topic, 3)] });
        await PublishAsync(broker, [.. Enumerable.Range(1, 20).Select(i => ((SyncEvent)EventSamples.Started($"t{i % 5}", i), Noon))]);
        var group = new SyncEventReadOptions { Group = "alerts" };

        var first = await ReadAsync(broker, group with { Limit = 7 });
        var rest = await ReadAsync(broker, group);
        var none = await ReadAsync(broker, group);
        await PublishAsync(broker, (EventSamples.Started("t1", 21), Noon));
        var later = await ReadAsync(broker, group);
        var other = await ReadAsync(broker, group with { Group = "others" });
        var latecomers = group with { Group = "latecomers", From = SyncEventReadStart.End };
        var late = await ReadAsync(broker, latecomers);
        await PublishAsync(broker, [.. Enumerable.Range(30, 6).Select(i => ((SyncEvent)EventSamples.Started($"new{i}", i), Noon))]);
        var afterwards = await ReadAsync(broker, latecomers);

        Assert.Equal(7, first.Count);
        Assert.Equal(Enumerable.Range(1, 20).Select(i => (long)i), first.Concat(rest).Select(r => r.Event!.JobId).Order());
        Assert.Empty(none);
        Assert.Equal([21L], later.Select(r => r.Event!.JobId));
        Assert.Equal(21, other.Count);
        Assert.Empty(late);
        Assert.Equal(6, afterwards.Count);
    }

    [KafkaFact]
    public async Task ReadAsync_WithAGroup_GivesAgainWhatWasNotFinished_AndNotWhatWasLeftOut()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [new(Topic, 1)] });
        await PublishAsync(
            broker, (EventSamples.Started("a", 1), Noon), (EventSamples.Failed("a", 2), Noon), (EventSamples.Failed("a", 3), Noon), (EventSamples.Started("a", 4), Noon));
        var failures = new SyncEventReadOptions { Group = "alerts", EventTypes = ["sync.failed"] };

        // The second is under way when its reader breaks down.
        var seen = new List<long>();
        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await foreach (var read in Reader(broker).ReadAsync(failures))
            {
                seen.Add(read.Event!.JobId);
                if (seen.Count == 2)
                {
                    throw new InvalidOperationException();
                }
            }
        });
        var again = await ReadAsync(broker, failures);
        var started = await ReadAsync(broker, new SyncEventReadOptions { Group = "alerts" });

        Assert.Equal([2L, 3], seen);
        Assert.Equal([3L], again.Select(r => r.Event!.JobId));
        Assert.Empty(started);
    }

    private static SyncEventReader Reader(DevBroker broker) => new(EventSamples.Kafka(broker.BootstrapServers));

    private static async Task<List<SyncEventReadResult>> ReadAsync(DevBroker broker, SyncEventReadOptions options) =>
        await Reader(broker).ReadAsync(options).ToListAsync();

    private static Task PublishAsync(DevBroker broker, params (SyncEvent Event, DateTimeOffset Time)[] events) =>
        PublishAsync(broker, [.. events.Select(e =>
            (e.Event.Table.Key, (byte[]?)SyncEventWire.Encode(e.Event, Guid.CreateVersion7(), e.Time, "worker-01"), e.Time))]);

    private static Task PublishRawAsync(DevBroker broker, params byte[]?[] values) =>
        PublishAsync(broker, [.. values.Select(value => ("some key", value, Noon))]);

    private static async Task PublishAsync(DevBroker broker, IReadOnlyList<(string Key, byte[]? Value, DateTimeOffset Time)> messages)
    {
        using var producer = KafkaClients.Build(() => new ProducerBuilder<string, byte[]?>(
            new ProducerConfig { BootstrapServers = broker.BootstrapServers, EnableIdempotence = true }).Build());
        await Task.WhenAll(messages.Select(m => producer.ProduceAsync(
            Topic, new Message<string, byte[]?> { Key = m.Key, Value = m.Value, Timestamp = new Timestamp(m.Time) })));
    }
}
