using Amp.MetadataDb;

namespace Amp.BackgroundJobs;

/// <content>What has to happen when time passes.</content>
internal sealed partial class JobQueue
{
    private const int SweepBatch = 500;

    private static readonly TimeSpan WorkerPatience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan EndedRetention = TimeSpan.FromDays(7);

    /// <summary>How long a dead letter is kept.</summary>
    public static readonly TimeSpan DeadRetention = TimeSpan.FromDays(30);

    /// <summary>
    /// Queues jobs again whose pause is over, brings those to workers whose time has come, and ends the attempts of workers that fell silent
    /// or ran out of time. Safe to run anywhere and at any time; one that runs it every second is enough.
    /// </summary>
    /// <returns>How many were queued again, how many were brought to workers, and how many attempts were ended.</returns>
    public async Task<(int Due, int Dispatched, int Lost)> SweepAsync(CancellationToken cancellationToken)
    {
        // In this order, what was lost is queued again at once.
        var lost = await EndLostAsync(cancellationToken);
        return (await QueueDueAsync(cancellationToken), Publishes ? await DispatchAsync(cancellationToken) : 0, lost);
    }

    /// <summary>
    /// Deletes what nobody needs any more, a few hundred rows at a time: ended jobs after a week, dead letters after a month (which their
    /// tenant's events tell), and what is known of consumed messages after a month.
    /// </summary>
    /// <returns>How many jobs and dead letters were deleted.</returns>
    public async Task<int> RetireAsync(CancellationToken cancellationToken)
    {
        var ended = await FindAsync("finished_at < now() - $2::interval AND state IN ('completed', 'cancelled', 'failed')", [EndedRetention], cancellationToken, "finished_at");
        await database.RunAsync("deleting ended jobs", c => c.ExecuteAsync(
            "DELETE FROM amp_jobs.job WHERE id = ANY($1) AND state IN ('completed', 'cancelled', 'failed')", [ended.ToArray()], cancellationToken), null, cancellationToken);
        var dead = await FindAsync("finished_at < now() - $2::interval AND state = 'deadlettered'", [DeadRetention], cancellationToken, "finished_at");
        await database.RunAsync("deleting what was consumed", c => c.ExecuteAsync(
            "DELETE FROM amp_jobs.inbox WHERE seen_at < now() - $1::interval", [DeadRetention], cancellationToken), null, cancellationToken);
        return ended.Count + await PurgeAsync(dead, "retention", cancellationToken);
    }

    private async Task<int> QueueDueAsync(CancellationToken cancellationToken)
    {
        var due = await FindAsync("state = 'retrying' AND run_at <= now()", [], cancellationToken);
        return due.Count == 0 ? 0 : await ChangeAsync("queueing jobs again", due, async (connection, ledger) =>
        {
            var queued = await connection.QueryAsync(
                $"UPDATE amp_jobs.job SET state = 'queued', dispatched_at = CASE WHEN $2 THEN now() END WHERE id = ANY($1) AND state = 'retrying' AND run_at <= now() RETURNING {JobRow.Columns}",
                [due.ToArray(), Publishes], JobRow.Read, cancellationToken);
            foreach (var job in queued)
            {
                ledger[job.TenantId].Queued++;
                ledger.Tell(job.TenantId, JobTopics.Retried, job.Retried(ledger.Now, isManual: false));
                ledger.Dispatch(job);
            }

            return queued.Count;
        }, cancellationToken);
    }

    private async Task<int> DispatchAsync(CancellationToken cancellationToken)
    {
        const string undispatched = "state = 'queued' AND dispatched_at IS NULL AND run_at <= now()";

        // Without those of tenants that may not work: they would be found again and again, before all others.
        const string ofActive = "tenant_id <> ALL(ARRAY(SELECT tenant_id FROM amp_jobs.job_tenant WHERE status <> 'active'))";
        var ready = await FindAsync($"{undispatched} AND {ofActive}", [], cancellationToken);
        return ready.Count == 0 ? 0 : await ChangeAsync("dispatching jobs", ready, async (connection, ledger) =>
        {
            // Those of a suspended tenant wait until it may work again.
            var jobs = (await ReadAsync(connection, ready, undispatched, cancellationToken)).Values.Where(job => ledger[job.TenantId].Status == "active").ToList();
            await connection.ExecuteAsync("UPDATE amp_jobs.job SET dispatched_at = now() WHERE id = ANY($1)", [jobs.Select(job => job.Id).ToArray()], cancellationToken);
            jobs.ForEach(ledger.Dispatch);
            return jobs.Count;
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

                // A worker that died is not the job's fault, as far as one time shows; a job that kills its workers waits as any that fails.
                TimeSpan? pause = reason == "lease_expired" && job.Attempt == 1 ? TimeSpan.Zero : null;
                await EndAttemptAsync(connection, ledger, job, new AttemptEnd(job.Id, job.Lease, JobVerdict.Retry) { Fault = fault, Pause = pause }, reason, cancellationToken);
            }

            return jobs.Count;
        }, cancellationToken);
    }

    private Task<List<Guid>> FindAsync(string condition, object[] parameters, CancellationToken cancellationToken, string order = "run_at") =>
        database.QueryByIndexAsync(
            "looking for jobs", $"SELECT id FROM amp_jobs.job WHERE {condition} ORDER BY {order} LIMIT $1", [SweepBatch, .. parameters], r => r.GetGuid(0), cancellationToken);
}
