using System.Text;
using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <content>What workers do with jobs.</content>
internal sealed partial class JobQueue
{
    private const int MaxFaultLength = 4096;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromHours(6);

    /// <summary>Jobs that may be claimed now, the most urgent first; nothing is locked or changed.</summary>
    /// <param name="types">Patterns of types, as for <c>LIKE</c>; null for all.</param>
    /// <param name="most">At most so many.</param>
    /// <param name="quiet">Only those whose message was written so long ago, or never; null for all.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<List<Guid>> FindClaimableAsync(IReadOnlyCollection<string>? types, int most, TimeSpan? quiet, CancellationToken cancellationToken) =>
        database.QueryByIndexAsync(
            "looking for jobs",
            """
            SELECT id FROM amp_jobs.job j
            WHERE state = 'queued' AND run_at <= now() AND ($1::text[] IS NULL OR type LIKE ANY($1))
              AND ($3::interval IS NULL OR dispatched_at IS NULL OR dispatched_at < now() - $3)
              AND tenant_id <> ALL(ARRAY(SELECT tenant_id FROM amp_jobs.job_tenant WHERE status <> 'active' OR running >= running_limit))
              AND (key IS NULL OR NOT EXISTS (
                SELECT 1 FROM amp_jobs.job o WHERE o.tenant_id = j.tenant_id AND o.key = j.key AND o.state IN ('queued', 'running')
                  AND (o.state = 'running' OR (o.attempt = 0 AND o.ordinal < j.ordinal AND o.run_at <= now()))))
            ORDER BY priority DESC, run_at, id LIMIT $2
            """,
            [Sql.TextArray(types), most, new NpgsqlParameter { NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Interval, Value = (object?)quiet ?? DBNull.Value }],
            r => r.GetGuid(0), cancellationToken);

    /// <summary>
    /// Ends attempts and takes jobs, for one worker. Of a tenant no more is taken than it may run at once; of jobs with the same key one at a
    /// time, in the order in which they were submitted.
    /// </summary>
    /// <param name="workerId">The worker, which beats.</param>
    /// <param name="ends">Attempts of its own that are over.</param>
    /// <param name="candidates">Jobs to take, the most urgent first.</param>
    /// <param name="timeLimit">How long a job of a type may run; null for a type that the worker has no handler for, which is left where it is.</param>
    /// <param name="cancellationToken">Gives up; the outcome is unknown then. Repeating the ends is safe; what was claimed is given up when its time is over.</param>
    public Task<JobExchange> ExchangeAsync(
        Guid workerId, IReadOnlyList<AttemptEnd> ends, IReadOnlyCollection<Guid> candidates, Func<string, TimeSpan?> timeLimit, CancellationToken cancellationToken) =>
        ChangeAsync("claiming and ending jobs", [.. ends.Select(end => end.Id), .. candidates], async (connection, ledger) =>
        {
            var ended = await EndAsync(connection, ledger, ends, cancellationToken);
            var endedBefore = ended.Count == ends.Count ? [] : await FindEndedBeforeAsync(connection, [.. ends.Where(end => !ended.Contains(end.Id))], cancellationToken);
            var (claimed, held) = candidates.Count == 0 ? ([], []) : await ClaimAsync(connection, ledger, workerId, candidates, timeLimit, cancellationToken);
            return new JobExchange(ended, endedBefore, claimed, held);
        }, cancellationToken);

    /// <summary>Completes a job together with rows of its handler's; see <see cref="JobContext.CompleteInTransactionAsync"/>.</summary>
    /// <exception cref="AmpException"><c>JobLeaseLost</c>: nothing was written.</exception>
    public Task<object?> CompleteInTransactionAsync(Guid id, long lease, Func<NpgsqlConnection, Task<object?>> work, CancellationToken cancellationToken) =>
        database.RunInTransactionAsync(
            "completing a job with its rows",
            async connection =>
            {
                // The handler's rows first: its tenant is locked for a moment only.
                var result = await work(connection);
                var ledger = await TenantLedger.LockForAsync(connection, workTopic, [id], cancellationToken);
                var ended = await EndAsync(connection, ledger, [new AttemptEnd(id, lease, JobVerdict.Complete) { Result = JobJson.Write(result) }], cancellationToken);
                if (ended.Count == 0)
                {
                    throw new AmpException("JobLeaseLost", AmpErrorKind.Conflict, $"Job {id} is not this worker's any more, so nothing of it was written.") { Target = id };
                }

                await ledger.SaveAsync(cancellationToken);
                return result;
            },
            null, cancellationToken);

