using System.Text;
using System.Text.Json;
using Amp.Events;
using Amp.Support;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.BackgroundJobs;

/// <summary>The outbox on a real PostgreSQL, sent to a development broker over a real socket, and read back from all topics.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class OutboxRelayTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private const string WorkTopic = "job-events";
    private readonly Guid[] _tenants = [.. Enumerable.Range(0, 20).Select(_ => Guid.NewGuid())];
    private TestDatabase _test = null!;
    private JobQueue _queue = null!;
    private DevBroker _broker = null!;

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync();
        _queue = new JobQueue(_test.Database, WorkTopic);
        await _queue.InitializeAsync(autoMigrate: true, None);
        _broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [.. JobTopics.Events.Append(WorkTopic).Select(topic => new DevBrokerTopic(topic, 4))] });
    }

    public async Task DisposeAsync()
    {
        await _broker.DisposeAsync();
        await _test.DisposeAsync();
    }

    [KafkaFact("postgres")]
    public async Task Events_ArriveOnce_InTheOrderOfTheirTenants_AsTheyWereWritten()
    {
        await WorkAsync(200);
        var written = await WrittenAsync();
        await using (NewRelay())
        {
            await SentAsync();
        }

        var read = Read();

        Assert.Equal(written.Keys.Order(StringComparer.Ordinal), read.Select(message => message.Id).Order(StringComparer.Ordinal));
        Assert.All(read, message =>
        {
            Assert.Equal(written[message.Id], JsonSerializer.Serialize(message.Json));
            Assert.Equal(message.Json.Text("subject"), message.Key);
            Assert.Equal(message.Json.Text("type"), message.Topic);
            Assert.Equal("application/cloudevents+json", message.ContentType);
        });
        AssertOrder(read);
    }

    [KafkaFact("postgres")]
    public async Task BrokerThatFails_CostsNoEvent_AndNoOrder()
    {
        var logger = new RecordingLogger();
        await using (NewRelay(logger))
        {
            for (var round = 0; round < 6; round++)
            {
                await WorkAsync(40);
                switch (round)
                {
                    case 1:
                        _broker.SetDown();
                        await Task.Delay(500);
                        break;
                    case 2:
                        // Longer than a message lives: the client gives up, and the rows are sent again.
                        await Eventually.TrueAsync(() => logger.Entries.Any(entry => entry.Event == nameof(Log.RelayFails)), "a failure", Patience);
                        _broker.SetUp();
                        break;
                    case 3:
                        _broker.FailNext(0, (int)ErrorCode.NotLeaderForPartition, 0, (int)ErrorCode.OutOfOrderSequenceNumber);
                        break;
                }
            }

            await SentAsync();
        }

        AssertWhole(Read());
        Assert.Contains(logger.Entries, entry => entry.Event == nameof(Log.RelayRecovered));
    }

    [KafkaFact("postgres")]
    public async Task Flushed_HasSentWhatWaited()
    {
        await using var relay = NewRelay();
        for (var i = 0; i < 5; i++)
        {
            await WorkAsync(20);

            await relay.FlushAsync(Patience);

            Assert.Equal(0, await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" """));
        }
    }

    [KafkaFact("postgres")]
    public async Task RelayThatFallsSilent_IsReplaced_AndWhatItStillDoesDoesNotCount()
    {
        await WorkAsync(50);

        // Its owner holds all shards and does nothing: frozen.
        await new OutboxTable(_test.Database).HoldAsync(Guid.NewGuid(), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(5), 16, None);
        await using var relay = NewRelay();
        await Task.Delay(500);
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.outbox_shard WHERE epoch > 1"));

        await _test.ExecuteAsync("UPDATE amp_jobs.outbox_shard SET lease_until = now() - interval '6 seconds'");
        await SentAsync();

        Assert.Equal(16, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.outbox_shard WHERE epoch = 2"));
        AssertWhole(Read());
    }

    [KafkaFact("postgres")]
    public async Task OwnerOfAnEarlierEpoch_DeletesNothing()
    {
        await WorkAsync(5);
        var outbox = new OutboxTable(_test.Database);
        var old = await outbox.HoldAsync(Guid.NewGuid(), TimeSpan.FromSeconds(10), TimeSpan.Zero, 16, None);
        await using var reader = outbox.NewReader(TimeProvider.System);
        var rows = await reader.ReadAsync(old.Keys, [], 1_000, None);
        await _test.ExecuteAsync("UPDATE amp_jobs.outbox_shard SET lease_until = now() - interval '1 second'");
        var current = await outbox.HoldAsync(Guid.NewGuid(), TimeSpan.FromSeconds(10), TimeSpan.Zero, 16, None);

        await outbox.DeleteAsync(rows, old, None);
        Assert.Equal(rows.Count, await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" """));
        await outbox.DeleteAsync(rows, current, None);
        Assert.Equal(0, await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" """));
    }

    [KafkaFact("postgres")]
    public async Task Relays_ThatComeAndGo_LoseNothing()
    {
        var working = Task.Run(async () =>
        {
            for (var i = 0; i < 10; i++)
            {
                await WorkAsync(20);
            }
        });
        for (var i = 0; i < 4; i++)
        {
            await using var one = NewRelay();
            await using var other = NewRelay();
            await Task.Delay(300);
        }

        await working;
        await using (NewRelay())
        {
            await SentAsync();
        }

        AssertWhole(Read());
    }

    [KafkaFact("postgres")]
    public async Task EventThatNoBrokerTakes_IsParked_AndTheRestGoesOn()
    {
        await WorkAsync(1);
        await _test.ExecuteAsync("""UPDATE amp_jobs."KafkaOutbox" SET event = (event::jsonb || jsonb_build_object('filler', repeat(md5(random()::text), 40000)))::json WHERE tenant_seq = 2""");
        var logger = new RecordingLogger();
        await using (NewRelay(logger))
        {
            await SentAsync();
        }

        Assert.Equal(1, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.outbox_dead"));
        Assert.Single(logger.Entries, entry => entry.Event == nameof(Log.ParkedEvent));
        Assert.Equal(["1", "3"], Read().Select(message => message.Json.Text("tenantseq")).Order(StringComparer.Ordinal));
    }

    [KafkaFact("postgres")]
    public async Task TopicThatIsMissing_IsWaitedFor_AndHoldsUpItsTenantsOnly()
    {
        await _broker.DisposeAsync();
        _broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [.. JobTopics.Events.Append(WorkTopic).Where(topic => topic != JobTopics.Cancelled).Select(topic => new DevBrokerTopic(topic, 4))] });
        var cancelled = (await _queue.SubmitAsync([new JobSubmission(_tenants[0], "job.test", "{}")], None))[0].Id;
        await _queue.CancelAsync([cancelled], "user", "whim", None);
        await _queue.SubmitAsync([new JobSubmission(_tenants[1], "job.test", "{}")], None);
        await using var relay = NewRelay();
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" """) == 1, "all but one", Patience);
        Assert.Contains(JobTopics.Cancelled, relay.LastError, StringComparison.Ordinal);

        _broker.CreateTopic(new DevBrokerTopic(JobTopics.Cancelled, 4));
        await SentAsync();

        AssertWhole(Read());
    }

    private OutboxRelay NewRelay(ILogger? logger = null) => new(
        new OutboxTable(_test.Database), new KafkaEventOptions { Brokers = [_broker.BootstrapServers] }, TimeProvider.System, logger ?? NullLogger.Instance);

    private Task WorkAsync(int jobs) => _queue.WorkAsync(_test, _tenants, jobs);

    private Task SentAsync() => Eventually.TrueAsync(
        async () => await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" """) == 0, "sending the outbox", Patience);

    private async Task<Dictionary<string, string>> WrittenAsync() => (await _test.Database.RunAsync(
        "reading the outbox",
        connection => MetadataDb.Sql.QueryAsync(
            connection, """SELECT event_id, event::text FROM amp_jobs."KafkaOutbox" WHERE tenant_seq IS NOT NULL""", [], r => (r.GetString(0), r.GetString(1)), None), null, None))
        .ToDictionary(row => row.Item1, row => JsonSerializer.Serialize(JsonDocument.Parse(row.Item2).RootElement));

    private List<ToldEvent> Read() => ToldEvent.ReadAll(_broker.BootstrapServers, partitions: 4);

    /// <summary>Each tenant's events are there without gap; what came twice came after a fault.</summary>
    private static void AssertWhole(List<ToldEvent> messages)
    {
        var first = messages.DistinctBy(message => message.Id).ToList();
        foreach (var tenant in first.GroupBy(message => message.Key))
        {
            var numbers = tenant.Select(message => message.Number).Order();
            Assert.Equal(Enumerable.Range(1, tenant.Count()).Select(number => (long)number), numbers);
        }

        AssertOrder(first);
    }

    /// <summary>Within a topic, whose messages of a tenant share a partition, a tenant's events come in their order.</summary>
    private static void AssertOrder(List<ToldEvent> messages)
    {
        foreach (var partition in messages.GroupBy(message => (message.Topic, message.Key)))
        {
            var numbers = partition.Select(message => message.Number).ToList();
            Assert.Equal(numbers.Order(), numbers);
        }
    }
}
