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

    /// <summary>A reader of what waits; the caller disposes it.</summary>
    public OutboxReader NewReader(TimeProvider time) => new(database, time);

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
