using Amp.MetadataDb;

namespace Amp.BackgroundJobs;

/// <summary>An event, or a message to workers, that waits to be sent.</summary>
internal sealed record OutboxRow(long Id, short Shard, string Topic, Guid TenantId, string? OwnKey, string EventId, string Event, bool IsEvent)
{
    /// <summary>The key of its message.</summary>
    public string Key => OwnKey ?? TenantId.ToString();
}

/// <summary>The outbox and who sends it.</summary>
internal sealed class OutboxTable(MetadataDatabase database)
{
    /// <summary>Takes shards that nobody sends, or has not for <paramref name="quiet"/>, and renews those that are the owner's.</summary>
    /// <param name="owner">Who sends.</param>
    /// <param name="lease">How long without a renewal.</param>
    /// <param name="quiet">How long after the end of a lease its owner's last messages may still arrive.</param>
    /// <param name="most">At most so many in all.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The epochs of the shards that are the owner's now.</returns>
    public Task<Dictionary<short, long>> HoldAsync(Guid owner, TimeSpan lease, TimeSpan quiet, int most, CancellationToken cancellationToken) =>
        database.RunInTransactionAsync(
            "holding outbox shards",
            async connection =>
            {
                var held = await connection.QueryAsync(
                    "UPDATE amp_jobs.outbox_shard SET lease_until = now() + $2 WHERE owner = $1 AND lease_until >= now() RETURNING shard, epoch",
                    [owner, lease], r => (Shard: r.GetInt16(0), Epoch: r.GetInt64(1)), cancellationToken);
                held.AddRange(await connection.QueryAsync(
                    """
                    UPDATE amp_jobs.outbox_shard s SET owner = $1, epoch = epoch + 1, lease_until = now() + $2
                    WHERE shard IN (SELECT shard FROM amp_jobs.outbox_shard WHERE owner IS NULL OR lease_until + $3 < now() ORDER BY shard LIMIT $4 FOR UPDATE SKIP LOCKED)
                    RETURNING shard, epoch
                    """,
                    [owner, lease, quiet, Math.Max(0, most - held.Count)], r => (Shard: r.GetInt16(0), Epoch: r.GetInt64(1)), cancellationToken));
                return held.ToDictionary(shard => shard.Shard, shard => shard.Epoch);
            },
            null, cancellationToken);

    /// <summary>Gives all shards back; another takes them at once.</summary>
    public Task ReleaseAsync(Guid owner, CancellationToken cancellationToken) => database.RunAsync(
        "releasing outbox shards",
        connection => connection.ExecuteAsync("UPDATE amp_jobs.outbox_shard SET owner = NULL, lease_until = '-infinity' WHERE owner = $1", [owner], cancellationToken),
        null, cancellationToken);

    /// <summary>Who writes to the outbox at the moment.</summary>
    public Task<OutboxWriters> WritersAsync(CancellationToken cancellationToken) => database.RunAsync(
        "looking who writes to the outbox",
        async connection =>
        {
            // Whoever draws a number has the table's lock before, and keeps it until its rows can be seen: so the number is read first.
            var last = await connection.ScalarAsync<long>(
                """SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM amp_jobs."KafkaOutbox_id_seq" """, [], cancellationToken);
            var transactions = await connection.QueryAsync(
                """
                SELECT virtualtransaction FROM pg_locks WHERE relation = 'amp_jobs."KafkaOutbox"'::regclass AND mode = 'RowExclusiveLock'
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """,
                [], r => r.GetString(0), cancellationToken);
            return new OutboxWriters(last, transactions.ToHashSet(StringComparer.Ordinal));
        },
        null, cancellationToken);

    /// <summary>The oldest events of each shard after its floor, in the order in which they are to be sent, tenants left out.</summary>
    public Task<List<OutboxRow>> ReadAsync(
        IReadOnlyCollection<short> shards, OutboxFloors floors, IEnumerable<Guid> withoutTenants, int mostOfAShard, CancellationToken cancellationToken) =>
        database.QueryByIndexAsync(
            "reading the outbox",
            """
            SELECT o.* FROM unnest($1::smallint[], $4::bigint[]) AS s(held, floor) CROSS JOIN LATERAL (
                SELECT id, shard, topic, tenant_id, key, event_id, event::text, tenant_seq IS NOT NULL FROM amp_jobs."KafkaOutbox"
                WHERE shard = s.held AND id > s.floor AND tenant_id <> ALL($2) ORDER BY id LIMIT $3) o
            """,
            [shards.ToArray(), withoutTenants.ToArray(), mostOfAShard, shards.Select(shard => floors[shard]).ToArray()],
            r => new OutboxRow(r.GetInt64(0), r.GetInt16(1), r.GetString(2), r.GetGuid(3), r.TextOrNull(4), r.GetString(5), r.GetString(6), r.GetBoolean(7)), cancellationToken);

    /// <summary>Deletes events that were sent, as far as their shards are still held in these epochs.</summary>
    public Task DeleteAsync(IReadOnlyCollection<OutboxRow> rows, IReadOnlyDictionary<short, long> epochs, CancellationToken cancellationToken) => database.RunInTransactionAsync(
        "deleting sent events",
        async connection =>
        {
            await using var batch = connection.BatchByIndex();
            foreach (var shard in rows.GroupBy(row => row.Shard))
            {
                batch.Add(
                    """
                    DELETE FROM amp_jobs."KafkaOutbox" USING unnest($2::bigint[]) sent WHERE shard = $1 AND id = sent
                      AND EXISTS (SELECT 1 FROM amp_jobs.outbox_shard WHERE shard = $1 AND epoch = $3)
                    """,
                    shard.Key, shard.Select(row => row.Id).ToArray(), epochs[shard.Key]);
            }

            return rows.Count == 0 ? 0 : await batch.ExecuteNonQueryAsync(cancellationToken);
        },
        null, cancellationToken);

    /// <summary>Puts an event that no broker can take aside.</summary>
    public Task ParkAsync(OutboxRow row, string error, CancellationToken cancellationToken) => database.RunAsync(
        "parking an event",
        connection => connection.ExecuteAsync(
            """
            WITH gone AS (DELETE FROM amp_jobs."KafkaOutbox" WHERE shard = $3 AND id = $1 RETURNING *)
            INSERT INTO amp_jobs.outbox_dead (id, topic, tenant_id, tenant_seq, event_id, event, error, created_at)
            SELECT id, topic, tenant_id, tenant_seq, event_id, event, $2, created_at FROM gone
            """, [row.Id, error, row.Shard], cancellationToken),
        null, cancellationToken);
}
