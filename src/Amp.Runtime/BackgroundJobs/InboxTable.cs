using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>What is consumed of other services. A message and what it changes commit together, so it counts once however often it comes.</summary>
internal sealed class InboxTable(MetadataDatabase database)
{
    /// <summary>Takes a message, once. A tenant that nobody has seen is made.</summary>
    /// <returns>What became of it; never unknown or malformed.</returns>
    public Task<ControlOutcome> TakeAsync(ControlMessage message, CancellationToken cancellationToken) => database.RunInTransactionAsync(
        "taking a message of another service",
        async connection =>
        {
            var isNew = await connection.ExecuteAsync(
                "INSERT INTO amp_jobs.inbox (source, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", [message.Topic, message.EventId], cancellationToken) == 1;
            return !isNew ? ControlOutcome.Seen
                : await ApplyAsync(connection, message, cancellationToken) == 1 ? ControlOutcome.Applied
                : ControlOutcome.Older;
        },
        null, cancellationToken);

    /// <summary>Puts a message that cannot be understood aside; false when it is there already.</summary>
    public async Task<bool> ParkAsync(string topic, int partition, long offset, byte[] message, string error, CancellationToken cancellationToken) => await database.RunAsync(
        "parking a message",
        connection => connection.ExecuteAsync(
            """INSERT INTO amp_jobs.inbox_dead (topic, partition, "offset", message, error) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING""",
            [topic, partition, offset, message, error], cancellationToken),
        null, cancellationToken) == 1;

    private static async Task<int> ApplyAsync(NpgsqlConnection connection, ControlMessage message, CancellationToken cancellationToken)
    {
        await TenantsTable.AddAsync(connection, [message.TenantId], cancellationToken);
        return message.Kind switch
        {
            ControlKind.Created => await TenantsTable.BeginLimitsAsync(connection, message, cancellationToken),
            ControlKind.Deleted => await TenantsTable.SetStatusAsync(connection, message.TenantId, "closed", cancellationToken),
            ControlKind.LimitsChanged => await TenantsTable.SetLimitsAsync(connection, message, cancellationToken),
            ControlKind.Resumed => await TenantsTable.SetStatusAsync(connection, message, "active", cancellationToken),
            _ => await TenantsTable.SetStatusAsync(connection, message, "suspended", cancellationToken),
        };
    }
}
