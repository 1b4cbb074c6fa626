using System.Text.Json;
using Npgsql;

namespace Amp.MetadataDb;

/// <summary>What scheduling did.</summary>
/// <param name="JobId">The job.</param>
/// <param name="IsNew">False when an active job with the same key and descriptor was there already.</param>
public readonly record struct ScheduledJob(long JobId, bool IsNew);

public sealed partial class JobsTable
{
    private static readonly AmpJobStatus[] StartableStates = [AmpJobStatus.Scheduled, AmpJobStatus.Running];

    /// <summary>
    /// Schedules a job and notifies its worker. With a key in use: an active job with the same descriptor is returned,
    /// one that has ended is scheduled again under its number.
    /// </summary>
    /// <exception cref="AmpException"><c>ActiveJobConflict</c> when the active job's descriptor is another; <c>WorkerNotFound</c>.</exception>
    public Task<ScheduledJob> ScheduleAsync(
        string nodeId, AmpJobDescriptor descriptor, string idempotencyKey, CancellationToken cancellationToken = default) =>
        ScheduleAsync(nodeId, descriptor, idempotencyKey, null, cancellationToken);

    internal Task<ScheduledJob> ScheduleAsync(
        string nodeId, AmpJobDescriptor descriptor, string idempotencyKey, NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) =>
        _database.RunInTransactionAsync(
            $"scheduling a job on worker {nodeId}", connection => ScheduleAsync(connection, nodeId, descriptor, idempotencyKey, cancellationToken), transaction, cancellationToken);

    /// <summary>
    /// Schedules a part of a job, if that is still its worker's; the fence is part of the transaction. An active part with the same
    /// descriptor is returned instead of a second one; null when the job is to be stopped.
    /// </summary>
    /// <exception cref="AmpException"><c>JobLeaseLost</c>; as <see cref="ScheduleAsync(string, AmpJobDescriptor, string, CancellationToken)"/>.</exception>
    internal Task<ScheduledJob?> SchedulePartAsync(
        long jobId, string jobNodeId, DateTimeOffset registeredAt, string nodeId, AmpJobDescriptor part, string idempotencyKey, CancellationToken cancellationToken) =>
        _database.RunInTransactionAsync($"scheduling a part of job {jobId} on worker {nodeId}", async connection =>
        {
            if (await connection.ScalarAsync<int?>(FilesTable.Fence(jobParameter: 1), [jobId, jobNodeId, Sql.Time(registeredAt)], cancellationToken) is null)
            {
                throw JobErrors.LeaseLost(jobId, jobNodeId);
            }

            // The row is locked: who asks for the stop comes later, and finds the part.
            var isRunning = await connection.ScalarAsync<bool>("SELECT status = 'RUNNING' FROM jobs_status WHERE job_id = $1", [jobId], cancellationToken);
            return isRunning ? await ScheduleAsync(connection, nodeId, part, idempotencyKey, cancellationToken) : (ScheduledJob?)null;
        }, null, cancellationToken);

    /// <summary>Schedules a job that has ended again, on the given worker, with its latest descriptor.</summary>
    /// <param name="jobId">The job.</param>
    /// <param name="nodeId">The worker; its own by default.</param>
    /// <param name="from">States it may be in; ERROR, FATAL and STOPPED by default.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException"><c>JobNotFound</c>, <c>JobStateConflict</c>, <c>WorkerNotFound</c>.</exception>
    public Task RescheduleAsync(
        long jobId, string? nodeId = null, IReadOnlyCollection<AmpJobStatus>? from = null, CancellationToken cancellationToken = default) =>
        RescheduleAsync(jobId, nodeId, from, null, cancellationToken);