    /// <summary>Makes a worker known, or says that it is alive. Blocks, so that it depends on no thread but the caller's.</summary>
    /// <returns>Which of its running jobs shall be cancelled.</returns>
    public static List<Guid> Beat(NpgsqlConnection connection, JobWorkerBeat beat)
    {
        using var command = connection.Command(
            """
            WITH beat AS (
                INSERT INTO amp_jobs.job_worker (worker_id, host, pid, pool_size, types, status, heartbeat_at) VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp())
                ON CONFLICT (worker_id) DO UPDATE SET heartbeat_at = clock_timestamp(), types = EXCLUDED.types, status = EXCLUDED.status)
            SELECT id FROM amp_jobs.job WHERE worker_id = $1 AND state = 'running' AND cancel_requested
            """,
            beat.WorkerId, Environment.MachineName, Environment.ProcessId, beat.PoolSize, beat.Types.ToArray(), Sql.JsonText(JobJson.Write(beat.Status)));
        using var reader = command.ExecuteReader();
        var cancelled = new List<Guid>();
        while (reader.Read())
        {
            cancelled.Add(reader.GetGuid(0));
        }

        return cancelled;
    }

    /// <summary>What a worker says that is not alive any more. Blocks, as <see cref="Beat"/> does.</summary>
    public static void SetStatus(NpgsqlConnection connection, JobWorkerBeat beat)
    {
        using var command = connection.Command(
            "UPDATE amp_jobs.job_worker SET status = $2 WHERE worker_id = $1", beat.WorkerId, Sql.JsonText(JobJson.Write(beat.Status)));
        command.ExecuteNonQuery();
    }

    /// <summary>Takes a worker off the list; jobs that it still has are tried again at the next sweep.</summary>
    public Task ResignAsync(Guid workerId, CancellationToken cancellationToken) => database.RunAsync(
        "resigning", connection => connection.ExecuteAsync("DELETE FROM amp_jobs.job_worker WHERE worker_id = $1", [workerId], cancellationToken), null, cancellationToken);

    /// <summary>Jobs that a worker has without knowing: the answer to its claim was lost.</summary>
    public async Task<IReadOnlyList<ClaimedJob>> FindUnknownAsync(Guid workerId, IReadOnlyCollection<Guid> known, CancellationToken cancellationToken) =>
        [.. (await database.RunAsync(
            "looking for claimed jobs",
            connection => connection.QueryAsync(
                $"SELECT {JobRow.Columns} FROM amp_jobs.job WHERE worker_id = $1 AND state = 'running' AND id <> ALL($2)", [workerId, known.ToArray()], JobRow.Read, cancellationToken),
            null, cancellationToken)).Select(job => new ClaimedJob(job.ToJob(), job.Lease))];

    private static async Task<(IReadOnlyList<ClaimedJob> Claimed, IReadOnlyList<Guid> Held)> ClaimAsync(
        NpgsqlConnection connection, TenantLedger ledger, Guid workerId, IReadOnlyCollection<Guid> candidates, Func<string, TimeSpan?> timeLimit, CancellationToken cancellationToken)
    {
        var open = await ReadAsync(connection, candidates, "state = 'queued' AND run_at <= now()", cancellationToken);
        var blocked = await BlockedAsync(connection, open.Values, cancellationToken);
        var (taken, limits, held) = (new List<JobRow>(), new List<TimeSpan>(), new List<Guid>());
        var keys = new HashSet<(Guid, string)>();
        foreach (var job in candidates.Select(id => open.GetValueOrDefault(id)).OfType<JobRow>())
        {
            var tenant = ledger[job.TenantId];
            if (tenant.Status != "active" || timeLimit(job.Type) is not { } limit)
            {
                continue;
            }

            if (tenant.Running >= tenant.Limits.Running || blocked.Contains(job.Id) || (job.Key is not null && !keys.Add((job.TenantId, job.Key))))
            {
                held.Add(job.Id);
                continue;
            }

            (tenant.Running, tenant.Queued) = (tenant.Running + 1, tenant.Queued - 1);
            taken.Add(job);
            limits.Add(limit);
        }

        var claimed = taken.Count == 0 ? [] : await connection.QueryAsync(
            $"""
            UPDATE amp_jobs.job SET state = 'running', attempt = attempt + 1, lease = lease + 1, worker_id = $2, started_at = now(), deadline_at = now() + n.time_limit
            FROM unnest($1::uuid[], $3::interval[]) AS n(taken, time_limit) WHERE id = n.taken RETURNING {JobRow.ColumnsOf("job")}
            """,
            [taken.Select(job => job.Id).ToArray(), workerId, limits.ToArray()], JobRow.Read, cancellationToken);
        var byId = claimed.ToDictionary(job => job.Id);
        return ([.. taken.Select(row =>
        {
            var job = byId[row.Id];
            ledger.Tell(job.TenantId, JobTopics.Started, job.Started());
            return new ClaimedJob(job.ToJob(), job.Lease);
        })], held);
    }

