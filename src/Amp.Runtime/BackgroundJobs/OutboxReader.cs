using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>
/// Reads what waits in the outbox. It has a connection of its own, which lives as long as what it knows of numbers is true: a server that
/// crashed, or another one in its place, may draw the same numbers again.
/// </summary>
internal sealed class OutboxReader(MetadataDatabase database, TimeProvider time) : IAsyncDisposable
{
    /// <summary>How often to find out what need not be read again.</summary>
    private static readonly TimeSpan FloorPause = TimeSpan.FromMilliseconds(100);

    /// <summary>How often to read everything all the same, so that nobody waits for ever, whatever was done to the numbers.</summary>
    private static readonly TimeSpan WholePause = TimeSpan.FromSeconds(30);

    /// <summary>At most such a part of the time is for reading everything, which takes long while a transaction keeps deleted rows.</summary>
    private const int WholeShare = 20;

    private readonly OutboxFloors _floors = new();
    private NpgsqlConnection? _connection;
    private long _flooredAt;
    private long _wholeAt;
    private TimeSpan _wholePause;

    /// <summary>The oldest events of each shard, in the order in which they are to be sent, tenants left out.</summary>
    /// <exception cref="AmpException">Errors of the database; the next reading begins anew.</exception>
    public async Task<List<OutboxRow>> ReadAsync(
        IReadOnlyCollection<short> shards, IReadOnlyCollection<Guid> withoutTenants, int mostOfAShard, CancellationToken cancellationToken)
    {
        try
        {
            var connection = _connection ??= await database.OpenDedicatedAsync("reading the outbox", cancellationToken);
            if (time.GetElapsedTime(_flooredAt) >= FloorPause)
            {
                _flooredAt = time.GetTimestamp();
                _floors.See(await WritersAsync(connection, cancellationToken));
            }

            var began = time.GetTimestamp();
            var isWhole = time.GetElapsedTime(_wholeAt, began) >= _wholePause;
            if (isWhole)
            {
                _floors.Forget();
            }

            var rows = await ReadAsync(connection, shards, withoutTenants, mostOfAShard, cancellationToken);
            if (withoutTenants.Count == 0)
            {
                _floors.Raise(shards, rows);
            }

            if (isWhole)
            {
                _wholeAt = time.GetTimestamp();
                var pause = time.GetElapsedTime(began, _wholeAt) * WholeShare;
                _wholePause = pause > WholePause ? pause : WholePause;
            }

            return rows;
        }
        catch (Exception e)
        {
            await DisposeAsync();
            if (DatabaseErrors.IsDatabase(e))
            {
                throw database.Translate(e, "reading the outbox");
            }

            throw;
        }
    }

    /// <summary>Ends its connection, and forgets what it knew.</summary>
    public async ValueTask DisposeAsync()
    {
        _floors.Reset();
        if (_connection is { } connection)
        {
            _connection = null;
            await connection.DisposeAsync();
        }
    }

    /// <summary>Who writes to the outbox now.</summary>
    private static async Task<OutboxWriters> WritersAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // Whoever draws a number has the table's lock before, and keeps it until its rows can be seen: so the number is read first. A transaction
        // keeps its name when it is prepared.
        var last = await connection.ScalarAsync<long>(
            """SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM amp_jobs."KafkaOutbox_id_seq" """, [], cancellationToken);
        var transactions = await connection.QueryAsync(
            """
            SELECT virtualtransaction FROM pg_locks WHERE relation = 'amp_jobs."KafkaOutbox"'::regclass AND mode = 'RowExclusiveLock'
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
            [], r => r.GetString(0), cancellationToken);
        return new OutboxWriters(last, transactions.ToHashSet(StringComparer.Ordinal));
    }

    private async Task<List<OutboxRow>> ReadAsync(
        NpgsqlConnection connection, IReadOnlyCollection<short> shards, IReadOnlyCollection<Guid> withoutTenants, int mostOfAShard, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var rows = await connection.QueryByIndexAsync(
            """
            SELECT o.* FROM unnest($1::smallint[], $4::bigint[]) AS s(held, floor) CROSS JOIN LATERAL (
                SELECT id, shard, topic, tenant_id, key, event_id, event::text, tenant_seq IS NOT NULL FROM amp_jobs."KafkaOutbox"
                WHERE shard = s.held AND id > s.floor AND tenant_id <> ALL($2) ORDER BY id LIMIT $3) o
            """,
            [shards.ToArray(), withoutTenants.ToArray(), mostOfAShard, shards.Select(shard => _floors[shard]).ToArray()],
            r => new OutboxRow(r.GetInt64(0), r.GetInt16(1), r.GetString(2), r.GetGuid(3), r.TextOrNull(4), r.GetString(5), r.GetString(6), r.GetBoolean(7)), cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return rows;
    }
}