    internal Task RescheduleAsync(
        long jobId, string? nodeId, IReadOnlyCollection<AmpJobStatus>? from, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        _database.RunInTransactionAsync($"rescheduling job {jobId}", async connection =>
        {
            await connection.ExecuteAsync("SELECT 1 FROM jobs_status WHERE job_id = $1 FOR UPDATE", [jobId], cancellationToken);
            var job = await FindAsync(connection, jobId, cancellationToken) ?? throw JobErrors.NotFound(jobId);
            if (!(from ?? [AmpJobStatus.Error, AmpJobStatus.Fatal, AmpJobStatus.Stopped]).Contains(job.Status))
            {
                throw JobErrors.StateConflict(jobId, AmpJobStatus.Scheduled, job.Status);
            }

            var target = nodeId ?? job.NodeId;
            if (!await connection.ScalarAsync<bool>("SELECT EXISTS (SELECT 1 FROM workers WHERE node_id = $1)", [target], cancellationToken))
            {
                throw JobErrors.WorkerNotFound(target);
            }

            await WriteScheduledAsync(connection, jobId, target, await LatestDescriptorAsync(connection, jobId, cancellationToken), cancellationToken);
            return true;
        }, transaction, cancellationToken);

    /// <summary>Asks for a job to stop, with its parts, and notifies the workers.</summary>
    /// <returns>False when it is stopping already.</returns>
    /// <exception cref="AmpException"><c>JobNotFound</c>; <c>JobAlreadyTerminated</c> when it has ended.</exception>
    public Task<bool> RequestStopAsync(long jobId, CancellationToken cancellationToken = default) =>
        _database.RunInTransactionAsync($"stopping job {jobId}", async connection =>
        {
            var change = await TransitionAsync(connection, jobId, null, StartableStates, AmpJobStatus.StopRequested, null, cancellationToken);
            if (change.Done)
            {
                await NotifyAsync(connection, change.NodeId, jobId, "STOP", cancellationToken);
                await StopPartsAsync(connection, jobId, cancellationToken);
                return true;
            }

            return change.Status is AmpJobStatus.StopRequested or AmpJobStatus.Stopping
                ? false
                : throw JobErrors.AlreadyTerminal(jobId, change.Status);
        }, null, cancellationToken);

    /// <summary>SCHEDULED → RUNNING, by its worker.</summary>
    internal Task MarkRunningAsync(long jobId, string nodeId, CancellationToken cancellationToken) =>
        ChangeAsync(jobId, nodeId, [AmpJobStatus.Scheduled], AmpJobStatus.Running, null, cancellationToken);

    /// <summary>RUNNING → COMPLETED, by its worker.</summary>
    internal Task CompleteAsync(long jobId, string nodeId, CancellationToken cancellationToken) =>
        ChangeAsync(jobId, nodeId, [AmpJobStatus.Running], AmpJobStatus.Completed, null, cancellationToken);

    /// <summary>STOP_REQUESTED → STOPPING, by its worker.</summary>
    internal Task MarkStoppingAsync(long jobId, string nodeId, CancellationToken cancellationToken) =>
        ChangeAsync(jobId, nodeId, [AmpJobStatus.StopRequested], AmpJobStatus.Stopping, null, cancellationToken);

    /// <summary>STOPPING → STOPPED, by its worker.</summary>
    internal Task MarkStoppedAsync(long jobId, string nodeId, CancellationToken cancellationToken) =>
        ChangeAsync(jobId, nodeId, [AmpJobStatus.Stopping], AmpJobStatus.Stopped, null, cancellationToken);

    /// <summary>SCHEDULED or RUNNING → ERROR, or FATAL when a retry would fail the same way; by its worker.</summary>
    internal Task FailAsync(long jobId, string nodeId, bool fatal, string detailJson, CancellationToken cancellationToken) =>
        ChangeAsync(jobId, nodeId, StartableStates, fatal ? AmpJobStatus.Fatal : AmpJobStatus.Error, detailJson, cancellationToken);

    private static async Task StopPartsAsync(NpgsqlConnection connection, long jobId, CancellationToken cancellationToken)
    {
        var parts = await connection.QueryAsync(
            """
            SELECT s.job_id FROM jobs_status s
            WHERE s.status = ANY($2) AND EXISTS (SELECT 1 FROM job_events e WHERE e.job_id = s.job_id AND e.event_type = 'SCHEDULED' AND (e.detail->>'part_of')::bigint = $1)
            """, [jobId, Sql.TextArray(StartableStates.Select(s => s.ToText()))], r => r.GetInt64(0), cancellationToken);
        foreach (var part in parts)
        {
            var change = await TransitionAsync(connection, part, null, StartableStates, AmpJobStatus.StopRequested, null, cancellationToken);
            await NotifyAsync(connection, change.NodeId, part, "STOP", cancellationToken);
        }
    }

    private static async Task<ScheduledJob> ScheduleAsync(
        NpgsqlConnection connection, string nodeId, AmpJobDescriptor descriptor, string idempotencyKey, CancellationToken cancellationToken)
    {
        if (!await connection.ScalarAsync<bool>("SELECT EXISTS (SELECT 1 FROM workers WHERE node_id = $1)", [nodeId], cancellationToken))
        {
            throw JobErrors.WorkerNotFound(nodeId);
        }

        // The upsert locks the key's row: two schedulers of one key go one after the other from here.
        var jobId = await connection.ScalarAsync<long>(
            """
            INSERT INTO jobs (idempotency_key, node_id, created_at) VALUES ($1, $2, now())
            ON CONFLICT ON CONSTRAINT jobs_idempotency_key_unique DO UPDATE SET idempotency_key = EXCLUDED.idempotency_key
            RETURNING id
            """, [idempotencyKey, nodeId], cancellationToken);
        var existing = await FindAsync(connection, jobId, cancellationToken);
        if (existing is { IsTerminal: false })
        {
            return existing.Descriptor == descriptor
                ? new ScheduledJob(jobId, IsNew: false)
                : throw JobErrors.ActiveConflict(jobId);
        }

        await WriteScheduledAsync(connection, jobId, nodeId, JobDescriptorJson.Write(descriptor), cancellationToken);
        return new ScheduledJob(jobId, IsNew: true);
    }

    private Task<bool> ChangeAsync(
        long jobId, string nodeId, AmpJobStatus[] from, AmpJobStatus to, string? detail, CancellationToken cancellationToken) =>
        _database.RunAsync($"setting job {jobId} to {to.ToText()}", async connection =>
        {
            var change = await TransitionAsync(connection, jobId, nodeId, from, to, detail, cancellationToken);
            return change.Done ? true
                : change.NodeId != nodeId ? throw JobErrors.LeaseLost(jobId, nodeId)
                : throw JobErrors.StateConflict(jobId, to, change.Status);
        }, null, cancellationToken);

    private static async Task<(bool Done, AmpJobStatus Status, string NodeId)> TransitionAsync(
        NpgsqlConnection connection, long jobId, string? nodeId, AmpJobStatus[] from, AmpJobStatus to, string? detail,
        CancellationToken cancellationToken)
    {
        var rows = await connection.QueryAsync(
            """
            WITH before AS (
                SELECT job_id, status, node_id FROM jobs_status WHERE job_id = $1 FOR UPDATE
            ), changed AS (
                UPDATE jobs_status s SET status = $3, detail = $4, updated_at = now()
                FROM before b
                WHERE s.job_id = b.job_id AND b.status = ANY($2) AND ($5::text IS NULL OR b.node_id = $5)
                RETURNING s.job_id, s.node_id
            ), logged AS (
                INSERT INTO job_events (job_id, node_id, event_type, detail, created_at)
                SELECT job_id, node_id, $3, $4, now() FROM changed
                RETURNING id
            )
            SELECT EXISTS (SELECT 1 FROM logged), b.status, b.node_id FROM before b
            """,
            [jobId, Sql.TextArray(from.Select(s => s.ToText())), to.ToText(), Sql.Json(detail), Sql.Text(nodeId)],
            r => (r.GetBoolean(0), JobStatusText.Parse(r.GetString(1)), r.GetString(2)), cancellationToken);
        return rows.Count == 1 ? rows[0] : throw JobErrors.NotFound(jobId);
    }

    private static async Task WriteScheduledAsync(
        NpgsqlConnection connection, long jobId, string nodeId, string? descriptor, CancellationToken cancellationToken)
    {
        await connection.ExecuteAsync(
            """
            WITH state AS (
                INSERT INTO jobs_status (job_id, node_id, status, detail, updated_at) VALUES ($1, $2, 'SCHEDULED', $3, now())
                ON CONFLICT (job_id) DO UPDATE
                SET node_id = EXCLUDED.node_id, status = EXCLUDED.status, detail = EXCLUDED.detail, updated_at = EXCLUDED.updated_at
            )
            INSERT INTO job_events (job_id, node_id, event_type, detail, created_at) VALUES ($1, $2, 'SCHEDULED', $3, now())
            """, [jobId, nodeId, Sql.Json(descriptor)], cancellationToken);
        await NotifyAsync(connection, nodeId, jobId, "START", cancellationToken);
    }

    private static Task<int> NotifyAsync(
        NpgsqlConnection connection, string nodeId, long jobId, string action, CancellationToken cancellationToken)
    {
        var payload = $$$"""{"node_id":{{{JsonSerializer.Serialize(nodeId)}}},"payload":{"job_id":{{{jobId}}},"action":"{{{action}}}"}}""";
        return connection.ExecuteAsync("SELECT pg_notify('job_actions', $1)", [payload], cancellationToken);
    }
}
