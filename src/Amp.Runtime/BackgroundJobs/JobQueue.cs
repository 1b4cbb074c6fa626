using System.Text.Json;
using System.Text.Json.Nodes;
using Amp.MetadataDb;
using Npgsql;
using NpgsqlTypes;

namespace Amp.BackgroundJobs;

/// <summary>
/// The queue of background jobs in PostgreSQL. Each method is one transaction: state, counters of the tenant and events change
/// together or not at all. Times are the database's.
/// </summary>
internal sealed class JobQueue(MetadataDatabase database)
{
    private const int MaxFaultLength = 4096;
    private const int SweepBatch = 500;

    private static readonly TimeSpan WorkerPatience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromHours(6);

    /// <summary>Creates or updates the queue's tables.</summary>
    /// <returns>Names of the migrations that were applied.</returns>
    public Task<IReadOnlyList<string>> InitializeAsync(bool autoMigrate, CancellationToken cancellationToken) =>
        database.InitializeAsync(MigrationSet.BackgroundJobs, autoMigrate, cancellationToken);

    /// <summary>Queues jobs, all or none. Tenants that nobody has seen are made, with default limits.</summary>
    /// <exception cref="AmpException">
    /// <c>JobTypeInvalid</c>, <c>JobPayloadInvalid</c>, <c>JobSettingInvalid</c>; <c>TenantSuspended</c>; <c>QuotaExceeded</c>, which the
    /// tenant's events tell once a day.
    /// </exception>
    public async Task<IReadOnlyList<SubmittedJob>> SubmitAsync(IReadOnlyList<JobSubmission> jobs, CancellationToken cancellationToken)
    {
        foreach (var job in jobs)
        {
            JobSubmissionCheck.Require(job);
        }

        var (submitted, refusal) = await database.RunInTransactionAsync(
            $"submitting {jobs.Count} jobs",
            async connection =>
            {
                await AddTenantsAsync(connection, jobs.Select(job => job.TenantId), cancellationToken);
                var ledger = await TenantLedger.LockAsync(connection, jobs.Select(job => job.TenantId), cancellationToken);
                var result = await InsertAsync(connection, ledger, jobs, cancellationToken);
                await ledger.SaveAsync(cancellationToken);
                return result;
            },
            null, cancellationToken);
        return refusal is null ? submitted : throw refusal;
    }

