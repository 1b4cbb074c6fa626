using Amp.MetadataDb;
using Npgsql;

namespace Amp.Workers;

/// <summary>The advisory lock on a worker's name; it lasts as long as the connection that took it.</summary>
internal static class NodeLock
{
    /// <summary>Takes the lock; false when another session has it.</summary>
    public static bool TryTake(NpgsqlConnection connection, string nodeId)
    {
        using var command = connection.Command("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", nodeId);
        return command.ExecuteScalar() is true;
    }

    public static AmpException InUse(string nodeId) =>
        new("NodeIdInUse", AmpErrorKind.Conflict, $"A worker named {nodeId} is already running on this database.")
        {
            Target = nodeId,
            RecommendedAction = "Choose another -NodeId, or stop that worker.",
        };
}
