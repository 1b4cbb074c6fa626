using System.Text.Json.Nodes;
using Amp.MetadataDb;

namespace Amp.BackgroundJobs;

/// <summary>What people look at: jobs, dead letters, workers. Nothing is locked.</summary>
internal sealed class JobsView(MetadataDatabase database)
{
    /// <summary>Jobs, newest first, of which the number is lower than <paramref name="before"/>.</summary>
    public Task<List<AmpBackgroundJob>> ListAsync(BackgroundJobQuery query, int most, Guid? before, CancellationToken cancellationToken) => database.RunAsync(
        "reading background jobs",
        connection => connection.QueryAsync(
            $"""
            SELECT {JobRow.Columns} FROM amp_jobs.job
            WHERE (cardinality($1::text[]) = 0 OR state = ANY($1)) AND (cardinality($2::text[]) = 0 OR type ILIKE ANY($2)) AND (cardinality($3::uuid[]) = 0 OR tenant_id = ANY($3))
              AND (cardinality($4::uuid[]) = 0 OR id = ANY($4)) AND id < $5
            ORDER BY id DESC LIMIT $6
            """,
            [
                query.Status.Select(status => status.ToString().ToLowerInvariant()).ToArray(), query.Types.Select(JobHandlers.ToLike).ToArray(), query.TenantIds.ToArray(),
                query.JobIds.ToArray(), before ?? Guid.AllBitsSet, most,
            ],
            r => JobRow.Read(r).ToJob(), cancellationToken),
        null, cancellationToken);

    /// <summary>How many jobs of each type are in each state, by type.</summary>
    public Task<List<BackgroundJobCount>> CountAsync(CancellationToken cancellationToken) => database.RunAsync(
        "counting background jobs",
        connection => connection.QueryAsync(
            "SELECT type, state, count(*) FROM amp_jobs.job GROUP BY type, state ORDER BY type, state", [],
            r => new BackgroundJobCount(r.GetString(0), Enum.Parse<AmpBackgroundJobStatus>(r.GetString(1), ignoreCase: true), r.GetInt64(2)), cancellationToken),
        null, cancellationToken);

    /// <summary>Dead letters, the oldest first.</summary>
    public Task<List<AmpDeadLetter>> DeadLettersAsync(IReadOnlyList<string> types, IReadOnlyList<Guid> tenantIds, CancellationToken cancellationToken) => database.RunAsync(
        "reading dead letters",
        connection => connection.QueryAsync(
            """
            SELECT job_id, d.tenant_id, d.type, reason, error::text, attempts, dead_at, dead_at + $3::interval, j.payload::text, j.replays
            FROM amp_jobs.job_dlq d JOIN amp_jobs.job j ON j.id = d.job_id
            WHERE (cardinality($1::text[]) = 0 OR d.type ILIKE ANY($1)) AND (cardinality($2::uuid[]) = 0 OR d.tenant_id = ANY($2))
            ORDER BY dead_at, job_id
            """,
            [types.Select(JobHandlers.ToLike).ToArray(), tenantIds.ToArray(), JobQueue.DeadRetention],
            r =>
            {
                var error = JsonNode.Parse(r.GetString(4))!;
                return new AmpDeadLetter
                {
                    JobId = r.GetGuid(0),
                    TenantId = r.GetGuid(1),
                    Type = r.GetString(2),
                    Reason = r.GetString(3),
                    Error = (string?)error["message"] ?? "",
                    ErrorKind = (string?)error["kind"] ?? "",
                    Attempts = r.GetInt32(5),
                    DeadAt = r.Time(6),
                    ExpiresAt = r.Time(7),
                    PayloadJson = r.GetString(8),
                    Replays = r.GetInt32(9),
                };
            },
            cancellationToken),
        null, cancellationToken);

    /// <summary>Workers by host and start.</summary>
    public Task<List<AmpBackgroundWorker>> WorkersAsync(CancellationToken cancellationToken) => database.RunAsync(
        "reading background workers",
        connection => connection.QueryAsync(
            """
            SELECT worker_id, host, pid, pool_size, types, started_at, heartbeat_at, greatest(clock_timestamp() - heartbeat_at, interval '0'), status::text
            FROM amp_jobs.job_worker ORDER BY host, started_at
            """,
            [],
            r =>
            {
                var status = r.IsDBNull(8) ? null : JobJson.Read<JobWorkerStatus>(r.GetString(8));
                return new AmpBackgroundWorker
                {
                    WorkerId = r.GetGuid(0),
                    Host = r.GetString(1),
                    ProcessId = r.GetInt32(2),
                    PoolSize = r.GetInt32(3),
                    Types = r.GetFieldValue<string[]>(4),
                    StartedAt = r.Time(5),
                    HeartbeatAt = r.Time(6),
                    HeartbeatAge = r.GetTimeSpan(7),
                    Running = status?.Running ?? 0,
                    Completed = status?.Completed ?? 0,
                    Failed = status?.Failed ?? 0,
                    Stale = status?.Stale ?? 0,
                    JobsPerSecond = status?.PerSecond ?? 0,
                    Lag = status?.Lag,
                    Partitions = status?.Partitions,
                    ErrorsByType = status?.ErrorsByType ?? [],
                    LastError = status?.LastError,
                };
            },
            cancellationToken),
        null, cancellationToken);
}