    /// <summary>Takes queued jobs for a worker: the most urgent first, no more of a tenant than it may run at once.</summary>
    /// <param name="workerId">The worker, which beats.</param>
    /// <param name="types">Types it handles; null for all.</param>
    /// <param name="most">At most so many.</param>
    /// <param name="timeLimit">How long each may run.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyList<ClaimedJob>> ClaimAsync(
        Guid workerId, IReadOnlyCollection<string>? types, int most, TimeSpan timeLimit, CancellationToken cancellationToken)
    {
        // Looked up without locks: tenants are locked before jobs, everywhere.
        var candidates = await database.QueryByIndexAsync(
            "looking for jobs",
            """
            SELECT id FROM amp_jobs.job
            WHERE state = 'queued' AND run_at <= now() AND ($1::text[] IS NULL OR type = ANY($1))
              AND tenant_id <> ALL(ARRAY(SELECT tenant_id FROM amp_jobs.job_tenant WHERE status <> 'active' OR running >= running_limit))
            ORDER BY priority DESC, run_at, id LIMIT $2
            """,
            [Sql.TextArray(types), most], r => r.GetGuid(0), cancellationToken);
        return candidates.Count == 0 ? [] : await ChangeAsync("claiming jobs", candidates, async (connection, ledger) =>
        {
            var open = await ReadAsync(connection, candidates, "state = 'queued'", cancellationToken);
            var taken = new List<Guid>();
            foreach (var job in candidates.Select(id => open.GetValueOrDefault(id)).OfType<JobRow>())
            {
                var tenant = ledger[job.TenantId];
                if (tenant.Status == "active" && tenant.Running < tenant.Limits.Running)
                {
                    (tenant.Running, tenant.Queued) = (tenant.Running + 1, tenant.Queued - 1);
                    taken.Add(job.Id);
                }
            }

            var claimed = await connection.QueryAsync(
                $"""
                UPDATE amp_jobs.job SET state = 'running', attempt = attempt + 1, lease = lease + 1, worker_id = $2, started_at = now(), deadline_at = now() + $3
                WHERE id = ANY($1) RETURNING {JobRow.Columns}
                """,
                [taken.ToArray(), workerId, timeLimit], JobRow.Read, cancellationToken);
            var byId = claimed.ToDictionary(job => job.Id);
            return taken.ConvertAll(id =>
            {
                var job = byId[id];
                ledger.Tell(job.TenantId, JobTopics.Started, job.Started());
                return new ClaimedJob(job.Id, job.TenantId, job.Type, job.Key, job.Payload, job.Priority, job.Attempt, job.MaxAttempts, job.Lease, job.StartedAt!.Value);
            });
        }, cancellationToken);
    }

    /// <summary>Completes jobs.</summary>
    /// <param name="jobs">Each with its lease, and a result as JSON or null.</param>
    /// <param name="cancellationToken">Gives up; the outcome is unknown then, and repeating it is safe.</param>
    /// <returns>Those that were still the caller's; what the others did does not count.</returns>
    public async Task<IReadOnlySet<Guid>> CompleteAsync(IReadOnlyList<(Guid Id, long Lease, string? Result)> jobs, CancellationToken cancellationToken) =>
        await ChangeAsync("completing jobs", [.. jobs.Select(job => job.Id)], async (connection, ledger) =>
        {
            var completed = await connection.QueryAsync(
                $"""
                UPDATE amp_jobs.job SET state = 'completed', result = n.result, finished_at = now(), deadline_at = NULL
                FROM unnest($1::uuid[], $2::bigint[], $3::jsonb[]) AS n(done, held, result)
                WHERE id = n.done AND lease = n.held AND state = 'running' RETURNING {JobRow.ColumnsOf("job")}
                """,
                [
                    jobs.Select(job => job.Id).ToArray(), jobs.Select(job => job.Lease).ToArray(),
                    new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Jsonb, Value = jobs.Select(job => job.Result).ToArray() },
                ],
                JobRow.Read, cancellationToken);
            foreach (var job in completed)
            {
                ledger[job.TenantId].Running--;
                ledger.Tell(job.TenantId, JobTopics.Completed, job.Completed(ledger.Now));
            }

            return completed.Select(job => job.Id).ToHashSet();
        }, cancellationToken);

    /// <summary>Ends an attempt that did not complete.</summary>
    /// <param name="id">The job.</param>
    /// <param name="lease">Its lease.</param>
    /// <param name="verdict">What shall become of it; a job whose cancellation was asked for is cancelled instead of tried again.</param>
    /// <param name="fault">What went wrong; needed to retry and to give up.</param>
    /// <param name="pause">How long to wait before the next attempt; null for a time that doubles with each attempt.</param>
    /// <param name="cancellationToken">Gives up; the outcome is unknown then, and repeating it is safe.</param>
    /// <returns>False when it was not the caller's any more.</returns>
    public Task<bool> EndAttemptAsync(Guid id, long lease, JobVerdict verdict, JobFault? fault, TimeSpan? pause, CancellationToken cancellationToken) =>
        ChangeAsync("ending an attempt", [id], async (connection, ledger) =>
        {
            var jobs = await ReadAsync(connection, [id], "state = 'running'", cancellationToken);
            if (jobs.GetValueOrDefault(id) is not { } job || job.Lease != lease)
            {
                return false;
            }

            var reason = verdict is JobVerdict.GiveUp ? "non_retryable" : "error";
            await EndAsync(connection, ledger, job, verdict, fault ?? new JobFault("Unknown", "it was not said why"), reason, pause, cancellationToken);
            return true;
        }, cancellationToken);

    /// <summary>Cancels jobs that wait, and asks for the cancellation of those that run.</summary>
    /// <param name="ids">The jobs.</param>
    /// <param name="cancelledBy"><c>user</c> or <c>system</c>.</param>
    /// <param name="reason">Why.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The states they are in now; jobs that are not there are left out.</returns>
    public Task<Dictionary<Guid, string>> CancelAsync(IReadOnlyCollection<Guid> ids, string cancelledBy, string reason, CancellationToken cancellationToken) =>
        ChangeAsync("cancelling jobs", ids, async (connection, ledger) =>
        {
            var jobs = await ReadAsync(connection, ids, "true", cancellationToken);
            Guid[] waiting = [.. jobs.Values.Where(job => job.State is "queued" or "retrying").Select(job => job.Id)];
            await connection.ExecuteAsync(
                "UPDATE amp_jobs.job SET state = 'cancelled', cancel_requested = TRUE, finished_at = now() WHERE id = ANY($1)", [waiting], cancellationToken);
            await connection.ExecuteAsync(
                "UPDATE amp_jobs.job SET cancel_requested = TRUE WHERE id = ANY($1) AND state = 'running'", [ids.ToArray()], cancellationToken);
            foreach (var job in waiting.Select(id => jobs[id]))
            {
                ledger[job.TenantId].Queued -= job.State == "queued" ? 1 : 0;
                ledger.Tell(job.TenantId, JobTopics.Cancelled, job.Cancelled(cancelledBy, reason, ledger.Now));
            }

            return jobs.Values.ToDictionary(job => job.Id, job => waiting.Contains(job.Id) ? "cancelled" : job.State);
        }, cancellationToken);

    /// <summary>
    /// Queues jobs again whose pause is over, and ends the attempts of workers that fell silent or ran out of time. Safe to run anywhere
    /// and at any time; one that runs it every second is enough.
    /// </summary>
    /// <returns>How many were queued again and how many attempts were ended.</returns>
    public async Task<(int Due, int Lost)> SweepAsync(CancellationToken cancellationToken) =>
        (await QueueDueAsync(cancellationToken), await EndLostAsync(cancellationToken));

    /// <summary>Queues dead letters again, all or none: as new jobs, within the tenant's quotas.</summary>
    /// <param name="ids">The jobs; those that are no dead letters are left out.</param>
    /// <param name="replayedBy">Who asks for it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>How many were queued.</returns>
    /// <exception cref="AmpException"><c>TenantSuspended</c>; <c>QuotaExceeded</c>.</exception>
    public async Task<int> ReplayAsync(IReadOnlyCollection<Guid> ids, string replayedBy, CancellationToken cancellationToken)
    {
        var (count, refusal) = await ChangeAsync("replaying dead letters", ids, async (connection, ledger) =>
        {
            var jobs = await ReadAsync(connection, ids, "state = 'deadlettered'", cancellationToken);
            foreach (var tenant in jobs.Values.GroupBy(job => job.TenantId))
            {
                if (await QuotaGate.RefuseAsync(connection, ledger, tenant.Key, tenant.Count(), tenant.First().Type, cancellationToken) is { } refused)
                {
                    return (0, refused);
                }
            }

            await connection.ExecuteAsync(
                """
                WITH letters AS (DELETE FROM amp_jobs.job_dlq WHERE job_id = ANY($1))
                UPDATE amp_jobs.job SET state = 'queued', attempt = 0, replays = replays + 1, run_at = now(), finished_at = NULL, cancel_requested = FALSE
                WHERE id = ANY($1)
                """, [jobs.Keys.ToArray()], cancellationToken);
            foreach (var job in jobs.Values)
            {
                QuotaGate.Count(ledger[job.TenantId], 1);
                ledger.Tell(job.TenantId, JobTopics.Replayed, job.Replayed(replayedBy, ledger.Now));
            }

            return (jobs.Count, (AmpException?)null);
        }, cancellationToken);
        return refusal is null ? count : throw refusal;
    }

    /// <summary>Deletes dead letters for good.</summary>
    /// <param name="ids">The jobs; those that are no dead letters are left out.</param>
    /// <param name="purgedBy">Who asks for it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>How many were deleted.</returns>
    public Task<int> PurgeAsync(IReadOnlyCollection<Guid> ids, string purgedBy, CancellationToken cancellationToken) =>
        ChangeAsync("purging dead letters", ids, async (connection, ledger) =>
        {
            var jobs = await ReadAsync(connection, ids, "state = 'deadlettered'", cancellationToken);
            await connection.ExecuteAsync("DELETE FROM amp_jobs.job WHERE id = ANY($1)", [jobs.Keys.ToArray()], cancellationToken);
            foreach (var job in jobs.Values)
            {
                ledger.Tell(job.TenantId, JobTopics.Purged, job.Purged(purgedBy, ledger.Now));
            }

            return jobs.Count;
        }, cancellationToken);

    /// <summary>Sets a tenant's limits, and makes the tenant when it is not there.</summary>
    public Task SetLimitsAsync(Guid tenantId, string tier, TenantLimits limits, CancellationToken cancellationToken) =>
        database.RunAsync("setting limits", connection => connection.ExecuteAsync(
            """
            INSERT INTO amp_jobs.job_tenant (tenant_id, tier, daily_limit, queued_limit, running_limit, payload_limit) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (tenant_id) DO UPDATE SET tier = EXCLUDED.tier, daily_limit = EXCLUDED.daily_limit, queued_limit = EXCLUDED.queued_limit,
                running_limit = EXCLUDED.running_limit, payload_limit = EXCLUDED.payload_limit
            """, [tenantId, tier, limits.Daily, limits.Queued, limits.Running, limits.Payload], cancellationToken), null, cancellationToken);

    /// <summary>Lets a tenant work, or holds its jobs: those that run go on, nothing else begins.</summary>
    public Task SetSuspendedAsync(Guid tenantId, bool isSuspended, CancellationToken cancellationToken) =>
        database.RunAsync("suspending a tenant", connection => connection.ExecuteAsync(
            "UPDATE amp_jobs.job_tenant SET status = $2 WHERE tenant_id = $1 AND status <> 'closed'",
            [tenantId, isSuspended ? "suspended" : "active"], cancellationToken), null, cancellationToken);

    /// <summary>Makes a worker known, or says that it is alive.</summary>
    public Task BeatAsync(Guid workerId, CancellationToken cancellationToken) =>
        database.RunAsync("sending a heartbeat", connection => connection.ExecuteAsync(
            """
            INSERT INTO amp_jobs.job_worker (worker_id, host, pid) VALUES ($1, $2, $3)
            ON CONFLICT (worker_id) DO UPDATE SET heartbeat_at = clock_timestamp()
            """, [workerId, Environment.MachineName, Environment.ProcessId], cancellationToken), null, cancellationToken);

    private static Task<int> AddTenantsAsync(NpgsqlConnection connection, IEnumerable<Guid> ids, CancellationToken cancellationToken)
    {
        var limits = TenantLimits.Default;
        return connection.ExecuteAsync(
            """
            INSERT INTO amp_jobs.job_tenant (tenant_id, tier, daily_limit, queued_limit, running_limit, payload_limit)
            SELECT id, 'standard', $2, $3, $4, $5 FROM unnest($1::uuid[]) id ORDER BY id ON CONFLICT DO NOTHING
            """, [ids.Distinct().ToArray(), limits.Daily, limits.Queued, limits.Running, limits.Payload], cancellationToken);
    }

    private static async Task<(IReadOnlyList<SubmittedJob> Submitted, AmpException? Refusal)> InsertAsync(
        NpgsqlConnection connection, TenantLedger ledger, IReadOnlyList<JobSubmission> jobs, CancellationToken cancellationToken)
    {
        // The tenants are locked, so nobody adds a job with one of these keys meanwhile.
        var known = (await connection.QueryAsync(
            """
            SELECT j.tenant_id, j.idem_key, j.id FROM unnest($1::uuid[], $2::text[]) AS n(tenant_id, idem_key)
            JOIN amp_jobs.job j ON j.tenant_id = n.tenant_id AND j.idem_key = n.idem_key
            """,
            [jobs.Select(job => job.TenantId).ToArray(), Sql.TextArray(jobs.Select(job => job.IdempotencyKey))],
            r => (Key: (r.GetGuid(0), r.GetString(1)), Id: r.GetGuid(2)), cancellationToken)).DistinctBy(found => found.Key).ToDictionary(found => found.Key, found => found.Id);
        var added = new List<JobSubmission>();
        var submitted = new List<SubmittedJob>();
        foreach (var job in jobs)
        {
            if (job.IdempotencyKey is { } key && !known.TryAdd((job.TenantId, key), job.Id))
            {
                submitted.Add(new SubmittedJob(known[(job.TenantId, key)], IsNew: false));
                continue;
            }

            added.Add(job);
            submitted.Add(new SubmittedJob(job.Id, IsNew: true));
        }

        foreach (var tenant in added.GroupBy(job => job.TenantId))
        {
            var refusal = await QuotaGate.RefusePayloadAsync(connection, ledger, tenant, cancellationToken)
                ?? await QuotaGate.RefuseAsync(connection, ledger, tenant.Key, tenant.Count(), tenant.First().Type, cancellationToken);
            if (refusal is not null)
            {
                return ([], refusal);
            }
        }

        var rows = await connection.QueryAsync(
            $"""
            INSERT INTO amp_jobs.job (id, tenant_id, type, key, priority, payload, state, run_at, max_attempts, idem_key)
            SELECT id, tenant_id, type, key, priority, payload, 'queued', coalesce(run_at, now()), max_attempts, idem_key
            FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::jsonb[], $7::timestamptz[], $8::int[], $9::text[])
                AS n(id, tenant_id, type, key, priority, payload, run_at, max_attempts, idem_key)
            RETURNING {JobRow.Columns}
            """,
            [
                added.Select(job => job.Id).ToArray(), added.Select(job => job.TenantId).ToArray(), Sql.TextArray(added.Select(job => job.Type)),
                Sql.TextArray(added.Select(job => job.Key)), added.Select(job => job.Priority).ToArray(),
                new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Jsonb, Value = added.Select(job => job.Payload).ToArray() },
                new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, Value = added.Select(job => job.RunAt?.UtcDateTime).ToArray() },
                added.Select(job => job.MaxAttempts).ToArray(), Sql.TextArray(added.Select(job => job.IdempotencyKey)),
            ],
            JobRow.Read, cancellationToken);
        foreach (var job in rows)
        {
            QuotaGate.Count(ledger[job.TenantId], 1);
            ledger.Tell(job.TenantId, JobTopics.Enqueued, job.Enqueued());
        }

        return (submitted, null);
    }

    private async Task<int> QueueDueAsync(CancellationToken cancellationToken)
    {
        var due = await FindAsync("state = 'retrying' AND run_at <= now()", [], cancellationToken);
        return due.Count == 0 ? 0 : await ChangeAsync("queueing jobs again", due, async (connection, ledger) =>
        {
            var queued = await connection.QueryAsync(
                $"UPDATE amp_jobs.job SET state = 'queued' WHERE id = ANY($1) AND state = 'retrying' AND run_at <= now() RETURNING {JobRow.Columns}",
                [due.ToArray()], JobRow.Read, cancellationToken);
            foreach (var job in queued)
            {
                ledger[job.TenantId].Queued++;
                ledger.Tell(job.TenantId, JobTopics.Retried, job.Retried(ledger.Now));
            }

            return queued.Count;
        }, cancellationToken);
    }

    private async Task<int> EndLostAsync(CancellationToken cancellationToken)
    {
        const string silent =
            "NOT EXISTS (SELECT 1 FROM amp_jobs.job_worker w WHERE w.worker_id = job.worker_id AND w.heartbeat_at >= now() - $2::interval)";
        var lost = await FindAsync($"state = 'running' AND ({silent} OR deadline_at <= now())", [WorkerPatience], cancellationToken);
        return lost.Count == 0 ? 0 : await ChangeAsync("ending lost attempts", lost, async (connection, ledger) =>
        {
            // Looked at again under the lock: the worker may have come back or finished meanwhile.
            var timedOut = (await connection.QueryAsync(
                $"SELECT id FROM amp_jobs.job WHERE id = ANY($1) AND state = 'running' AND deadline_at <= now() AND NOT {silent} FOR UPDATE",
                [lost.ToArray(), WorkerPatience], r => r.GetGuid(0), cancellationToken)).ToHashSet();
            var jobs = await ReadAsync(connection, lost, $"state = 'running' AND ({silent} OR deadline_at <= now())", cancellationToken, WorkerPatience);
            foreach (var job in jobs.Values)
            {
                var (reason, fault) = timedOut.Contains(job.Id)
                    ? ("timeout", new JobFault("Timeout", "it did not end within its time limit"))
                    : ("lease_expired", new JobFault("LeaseExpired", "its worker fell silent"));
                await EndAsync(connection, ledger, job, JobVerdict.Retry, fault, reason, pause: null, cancellationToken);
            }

            return jobs.Count;
        }, cancellationToken);
    }

    /// <summary>Ends the attempt of a running job whose row is locked.</summary>
    private static async Task EndAsync(
        NpgsqlConnection connection, TenantLedger ledger, JobRow job, JobVerdict verdict, JobFault fault, string reason, TimeSpan? pause, CancellationToken cancellationToken)
    {
        var tenant = ledger[job.TenantId];
        tenant.Running--;
        if (job.CancelRequested || verdict is JobVerdict.Cancel)
        {
            await SetAsync("state = 'cancelled', finished_at = now()");
            ledger.Tell(job.TenantId, JobTopics.Cancelled, job.Cancelled(job.CancelRequested ? "user" : "system", fault.Message, ledger.Now));
            return;
        }

        if (verdict is JobVerdict.GiveBack or JobVerdict.Snooze)
        {
            tenant.Queued++;
            await SetAsync("state = 'queued', attempt = attempt - 1, run_at = now() + $2", verdict is JobVerdict.Snooze ? pause ?? FirstPause : TimeSpan.Zero);
            return;
        }

        var cut = fault with { Message = fault.Message.Length > MaxFaultLength ? fault.Message[..MaxFaultLength] : fault.Message };
        await connection.ExecuteAsync(
            "INSERT INTO amp_jobs.job_error (job_id, attempt, lease, at, kind, message, code) VALUES ($1, $2, $3, now(), $4, $5, $6)",
            [job.Id, job.Attempt, job.Lease, cut.Kind, cut.Message, Sql.Text(cut.Code)], cancellationToken);
        var error = JobRow.Error(cut);
        if (verdict is JobVerdict.Retry && job.Attempt < job.MaxAttempts)
        {
            var wait = pause ?? PauseAfter(job.Attempt);
            await SetAsync("state = 'retrying', run_at = now() + $2, last_error = $3", wait, Sql.Json(error.ToJsonString()));
            ledger.Tell(job.TenantId, JobTopics.Failed, job.Failed("retrying", reason, error, ledger.Now, ledger.Now + wait));
            return;
        }

        await SetAsync("state = 'deadlettered', finished_at = now(), last_error = $2", Sql.Json(error.ToJsonString()));
        await connection.ExecuteAsync(
            "INSERT INTO amp_jobs.job_dlq (job_id, tenant_id, type, reason, error, attempts, dead_at) VALUES ($1, $2, $3, $4, $5, $6, now())",
            [job.Id, job.TenantId, job.Type, reason, Sql.Json(error.ToJsonString()), job.Attempt], cancellationToken);
        ledger.Tell(job.TenantId, JobTopics.Failed, job.Failed("deadlettered", reason, error, ledger.Now, nextRunAt: null));
        ledger.Tell(job.TenantId, JobTopics.DeadLettered, job.DeadLettered(reason, error, ledger.Now));

        Task SetAsync(string changes, params object[] values) => connection.ExecuteAsync(
            $"UPDATE amp_jobs.job SET deadline_at = NULL, worker_id = NULL, {changes} WHERE id = $1", [job.Id, .. values], cancellationToken);
    }

    /// <summary>Twice as long with each attempt, and somewhere in its upper half, so that what failed together does not come back together.</summary>
    private static TimeSpan PauseAfter(int attempt)
    {
        var longest = FirstPause * Math.Pow(2, Math.Min(attempt - 1, 30));
        return (longest < LongestPause ? longest : LongestPause) * (0.5 + (Random.Shared.NextDouble() / 2));
    }

    private Task<List<Guid>> FindAsync(string condition, object[] parameters, CancellationToken cancellationToken) =>
        database.QueryByIndexAsync(
            "looking for jobs", $"SELECT id FROM amp_jobs.job WHERE {condition} ORDER BY run_at LIMIT $1", [SweepBatch, .. parameters], r => r.GetGuid(0), cancellationToken);

    private static async Task<Dictionary<Guid, JobRow>> ReadAsync(
        NpgsqlConnection connection, IReadOnlyCollection<Guid> ids, string condition, CancellationToken cancellationToken, params object[] parameters) =>
        (await connection.QueryAsync(
            $"SELECT {JobRow.Columns} FROM amp_jobs.job WHERE id = ANY($1) AND {condition} ORDER BY id FOR UPDATE", [ids.ToArray(), .. parameters], JobRow.Read, cancellationToken))
        .ToDictionary(job => job.Id);

    private Task<T> ChangeAsync<T>(
        string action, IReadOnlyCollection<Guid> jobIds, Func<NpgsqlConnection, TenantLedger, Task<T>> change, CancellationToken cancellationToken) =>
        database.RunInTransactionAsync(
            action,
            async connection =>
            {
                var ledger = await TenantLedger.LockForAsync(connection, jobIds, cancellationToken);
                var result = await change(connection, ledger);
                await ledger.SaveAsync(cancellationToken);
                return result;
            },
            null, cancellationToken);
}