    /// <summary>Jobs whose key another has at the moment, or whose turn is not yet.</summary>
    private static async Task<HashSet<Guid>> BlockedAsync(NpgsqlConnection connection, IEnumerable<JobRow> jobs, CancellationToken cancellationToken)
    {
        var keyed = jobs.Where(job => job.Key is not null).ToList();
        return keyed.Count == 0 ? [] : [.. await connection.QueryAsync(
            """
            SELECT j.id FROM amp_jobs.job j WHERE j.id = ANY($1) AND EXISTS (
                SELECT 1 FROM amp_jobs.job o WHERE o.tenant_id = j.tenant_id AND o.key = j.key AND o.state IN ('queued', 'running')
                  AND (o.state = 'running' OR (j.attempt = 0 AND o.attempt = 0 AND o.ordinal < j.ordinal AND o.run_at <= now())))
            """,
            [keyed.Select(job => job.Id).ToArray()], r => r.GetGuid(0), cancellationToken)];
    }

    /// <summary>Ends attempts whose leases still hold, and gives their jobs.</summary>
    private static async Task<IReadOnlySet<Guid>> EndAsync(
        NpgsqlConnection connection, TenantLedger ledger, IReadOnlyList<AttemptEnd> ends, CancellationToken cancellationToken)
    {
        var done = new HashSet<Guid>();
        var complete = ends.Where(end => end.Verdict is JobVerdict.Complete).ToList();
        if (complete.Count > 0)
        {
            var completed = await connection.QueryAsync(
                $"""
                UPDATE amp_jobs.job SET state = 'completed', result = n.result, finished_at = now(), deadline_at = NULL
                FROM unnest($1::uuid[], $2::bigint[], $3::json[]) AS n(done, held, result)
                WHERE id = n.done AND lease = n.held AND state = 'running' RETURNING {JobRow.ColumnsOf("job")}
                """,
                [complete.Select(end => end.Id).ToArray(), complete.Select(end => end.Lease).ToArray(), Sql.JsonArray(complete.Select(end => end.Result))],
                JobRow.Read, cancellationToken);
            foreach (var job in completed)
            {
                ledger[job.TenantId].Running--;
                ledger.Tell(job.TenantId, JobTopics.Completed, job.Completed(ledger.Now));
                done.Add(job.Id);
            }
        }

        var others = ends.Where(end => end.Verdict is not JobVerdict.Complete).ToList();
        if (others.Count > 0)
        {
            var jobs = await ReadAsync(connection, [.. others.Select(end => end.Id)], "state = 'running'", cancellationToken);
            foreach (var end in others)
            {
                if (jobs.GetValueOrDefault(end.Id) is { } job && job.Lease == end.Lease)
                {
                    await EndAttemptAsync(connection, ledger, job, end, end.Reason, cancellationToken);
                    done.Add(job.Id);
                }
            }
        }

        return done;
    }

    /// <summary>
    /// Attempts that have ended as these ends say: they were sent before, and the answer was lost. A lease shows it as long as nobody else
    /// takes the job, a failure by its row for ever.
    /// </summary>
    private static async Task<IReadOnlyList<AttemptEnd>> FindEndedBeforeAsync(NpgsqlConnection connection, IReadOnlyList<AttemptEnd> ends, CancellationToken cancellationToken)
    {
        var found = (await connection.QueryAsync(
            """
            SELECT id, n.held, j.lease = n.held, state, e.kind FROM unnest($1::uuid[], $2::bigint[]) AS n(ended, held) JOIN amp_jobs.job j ON id = n.ended
                LEFT JOIN amp_jobs.job_error e ON e.job_id = n.ended AND e.lease = n.held
            """,
            [ends.Select(end => end.Id).ToArray(), ends.Select(end => end.Lease).ToArray()],
            r => (Key: (r.GetGuid(0), r.GetInt64(1)), IsLast: r.GetBoolean(2), State: r.GetString(3), Fault: r.TextOrNull(4)), cancellationToken)).ToDictionary(job => job.Key);
        return [.. ends.Where(end => found.TryGetValue((end.Id, end.Lease), out var job) && (end.Verdict, job.State) switch
        {
            // Nobody but the lease's holder completes, be it with rows of the handler's.
            (_, "completed") => job.IsLast,
            (JobVerdict.Retry or JobVerdict.GiveUp, _) when job.Fault is not null => job.Fault == end.Fault?.Kind,
            (JobVerdict.GiveBack or JobVerdict.Snooze, "queued") => job.IsLast && job.Fault is null,
            (not JobVerdict.Complete, "cancelled") => job.IsLast,
            _ => false,
        })];
    }

