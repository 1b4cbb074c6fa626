using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;
using Amp.Events;
using Amp.MetadataDb;
using Amp.Support;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.BackgroundJobs;

/// <summary>Messages of other services, from a development broker into a real PostgreSQL.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class ControlFeedTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Created = "eventzr.auth.tenant.created.v1";
    private const string Updated = "eventzr.auth.tenant.updated.v1";
    private const string Deleted = "eventzr.auth.tenant.deleted.v1";
    private const string Changed = "eventzr.subscriptions.changed.v1";
    private const string Suspended = "eventzr.wallet.suspended.v1";

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly DateTimeOffset Start = new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Guid _tenant = Guid.NewGuid();
    private OutcomeCounts _counts = null!;
    private TestDatabase _test = null!;
    private MetadataDatabase _database = null!;
    private JobQueue _queue = null!;
    private TenantsTable _tenants = null!;
    private DevBroker _broker = null!;
    private IProducer<string, byte[]> _producer = null!;
    private int _messages;

    public async Task InitializeAsync()
    {
        _counts = OutcomeCounts.Begin();
        _test = await postgres.CreateAsync();
        _queue = new JobQueue(_test.Database, "job-events");
        _tenants = new TenantsTable(_test.Database, "job-events");
        await _queue.InitializeAsync(autoMigrate: true, None);

        // The feed's connections are its own, so that they can be told apart.
        _database = await MetadataDatabase.ConnectAsync($"{_test.Url}{(_test.Url.Contains('?', StringComparison.Ordinal) ? '&' : '?')}application_name=feed", 4, NullLoggerFactory.Instance);
        _broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [.. new[] { Created, Updated, Deleted, Changed }.Select(topic => new DevBrokerTopic(topic, 4))] });
        _producer = new ProducerBuilder<string, byte[]>(new Dictionary<string, string> { ["bootstrap.servers"] = _broker.BootstrapServers }).Build();
    }

    public async Task DisposeAsync()
    {
        await JobInvariants.AssertAsync(_test);
        _counts.Dispose();
        _producer.Dispose();
        await _broker.DisposeAsync();
        await _database.DisposeAsync();
        await _test.DisposeAsync();
    }

    [KafkaFact("postgres")]
    public async Task Messages_DoWhatTheySay_AndATopicThatAppearsLaterIsReadToo()
    {
        await SendAsync(Created, 0, """ "tier":"pro" """);
        await using var feed = NewFeed();
        await _counts.ReachAsync(ControlOutcome.Applied, 1);
        Assert.Equal(("pro", "active"), await TenantAsync());

        await SendAsync(Changed, 1, """ "tier":"free" """);
        await SendAsync(Updated, 1, "[", isWhole: true);
        await _counts.ReachAsync(ControlOutcome.Applied, 2);
        await _counts.ReachAsync(ControlOutcome.Unknown, 1, Updated);
        Assert.Equal(("free", "active"), await TenantAsync());

        _broker.CreateTopic(new DevBrokerTopic(Suspended, 4));
        await SendAsync(Suspended, 0, "");
        await _counts.ReachAsync(ControlOutcome.Applied, 1, Suspended);
        Assert.Equal(("free", "suspended"), await TenantAsync());
        Assert.Equal("TenantSuspended", (await Assert.ThrowsAsync<AmpException>(() => _queue.SubmitAsync([Job()], None))).ErrorCode);

        await SendAsync(Suspended, 1, """ "active":true """);
        await _counts.ReachAsync(ControlOutcome.Applied, 2, Suspended);
        await _queue.SubmitAsync([Job()], None);
        Assert.Null(feed.LastError);
        Assert.Equal(0, await DeadAsync());
    }

    [KafkaFact("postgres")]
    public async Task MessageThatComesTwice_CountsOnce_AlsoAfterARestart_AndWithoutOffsets()
    {
        await SendAsync(Changed, 0, """ "tier":"pro" """, id: "evt-a");
        await SendAsync(Changed, 0, """ "tier":"pro" """, id: "evt-a");
        await SendAsync(Changed, -1, """ "tier":"enterprise" """);
        await using (NewFeed())
        {
            await _counts.ReachAsync(ControlOutcome.Older, 1);
        }

        Assert.Equal((1, 1), (_counts.Of(ControlOutcome.Applied), _counts.Of(ControlOutcome.Seen)));
        await _tenants.SetLimitsAsync(_tenant, "by hand", TenantLimits.Default, None);

        // What was taken was committed: the next one of the group reads only what is new.
        await SendAsync(Changed, 2, """ "limits":{"running":7} """);
        await using (NewFeed())
        {
            await _counts.ReachAsync(ControlOutcome.Applied, 2);
        }

        Assert.Equal(1, _counts.Of(ControlOutcome.Seen));

        // A group that has stored nothing reads it all again.
        await using (NewFeed(group: "another"))
        {
            await _counts.ReachAsync(ControlOutcome.Seen, 5);
        }

        Assert.Equal((2, 1), (_counts.Of(ControlOutcome.Applied), _counts.Of(ControlOutcome.Older)));
        Assert.Equal(("by hand", "active"), await TenantAsync());
        Assert.Equal(3, await InboxAsync());
    }

    [KafkaFact("postgres")]
    public async Task FeedThatEndsBeforeTheCommit_LeavesTheMessageToTheNext()
    {
        await SendAsync(Created, 0, "");
        await using (await LockAsync("amp_jobs.inbox"))
        {
            await using var feed = NewFeed();
            await Eventually.TrueAsync(async () => await WaitingAsync() == 1, "taking the message", Patience);
        }

        Assert.Equal(0, await InboxAsync());
        await using (NewFeed())
        {
            await _counts.ReachAsync(ControlOutcome.Applied, 1);
        }
    }

    [KafkaFact("postgres")]
    public async Task DeletedTenant_IsClosed_AndAllItsJobsAreCancelled_WithTheirEvents()
    {
        await _queue.SubmitAsync([.. Enumerable.Range(0, 1_200).Select(_ => Job())], None);
        var worker = Guid.NewGuid();
        await _test.BeatAsync(worker);
        var running = Assert.Single(await _queue.ClaimAsync(worker, 1));
        var logger = new RecordingLogger();
        await SendAsync(Deleted, 0, "");
        await using (NewFeed(logger))
        {
            await _counts.ReachAsync(ControlOutcome.Applied, 1);
        }

        Assert.Equal(("standard", "closed"), await TenantAsync());
        Assert.Equal(1_199, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'cancelled'"));
        Assert.Equal(1_199, await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" WHERE topic = $1""", JobTopics.Cancelled));
        Assert.Contains(logger.Entries, entry => entry.Event == nameof(Log.CancelledJobsOfTenant) && entry.Message.Contains("1199", StringComparison.Ordinal));
        Assert.Single(await _queue.CompleteAsync(running));
        Assert.Equal("TenantSuspended", (await Assert.ThrowsAsync<AmpException>(() => _queue.SubmitAsync([Job()], None))).ErrorCode);
    }

    [KafkaFact("postgres")]
    public async Task FeedThatEndedBetweenTheCommitAndTheOffset_DoesNothingTwice_AndTheRestIsDone()
    {
        await _queue.SubmitAsync([.. Enumerable.Range(0, 20).Select(_ => Job())], None);
        await SendAsync(Deleted, 0, "", id: "evt-a");
        var message = ControlMessage.Read(Deleted, Encoding.UTF8.GetBytes($$"""{"id":"evt-a","subject":"{{_tenant}}"}"""), Start);
        Assert.Equal(ControlOutcome.Applied, await new InboxTable(_test.Database).TakeAsync(message, None));

        await using (NewFeed())
        {
            await _counts.ReachAsync(ControlOutcome.Seen, 1);
        }

        Assert.Equal(20, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'cancelled'"));
        Assert.Equal(20, await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" WHERE topic = $1""", JobTopics.Cancelled));
    }

    [KafkaFact("postgres")]
    public async Task MessagesThatCannotBeUnderstood_ArePutAside_AndTheNextOneIsTaken()
    {
        string[] bad = ["", "no JSON", "[]", "{}", "\0", """{"id":"x","subject":"acme"}""", $$"""{"id":"x","subject":"{{_tenant}}","data":{"tier":7} }""",
            $$"""{"id":"x","subject":"{{_tenant}}","data":{"limits":{"daily":-1} } }"""];
        foreach (var json in bad)
        {
            await SendAsync(Changed, 0, json, isWhole: true);
        }

        await SendAsync(Changed, 0, """ "tier":"pro" """);
        var logger = new RecordingLogger();
        await using (NewFeed(logger))
        {
            await _counts.ReachAsync(ControlOutcome.Applied, 1);
        }

        Assert.Equal(bad.Length, _counts.Of(ControlOutcome.Malformed));
        Assert.Equal(bad, await _test.Database.RunAsync(
            "reading", c => c.QueryAsync("""SELECT message FROM amp_jobs.inbox_dead WHERE topic = $1 AND error <> '' ORDER BY "offset" """, [Changed], r => Encoding.UTF8.GetString(r.GetFieldValue<byte[]>(0)), None), null, None));
        Assert.Equal(bad.Length, logger.Entries.Count(entry => entry.Event == nameof(Log.ParkedMessage) && entry.Level == LogLevel.Warning));

        await using (NewFeed(group: "another"))
        {
            await _counts.ReachAsync(ControlOutcome.Seen, bad.Length + 1);
        }

        Assert.Equal(bad.Length, await DeadAsync());
        Assert.Equal(1, await InboxAsync());
    }

    [KafkaFact("postgres")]
    public async Task DatabaseThatGoesAway_InTheMiddle_CostsNothing()
    {
        // Its last connection stays; the others end, and no new ones are taken.
        await using var last = await _test.Database.OpenDedicatedAsync("keeping a connection", None);
        var logger = new RecordingLogger();
        await using var feed = NewFeed(logger);
        var tenants = Enumerable.Range(0, 60).Select(_ => Guid.NewGuid()).ToList();
        foreach (var (tenant, i) in tenants.Select((tenant, i) => (tenant, i)))
        {
            await SendAsync(Created, 0, """ "tier":"free" """, tenant);
            await SendAsync(Changed, 1, """ "tier":"pro" """, tenant);
            if (i == 20)
            {
                await _counts.ReachAsync(ControlOutcome.Applied, 10);
                await last.ExecuteAsync("UPDATE pg_database SET datallowconn = FALSE WHERE datname = current_database()", [], None);
                await TerminateAsync(last);
            }
        }

        await Eventually.TrueAsync(() => feed.LastError is not null, "an error", Patience);
        var taken = await last.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.inbox", [], None);
        await last.ExecuteAsync("UPDATE pg_database SET datallowconn = TRUE WHERE datname = current_database()", [], None);
        await Eventually.TrueAsync(async () => await last.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.inbox", [], None) == 120, "taking all messages", Patience);
        for (var i = 0; i < 3; i++)
        {
            await TerminateAsync(last);
        }

        await SendAsync(Changed, 2, """ "tier":"enterprise" """);
        await Eventually.TrueAsync(async () => await InboxAsync() == 121, "taking the last message", Patience);
        await Eventually.TrueAsync(() => feed.LastError is null, "recovery", Patience);

        Assert.InRange(taken, 10, 119);
        Assert.All((await _tenants.ListAsync([], None)).Where(quota => quota.TenantId != _tenant), quota => Assert.Equal("pro", quota.Tier));
        Assert.Contains(logger.Entries, entry => entry.Event == nameof(Log.ControlFails));
        Assert.Contains(logger.Entries, entry => entry.Event == nameof(Log.ControlRecovered));
    }

    [KafkaFact("postgres")]
    public async Task MessagesThatAreReadWhileAnotherOneWaits_AreTakenAfterIt()
    {
        await using var feed = NewFeed();
        await SendAsync(Created, 0, "");
        await _counts.ReachAsync(ControlOutcome.Applied, 1);
        await using (var held = await LockAsync("amp_jobs.inbox"))
        {
            for (var i = 0; i < 20; i++)
            {
                await SendAsync(Changed, i, """ "tier":"pro" """, Guid.NewGuid());
            }

            // A topic appears meanwhile, whose partitions nobody has paused. The feed loses its connection so often that it has read them by then.
            await Eventually.TrueAsync(async () => await WaitingAsync() == 1, "taking the message", Patience);
            _broker.CreateTopic(new DevBrokerTopic(Suspended, 4));
            for (var i = 0; i < 20; i++)
            {
                await SendAsync(Suspended, i, "", Guid.NewGuid());
            }

            for (var i = 0; i < 7; i++)
            {
                await Eventually.TrueAsync(async () => await WaitingAsync() == 1, "trying again", Patience);
                await TerminateAsync(held);
            }
        }

        await _counts.ReachAsync(ControlOutcome.Applied, 41);
        Assert.Equal((41, 0), (await InboxAsync(), _counts.Of(ControlOutcome.Seen)));
    }

    [KafkaFact("postgres")]
    public async Task BrokerThatGoesAway_IsWaitedFor_AndHoldsUpNoEnd()
    {
        // librdkafka alone would wait for the coordinator as long as the session lasts.
        var feed = NewFeed(sessionTimeout: Patience * 2);
        await SendAsync(Created, 0, "");
        await _counts.ReachAsync(ControlOutcome.Applied, 1);
        _broker.SetDown();
        var sending = SendAsync(Changed, 1, """ "tier":"pro" """);
        _broker.SetUp();
        await sending;
        await _counts.ReachAsync(ControlOutcome.Applied, 2);

        _broker.SetDown();
        await feed.DisposeAsync().AsTask().WaitAsync(Patience);
    }

    [KafkaFact("postgres")]
    public async Task FeedThatWaitsForItsDatabase_StaysAMember_AndHoldsUpNoRebalance()
    {
        await using var other = await postgres.CreateAsync();
        await new JobQueue(other.Database, "job-events").InitializeAsync(autoMigrate: true, None);
        await using var feed = NewFeed();
        await SendAsync(Created, 0, "");
        await _counts.ReachAsync(ControlOutcome.Applied, 1);
        await using (await LockAsync("amp_jobs.inbox"))
        {
            await SendAsync(Created, 0, "");
            await Eventually.TrueAsync(async () => await WaitingAsync() == 1, "taking the message", Patience);

            // One whose database is there takes a share of the partitions, and so some of the messages.
            await using var second = NewFeed(database: other.Database);
            await Eventually.TrueAsync(
                async () =>
                {
                    await SendAsync(Changed, 0, """ "tier":"pro" """, Guid.NewGuid());
                    return await other.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.inbox") > 0;
                },
                "a share for the second feed", Patience);
            Assert.Equal(1, await WaitingAsync());
        }

        await Eventually.TrueAsync(
            async () => await InboxAsync() + await other.ScalarAsync<long>("SELECT count(DISTINCT event_id) FROM amp_jobs.inbox") >= _messages, "taking all messages", Patience);
    }

    private JobSubmission Job() => new(_tenant, "job.test", "{}");

    private ControlFeed NewFeed(ILogger? logger = null, string group = ControlFeed.DefaultGroup, MetadataDatabase? database = null, TimeSpan? sessionTimeout = null) => new(
        new InboxTable(database ?? _database), new JobQueue(database ?? _database, "job-events"), new KafkaEventOptions { Brokers = [_broker.BootstrapServers] }, TimeProvider.System,
        logger ?? NullLogger.Instance, group, topicRefresh: TimeSpan.FromMilliseconds(200), sessionTimeout: sessionTimeout ?? TimeSpan.FromSeconds(6));

    /// <summary>Sends a message about a tenant, or one that is whole already; those of a tenant share a partition.</summary>
    private async Task SendAsync(string topic, int seconds, string data, Guid? tenant = null, string? id = null, bool isWhole = false)
    {
        var subject = tenant ?? _tenant;
        var json = isWhole ? data : $$"""
            {"specversion":"1.0","type":"{{topic}}","source":"test","id":"{{id ?? $"evt-{++_messages}"}}","time":"{{Start.AddSeconds(seconds):O}}","subject":"{{subject}}","data":{ {{data}} } }
            """;
        await _producer.ProduceAsync(topic, new Message<string, byte[]> { Key = subject.ToString(), Value = Encoding.UTF8.GetBytes(json) });
    }

    private async Task<(string Tier, string Status)> TenantAsync()
    {
        var quota = Assert.Single(await _tenants.ListAsync([], None), quota => quota.TenantId == _tenant);
        return (quota.Tier, quota.Status);
    }

    private Task<long> InboxAsync() => _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.inbox");

    private Task<long> DeadAsync() => _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.inbox_dead");

    /// <summary>How many statements of the feed wait for a lock.</summary>
    private Task<long> WaitingAsync() => _test.ScalarAsync<long>(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'feed' AND wait_event_type = 'Lock'");

    private static Task<int> TerminateAsync(Npgsql.NpgsqlConnection connection) => connection.ExecuteAsync(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'feed'", [], None);

    /// <summary>Lets nobody write a table until the result is disposed.</summary>
    private async Task<Npgsql.NpgsqlConnection> LockAsync(string table)
    {
        var connection = await _test.Database.OpenDedicatedAsync("locking", None);
        await connection.ExecuteAsync("BEGIN", [], None);
        await connection.ExecuteAsync($"LOCK TABLE {table} IN SHARE MODE", [], None);
        return connection;
    }

    /// <summary>Adds up what the meter tells.</summary>
    private sealed class OutcomeCounts : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly ConcurrentDictionary<(string Topic, string Outcome), long> _totals = [];

        private OutcomeCounts()
        {
            _listener.InstrumentPublished = (published, listener) =>
            {
                if (published.Meter.Name == "Amp.BackgroundJobs" && published.Name == "amp.background_jobs.control.consumed")
                {
                    listener.EnableMeasurementEvents(published);
                }
            };
            _listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
                _totals.AddOrUpdate(((string)tags[0].Value!, (string)tags[1].Value!), value, (_, total) => total + value));
            _listener.Start();
        }

        public static OutcomeCounts Begin() => new();

        public long Of(ControlOutcome outcome, string? topic = null) =>
            _totals.Where(total => total.Key.Outcome == outcome.ToString() && (topic is null || total.Key.Topic == topic)).Sum(total => total.Value);

        public Task ReachAsync(ControlOutcome outcome, int count, string? topic = null) =>
            Eventually.TrueAsync(() => Of(outcome, topic) >= count, $"{count} messages {outcome}", Patience);

        public void Dispose() => _listener.Dispose();
    }
}
