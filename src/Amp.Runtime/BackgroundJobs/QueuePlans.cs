using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>Runs queries that take the first few of a long queue, by its index.</summary>
internal static class QueuePlans
{
    /// <summary>
    /// Runs a query in a transaction in which the planner has nothing but index scans. Statistics of a queue are wrong most of the time:
    /// the table is empty when they are taken and full when it matters, or the other way round; a plan that reads or sorts it all takes
    /// thousands of times as long. An index scan also marks the dead entries that it passes, so that the next one skips them.
    /// </summary>
    public static Task<List<T>> QueryByIndexAsync<T>(
        this MetadataDatabase database, string action, string sql, object?[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken) =>
        database.RunInTransactionAsync(
            action,
            async connection =>
            {
                await connection.ForceIndexAsync(cancellationToken);
                return await connection.QueryAsync(sql, parameters, map, cancellationToken);
            },
            null, cancellationToken);

    /// <summary>
    /// Leaves the planner nothing but index scans and nested loops over them, until the end of the transaction. Rows that are known by their
    /// ids are then best found by a join with <c>unnest</c>: of <c>id = ANY</c> the planner may still make a filter over a whole index.
    /// </summary>
    public static Task ForceIndexAsync(this NpgsqlConnection connection, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off",
            [], cancellationToken);
}