    /// <summary>Ends the attempt of a running job whose row is locked.</summary>
    private static async Task EndAttemptAsync(
        NpgsqlConnection connection, TenantLedger ledger, JobRow job, AttemptEnd end, string reason, CancellationToken cancellationToken)
    {
        var (verdict, fault) = (end.Verdict, Storable(end.Fault ?? new JobFault("Unknown", "it was not said why")));
        var tenant = ledger[job.TenantId];
        tenant.Running--;
        if (job.CancelRequested || verdict is JobVerdict.Cancel)
        {
            await SetAsync("state = 'cancelled', finished_at = now()");
            ledger.Tell(job.TenantId, JobTopics.Cancelled, job.Cancelled(job.CancelRequested ? "user" : "system", fault.Message, ledger.Now));
            return;
        }

        if (tenant.Status == "closed" && (verdict is JobVerdict.GiveBack or JobVerdict.Snooze || (verdict is JobVerdict.Retry && job.Attempt < job.MaxAttempts)))
        {
            // Nobody would ever take it again.
            await SetAsync("state = 'cancelled', cancel_requested = TRUE, finished_at = now()");
            ledger.Tell(job.TenantId, JobTopics.Cancelled, job.Cancelled("system", TenantDeleted, ledger.Now));
            return;
        }

        if (verdict is JobVerdict.GiveBack or JobVerdict.Snooze)
        {
            tenant.Queued++;
            await SetAsync(
                "state = 'queued', attempt = attempt - 1, dispatched_at = NULL, run_at = now() + $2", verdict is JobVerdict.Snooze ? end.Pause ?? FirstPause : TimeSpan.Zero);
            return;
        }

        await connection.ExecuteAsync(
            "INSERT INTO amp_jobs.job_error (job_id, attempt, lease, at, kind, message, code) VALUES ($1, $2, $3, now(), $4, $5, $6)",
            [job.Id, job.Attempt, job.Lease, fault.Kind, fault.Message, Sql.Text(fault.Code)], cancellationToken);
        var error = JobRow.Error(fault);
        if (verdict is JobVerdict.Retry && job.Attempt < job.MaxAttempts)
        {
            var wait = end.Pause ?? PauseAfter(job.Attempt);
            await SetAsync("state = 'retrying', run_at = now() + $2, last_error = $3", wait, Sql.JsonText(error.ToJsonString()));
            ledger.Tell(job.TenantId, JobTopics.Failed, job.Failed("retrying", reason, error, ledger.Now, ledger.Now + wait));
            return;
        }

        if (verdict is JobVerdict.GiveUp && !end.ToDeadLetters)
        {
            await SetAsync("state = 'failed', finished_at = now(), last_error = $2", Sql.JsonText(error.ToJsonString()));
            ledger.Tell(job.TenantId, JobTopics.Failed, job.Failed("failed", reason, error, ledger.Now, nextRunAt: null));
            return;
        }

        await SetAsync("state = 'deadlettered', finished_at = now(), last_error = $2", Sql.JsonText(error.ToJsonString()));
        await connection.ExecuteAsync(
            "INSERT INTO amp_jobs.job_dlq (job_id, tenant_id, type, reason, error, attempts, dead_at) VALUES ($1, $2, $3, $4, $5, $6, now())",
            [job.Id, job.TenantId, job.Type, reason, Sql.JsonText(error.ToJsonString()), job.Attempt], cancellationToken);
        ledger.Tell(job.TenantId, JobTopics.Failed, job.Failed("deadlettered", reason, error, ledger.Now, nextRunAt: null));
        ledger.Tell(job.TenantId, JobTopics.DeadLettered, job.DeadLettered(reason, error, ledger.Now));

        Task SetAsync(string changes, params object[] values) => connection.ExecuteAsync(
            $"UPDATE amp_jobs.job SET deadline_at = NULL, {changes} WHERE id = $1", [job.Id, .. values], cancellationToken);
    }

    /// <summary>As much of a handler's message as is kept, without what the database has no room for: NUL and halves of characters.</summary>
    private static JobFault Storable(JobFault fault)
    {
        var cut = fault.Message.Length > MaxFaultLength ? fault.Message[..MaxFaultLength] : fault.Message;
        return fault with { Message = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(cut)).Replace('\0', '\uFFFD') };
    }

    /// <summary>Twice as long with each attempt, and somewhere in its upper half, so that what failed together does not come back together.</summary>
    private static TimeSpan PauseAfter(int attempt)
    {
        var longest = FirstPause * Math.Pow(2, Math.Min(attempt - 1, 30));
        return (longest < LongestPause ? longest : LongestPause) * (0.5 + (Random.Shared.NextDouble() / 2));
    }
}
