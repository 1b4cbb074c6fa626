using Amp.MetadataDb;
using Amp.Support;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>What a relay need not read again, on a real outbox with transactions that end in another order than they drew numbers.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class OutboxReaderTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Insert =
        """INSERT INTO amp_jobs."KafkaOutbox" (shard, topic, tenant_id, tenant_seq, event_id, event) VALUES (0, 'topic', $1, $2, gen_random_uuid(), '{}')""";

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly Guid Early = Guid.NewGuid();
    private static readonly Guid Other = Guid.NewGuid();

    private readonly ManualTimeProvider _time = new();
    private readonly Guid _owner = Guid.NewGuid();
    private TestDatabase _test = null!;
    private OutboxTable _outbox = null!;
    private OutboxReader _reader = null!;

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync();
        await new JobQueue(_test.Database, JobTopics.Work).InitializeAsync(autoMigrate: true, None);
        _outbox = new OutboxTable(_test.Database);
        _reader = _outbox.NewReader(_time);
    }

    public async Task DisposeAsync()
    {
        await _reader.DisposeAsync();
        await _test.DisposeAsync();
    }

    [ToolFact("postgres")]
    public async Task FirstEventOfAll_IsRead()
    {
        await PassAsync(3);

        await WriteAsync(Other, 1);

        Assert.Equal([1], await ReadAsync());
    }

    [ToolFact("postgres")]
    public async Task WhatWasSent_IsNotPassedAgain()
    {
        await WriteAsync(Other, 1);
        await SendAsync();
        await WriteAsync(Other, 2);
        await PassAsync(3);

        // Nobody draws such a number any more; it stands for the rows that are deleted and still there.
        await WriteAgainAsync(1);

        Assert.Equal([2], await ReadAsync());
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal([1, 2], await ReadAsync());
    }

    [ToolFact("postgres")]
    public async Task EventsThatCommitLate_AreRead_InTheirOrder()
    {
        await using var late = await _test.Database.OpenDedicatedAsync("writing late", None);
        await using (var transaction = await late.BeginTransactionAsync())
        {
            await WriteAsync(late, Early, 1);
            await WriteAsync(late, Early, 2);
            for (var n = 1; n <= 5; n++)
            {
                // Later numbers come and go meanwhile.
                await WriteAsync(Other, n);
                await SendAsync();
            }

            await PassAsync(3);
            await transaction.CommitAsync();
        }

        await WriteAsync(Early, 3);

        Assert.Equal([1, 2, 3], await ReadAsync());
    }

    [ToolFact("postgres")]
    public async Task EventOfAPreparedTransaction_IsRead()
    {
        await using var late = await _test.Database.OpenDedicatedAsync("writing late", None);
        await late.ExecuteAsync("BEGIN", [], None);
        await WriteAsync(late, Early, 1);
        await PassAsync(1);
        await late.ExecuteAsync("PREPARE TRANSACTION 'late'", [], None);
        await WriteAsync(Other, 2);
        await SendAsync();
        await PassAsync(3);

        await late.ExecuteAsync("COMMIT PREPARED 'late'", [], None);

        Assert.Equal([1], await ReadAsync());
    }

    [ToolFact("postgres")]
    public async Task WriterThatIsAlwaysThere_DoesNotKeepFloorsDown()
    {
        for (var n = 1; n <= 5; n++)
        {
            await using var connection = await _test.Database.OpenDedicatedAsync("writing", None);
            await using var transaction = await connection.BeginTransactionAsync();
            await WriteAsync(connection, Other, n);
            await SendAsync();
            await transaction.CommitAsync();
        }

        // The last is not sent, and the one before it was still there in the last reading.
        await WriteAgainAsync(3);
        Assert.Equal([5], await ReadAsync());
    }

    [ToolFact("postgres")]
    public async Task NumbersThatAreDrawnAgain_AfterTheServerEndedItsSession_AreRead()
    {
        await WriteAsync(Other, 1);
        await SendAsync();
        await PassAsync(3);

        // As a server that crashed, or another one in its place.
        await _test.ExecuteAsync("""ALTER TABLE amp_jobs."KafkaOutbox" ALTER id RESTART""");
        await _test.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
        await WriteAsync(Other, 2);

        await Assert.ThrowsAsync<AmpException>(() => PassAsync());
        Assert.Equal([2], await ReadAsync());
    }

    private Task<int> WriteAsync(Guid tenant, long number) => _test.ExecuteAsync(Insert, tenant, number);

    private static Task<int> WriteAsync(NpgsqlConnection connection, Guid tenant, long number) => connection.ExecuteAsync(Insert, [tenant, number], None);

    /// <summary>Writes the event of a number that is over.</summary>
    private Task<int> WriteAgainAsync(long number) => _test.ExecuteAsync(
        """INSERT INTO amp_jobs."KafkaOutbox" (id, shard, topic, tenant_id, tenant_seq, event_id, event) OVERRIDING SYSTEM VALUE VALUES ($2, 0, 'topic', $1, $2, 'again' || $2, '{}')""", Other, number);

    /// <summary>Numbers of the events that a relay would send now, within their tenants.</summary>
    private async Task<IEnumerable<long>> ReadAsync()
    {
        var numbers = new List<long>();
        foreach (var row in await PassAsync())
        {
            numbers.Add(await _test.ScalarAsync<long>("""SELECT tenant_seq FROM amp_jobs."KafkaOutbox" WHERE id = $1 AND event_id = $2""", row.Id, row.EventId));
        }

        return numbers;
    }

    private Task<List<OutboxRow>> PassAsync()
    {
        _time.Advance(TimeSpan.FromMilliseconds(100));
        return _reader.ReadAsync([0], [], 100, None);
    }

    private async Task PassAsync(int times)
    {
        for (var i = 0; i < times; i++)
        {
            await PassAsync();
        }
    }

    private async Task SendAsync() => await _outbox.DeleteAsync(
        await PassAsync(), await _outbox.HoldAsync(_owner, TimeSpan.FromMinutes(1), TimeSpan.Zero, 16, None), None);
}
