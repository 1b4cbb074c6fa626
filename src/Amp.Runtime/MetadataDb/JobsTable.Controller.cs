using Npgsql;

namespace Amp.MetadataDb;

/// <summary>A job and the worker it is assigned to.</summary>
/// <param name="JobId">The job.</param>
/// <param name="NodeId">Its worker.</param>
/// <param name="IsStopping">Whether it is to be stopped.</param>
internal readonly record struct PlacedJob(long JobId, string NodeId, bool IsStopping);

/// <summary>What a leading controller reads and writes. Times are the database's.</summary>
public sealed partial class JobsTable
{
    /// <summary>A query of one row if job $1 is still worker $2's, which has been silent for longer than $3; the job stays locked.</summary>
    private const string Abandoned =
        """
        SELECT s.job_id FROM jobs_status s JOIN workers w ON w.node_id = s.node_id
        WHERE s.job_id = $1 AND s.node_id = $2 AND s.status = ANY($4) AND w.heartbeat_at < clock_timestamp() - $3
        FOR UPDATE OF s
        """;

    /// <summary>Lists the unfinished jobs of workers that have been silent for too long, oldest first.</summary>
    internal Task<List<PlacedJob>> ListAbandonedAsync(TimeSpan silence, NpgsqlTransaction transaction, CancellationToken cancellationToken) =>
        _database.RunAsync("listing jobs of silent workers", connection => connection.QueryAsync(
            """
            SELECT s.job_id, s.node_id, s.status = ANY($3) FROM jobs_status s JOIN workers w ON w.node_id = s.node_id
            WHERE s.status = ANY($2) AND w.heartbeat_at < clock_timestamp() - $1
            ORDER BY s.job_id
            """,
            [silence, Texts(JobStatusText.Active), Texts(JobStatusText.Stopping)], MapPlaced, cancellationToken), transaction, cancellationToken);

    /// <summary>Lists jobs that failed so long ago that they are due again: 2 to the power of their failures, in seconds.</summary>
    internal Task<List<PlacedJob>> ListRetryableAsync(TimeSpan maxDelay, NpgsqlTransaction transaction, CancellationToken cancellationToken) =>
        _database.RunAsync("listing failed jobs", connection => connection.QueryAsync(
            """
            SELECT s.job_id, s.node_id, false FROM jobs_status s
            CROSS JOIN LATERAL (
                SELECT count(*) AS failures FROM job_events e WHERE e.job_id = s.job_id AND e.event_type = 'ERROR') f
            WHERE s.status = 'ERROR' AND s.updated_at + least($1, interval '1 second' * power(2, least(f.failures, 30))) <= clock_timestamp()
            ORDER BY s.job_id
            """,
            [maxDelay], MapPlaced, cancellationToken), transaction, cancellationToken);

    /// <summary>Schedules a job of a silent worker on another one and notifies that; false when it is no longer so.</summary>
    internal Task<bool> MoveAbandonedAsync(
        PlacedJob job, string nodeId, TimeSpan silence, NpgsqlTransaction transaction, CancellationToken cancellationToken) =>
        _database.RunAsync($"moving job {job.JobId} to worker {nodeId}", async connection =>
        {
            if (!await IsAbandonedAsync(connection, job, silence, StartableStates, cancellationToken))
            {
                return false;
            }

            await WriteScheduledAsync(connection, job.JobId, nodeId, await LatestDescriptorAsync(connection, job.JobId, cancellationToken), cancellationToken);
            return true;
        }, transaction, cancellationToken);

    /// <summary>Ends a job of a silent worker that was to be stopped; false when it is no longer so.</summary>
    internal Task<bool> StopAbandonedAsync(PlacedJob job, TimeSpan silence, NpgsqlTransaction transaction, CancellationToken cancellationToken) =>
        _database.RunAsync($"stopping job {job.JobId}", async connection =>
            await IsAbandonedAsync(connection, job, silence, JobStatusText.Stopping, cancellationToken)
            && (await TransitionAsync(
                connection, job.JobId, job.NodeId, JobStatusText.Stopping, AmpJobStatus.Stopped, null, cancellationToken)).Done,
            transaction, cancellationToken);

    private static async Task<bool> IsAbandonedAsync(
        NpgsqlConnection connection, PlacedJob job, TimeSpan silence, AmpJobStatus[] states, CancellationToken cancellationToken) =>
        await connection.ScalarAsync<long>(
            Abandoned, [job.JobId, job.NodeId, silence, Texts(states)], cancellationToken) == job.JobId;

    private static Task<string?> LatestDescriptorAsync(NpgsqlConnection connection, long jobId, CancellationToken cancellationToken) =>
        connection.ScalarAsync<string>(
            "SELECT detail::text FROM job_events WHERE job_id = $1 AND event_type = 'SCHEDULED' ORDER BY id DESC LIMIT 1", [jobId], cancellationToken);

    private static NpgsqlParameter Texts(IEnumerable<AmpJobStatus> states) => Sql.TextArray(states.Select(s => s.ToText()));

    private static PlacedJob MapPlaced(NpgsqlDataReader reader) => new(reader.GetInt64(0), reader.GetString(1), reader.GetBoolean(2));
}
