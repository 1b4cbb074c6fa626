using Amp.Events;
using Amp.MetadataDb;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>
/// A relay in a process of its own that is killed at a named point, where a gate before the broker or a lock in the database holds it. Another
/// goes on, and all topics are read.
/// </summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class RelayFaultTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int Partitions = 4;
    private const string Outbox = "amp_jobs.\"KafkaOutbox\"";

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    // Few, so that each has more than a batch.
    private readonly Guid[] _tenants = [.. Enumerable.Range(0, 3).Select(_ => Guid.NewGuid())];
    private TestDatabase _test = null!;
    private JobQueue _queue = null!;
    private DevBroker _broker = null!;

    /// <summary>Where a relay is killed.</summary>
    public enum Point
    {
        /// <summary>It has read rows, and sent nothing.</summary>
        Read,

        /// <summary>The broker has acknowledged some of a batch.</summary>
        PartlySent,

        /// <summary>The broker has messages, which it has not acknowledged.</summary>
        Unacknowledged,

        /// <summary>The broker has acknowledged a batch, whose rows are still there.</summary>
        Acknowledged,

        /// <summary>The commit of the deletion is on its way.</summary>
        Committing,

        /// <summary>The rows of a batch are deleted, and the next was not read.</summary>
        Deleted,
    }

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync();
        _queue = new JobQueue(_test.Database, JobTopics.Work);
        await _queue.InitializeAsync(autoMigrate: true, None);
        _broker = await JobBroker.StartAsync(Partitions);
    }

    public async Task DisposeAsync()
    {
        await _broker.DisposeAsync();
        await _test.DisposeAsync();
    }

    [KafkaTheory("postgres")]
    [InlineData(Point.Read)]
    [InlineData(Point.PartlySent)]
    [InlineData(Point.Unacknowledged)]
    [InlineData(Point.Acknowledged)]
    [InlineData(Point.Committing)]
    [InlineData(Point.Deleted)]
    public async Task RelayThatIsKilled_IsReplaced_AndWhatWasNotDeletedIsSentAgain(Point point)
    {
        await _queue.WorkAsync(_test, _tenants, 300);
        var rows = await CountAsync();
        await using var gate = new KafkaGate(_broker);
        await using var hold = await _test.Database.OpenDedicatedAsync("holding a relay", None);
        await PrepareAsync(point, gate, hold);
        using var killed = HelperProcess.Start("job-relay", _test.Url, gate.BootstrapServers);
        await killed.ReadyAsync();
        await using var holds = await ReachAsync(point, gate, hold);

        // Another waits for the shards already.
        await using var other = new OutboxRelay(
            new OutboxTable(_test.Database), new KafkaEventOptions { Brokers = [gate.BootstrapServers] }, TimeProvider.System, NullLogger.Instance);
        await killed.KillAsync();
        await holds.DisposeAsync();
        gate.Open();
        if (point is Point.Committing)
        {
            // The server does not know that its client is gone.
            await Eventually.TrueAsync(async () => await CountAsync() < rows, "the dead relay's commit", Patience);
        }

        var (left, before) = (await CountAsync(), Read());
        await _test.ExecuteAsync("UPDATE amp_jobs.outbox_shard SET lease_until = now() - interval '6 seconds'");
        await Eventually.TrueAsync(async () => await CountAsync() == 0, "sending the outbox", Patience);

        var read = Read();
        var isDeleted = point is Point.Committing or Point.Deleted;
        Assert.Equal(isDeleted, left < rows);
        Assert.Equal(point is not Point.Read, before.Count > 0);
        Assert.Equal(isDeleted ? 0 : before.Count, read.Count - read.DistinctBy(told => told.Id).Count());
        ToldEvent.AssertRepeats(read, faults: 1);
        await JobInvariants.AssertAsync(_test, read);
        Assert.Equal(rows - 300, read.DistinctBy(told => told.Id).Count());
    }

    /// <summary>Makes sure that a relay can come to a point, and no farther.</summary>
    private async Task PrepareAsync(Point point, KafkaGate gate, NpgsqlConnection hold)
    {
        switch (point)
        {
            case Point.Read:
                gate.Pass(0);
                break;
            case Point.PartlySent:
                // More than those of the work topic, which is none of events.
                gate.Pass(Partitions + 1);
                break;
            case Point.Unacknowledged:
                gate.KeepsReceipts = true;
                break;
            case Point.Committing:
                await _test.ExecuteAsync(
                    """
                    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
                    CREATE CONSTRAINT TRIGGER hold AFTER DELETE ON amp_jobs."KafkaOutbox" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()
                    """);
                await hold.ExecuteAsync("SELECT pg_advisory_lock(1)", [], None);
                break;
            default:
                await hold.ExecuteAsync("BEGIN", [], None);
                await hold.ExecuteAsync($"LOCK TABLE {Outbox} IN SHARE MODE", [], None);
                break;
        }
    }

    /// <summary>Waits until the relay is there, and gives what holds it now.</summary>
    private async Task<NpgsqlConnection> ReachAsync(Point point, KafkaGate gate, NpgsqlConnection hold)
    {
        switch (point)
        {
            case Point.Read:
                await Eventually.TrueAsync(() => gate.Kept > 0, "a batch that is kept back", Patience);
                break;
            case Point.PartlySent:
                await Eventually.TrueAsync(() => gate.Kept > 0 && Read().Count > 0, "some batches that arrive and one that is kept back", Patience);
                break;
            case Point.Unacknowledged:
                await Eventually.TrueAsync(() => Read().Count > 0, "messages", Patience);
                break;
            case Point.Committing:
                await WaitsAsync("wait_event = 'advisory' AND query = 'COMMIT'");
                break;
            default:
                await WaitsAsync($"query LIKE '%DELETE FROM {Outbox}%'");
                break;
        }

        if (point is not Point.Deleted)
        {
            return hold;
        }

        // In the queue behind the deletion, and before what comes next.
        var next = await _test.Database.OpenDedicatedAsync("holding a relay", None);
        await next.ExecuteAsync("BEGIN", [], None);
        var locked = next.ExecuteAsync($"LOCK TABLE {Outbox} IN ACCESS EXCLUSIVE MODE", [], None);
        await WaitsAsync("query LIKE 'LOCK TABLE%EXCLUSIVE%'");
        await hold.ExecuteAsync("COMMIT", [], None);
        await locked;
        return next;
    }

    private Task WaitsAsync(string condition) => Eventually.TrueAsync(
        async () => await _test.ScalarAsync<bool>($"SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND {condition})"),
        condition, Patience);

    private Task<long> CountAsync() => _test.ScalarAsync<long>($"SELECT count(*) FROM {Outbox}");

    private List<ToldEvent> Read() => ToldEvent.ReadAll(_broker.BootstrapServers, Partitions);
}
