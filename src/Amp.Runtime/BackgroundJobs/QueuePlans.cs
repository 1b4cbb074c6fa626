using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>Statements over long queues, which are to use their indexes.</summary>
internal static class QueuePlans
{
    /// <summary>
    /// Leaves the planner nothing but index scans and nested loops over them, until the end of the transaction. Statistics of a queue are wrong
    /// most of the time: the table is empty when they are taken and full when it matters, or the other way round; a plan that reads or sorts it
    /// all takes thousands of times as long. Rows that are known by their ids are best found by a join with <c>unnest</c>: of <c>id = ANY</c> the
    /// planner may still make a filter over a whole index. An index scan also marks the dead entries that it passes, so that the next one skips
    /// them.
    /// </summary>
    private const string ForceIndex =
        """
        SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('enable_hashjoin', 'off', true),
            set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true)
        """;

    /// <summary>Runs a query by indexes, in a transaction of its own.</summary>
    public static Task<List<T>> QueryByIndexAsync<T>(
        this MetadataDatabase database, string action, string sql, object?[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken) =>
        database.RunInTransactionAsync(action, connection => connection.QueryByIndexAsync(sql, parameters, map, cancellationToken), null, cancellationToken);

    /// <summary>Runs a query by indexes, as do then all others of its transaction.</summary>
    public static async Task<List<T>> QueryByIndexAsync<T>(
        this NpgsqlConnection connection, string sql, object?[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken cancellationToken)
    {
        await using var batch = connection.BatchByIndex();
        batch.Add(sql, parameters);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(map(reader));
        }

        return rows;
    }

    /// <summary>Statements by indexes, in one round trip.</summary>
    public static NpgsqlBatch BatchByIndex(this NpgsqlConnection connection)
    {
        var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand(ForceIndex));
        return batch;
    }

    /// <summary>Adds a statement with positional parameters.</summary>
    public static void Add(this NpgsqlBatch batch, string sql, params object?[] parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in parameters)
        {
            command.Parameters.Add(value as NpgsqlParameter ?? new NpgsqlParameter { Value = value ?? DBNull.Value });
        }

        batch.BatchCommands.Add(command);
    }
}
