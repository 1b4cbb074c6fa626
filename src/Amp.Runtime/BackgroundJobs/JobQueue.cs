using Amp.MetadataDb;
using Npgsql;
using NpgsqlTypes;

namespace Amp.BackgroundJobs;

/// <summary>
/// The queue of background jobs in PostgreSQL. Each method is one transaction: state, counters of the tenant and events change
/// together or not at all. Times are the database's.
/// </summary>
/// <param name="database">Where it is.</param>
/// <param name="workTopic">
/// The topic that brings jobs to workers. Null where there is no Kafka: no events are kept then, and workers look for jobs in the database.
/// </param>
internal sealed partial class JobQueue(MetadataDatabase database, string? workTopic)
{
    /// <summary>Whether events and messages to workers are written.</summary>
    public bool Publishes => workTopic is not null;

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

        var (submitted, refusal) = await AddAsync(
            $"submitting {jobs.Count} jobs", jobs.Select(job => job.TenantId), (connection, ledger) => InsertAsync(connection, ledger, jobs, cancellationToken), cancellationToken);
        return refusal is null ? submitted : throw refusal;
    }

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

    /// <summary>Queues jobs again that failed, as new ones within the tenant's quotas, and lets those go on at once that wait for their next attempt.</summary>
    /// <param name="ids">The jobs; those in other states are left out.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Those that are queued now.</returns>
    /// <exception cref="AmpException"><c>TenantSuspended</c>; <c>QuotaExceeded</c>.</exception>
    public async Task<IReadOnlySet<Guid>> RetryAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        var (retried, refusal) = await ChangeAsync("queueing jobs again", ids, async (connection, ledger) =>
        {
            var jobs = await ReadAsync(connection, ids, "state IN ('failed', 'retrying')", cancellationToken);
            if (await RefuseAgainAsync(connection, ledger, jobs.Values.Where(job => job.State == "failed"), cancellationToken) is { } refused)
            {
                return (new HashSet<Guid>(), refused);
            }

            await connection.ExecuteAsync(
                """
                UPDATE amp_jobs.job SET state = 'queued', attempt = CASE state WHEN 'failed' THEN 0 ELSE attempt END, run_at = now(), finished_at = NULL,
                    cancel_requested = FALSE, dispatched_at = CASE WHEN $2 THEN now() END
                WHERE id = ANY($1)
                """, [jobs.Keys.ToArray(), Publishes], cancellationToken);
            foreach (var job in jobs.Values)
            {
                QuotaGate.Count(ledger[job.TenantId], 1, isNew: job.State == "failed");
                ledger.Tell(job.TenantId, JobTopics.Retried, job.Retried(ledger.Now, isManual: true));
                ledger.Dispatch(job);
            }

            return (jobs.Keys.ToHashSet(), (AmpException?)null);
        }, cancellationToken);
        return refusal is null ? retried : throw refusal;
    }

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
            if (await RefuseAgainAsync(connection, ledger, jobs.Values, cancellationToken) is { } refused)
            {
                return (0, refused);
            }

            await connection.ExecuteAsync(
                """
                WITH letters AS (DELETE FROM amp_jobs.job_dlq WHERE job_id = ANY($1))
                UPDATE amp_jobs.job SET state = 'queued', attempt = 0, replays = replays + 1, run_at = now(), finished_at = NULL, cancel_requested = FALSE,
                    dispatched_at = CASE WHEN $2 THEN now() END
                WHERE id = ANY($1)
                """, [jobs.Keys.ToArray(), Publishes], cancellationToken);
            foreach (var job in jobs.Values)
            {
                QuotaGate.Count(ledger[job.TenantId], 1);
                ledger.Tell(job.TenantId, JobTopics.Replayed, job.Replayed(replayedBy, ledger.Now));
                ledger.Dispatch(job);
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

    private async Task<(IReadOnlyList<SubmittedJob> Submitted, AmpException? Refusal)> InsertAsync(
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
            var refusal = await QuotaGate.RefusePayloadAsync(connection, ledger, [.. tenant], cancellationToken)
                ?? await QuotaGate.RefuseAsync(connection, ledger, tenant.Key, tenant.Count(), tenant.First().Type, cancellationToken);
            if (refusal is not null)
            {
                return ([], refusal);
            }
        }

        var rows = await connection.QueryAsync(
            $"""
            INSERT INTO amp_jobs.job (id, tenant_id, type, key, priority, payload, state, run_at, max_attempts, idem_key, dispatched_at)
            SELECT id, tenant_id, type, key, priority, payload, 'queued', due, max_attempts, idem_key, CASE WHEN $10 AND due <= now() THEN now() END
            FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::json[], $7::timestamptz[], $8::int[], $9::text[], $11::interval[])
                AS n(id, tenant_id, type, key, priority, payload, run_at, max_attempts, idem_key, delay), coalesce(run_at, now() + delay, now()) AS due
            ON CONFLICT (id) DO NOTHING RETURNING {JobRow.Columns}
            """,
            [
                added.Select(job => job.Id).ToArray(), added.Select(job => job.TenantId).ToArray(), Sql.TextArray(added.Select(job => job.Type)),
                Sql.TextArray(added.Select(job => job.Key)), added.Select(job => job.Priority).ToArray(),
                Sql.JsonArray(added.Select(job => job.Payload)),
                new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.TimestampTz, Value = added.Select(job => job.RunAt?.UtcDateTime).ToArray() },
                added.Select(job => job.MaxAttempts).ToArray(), Sql.TextArray(added.Select(job => job.IdempotencyKey)), Publishes,
                new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Interval, Value = added.Select(job => job.Delay).ToArray() },
            ],
            JobRow.Read, cancellationToken);
        foreach (var job in rows)
        {
            QuotaGate.Count(ledger[job.TenantId], 1);
            ledger.Tell(job.TenantId, JobTopics.Enqueued, job.Enqueued());
            if (job.IsDispatched)
            {
                ledger.Dispatch(job);
            }
        }

        return (submitted, null);
    }

    private static async Task<AmpException?> RefuseAgainAsync(
        NpgsqlConnection connection, TenantLedger ledger, IEnumerable<JobRow> jobs, CancellationToken cancellationToken)
    {
        foreach (var tenant in jobs.GroupBy(job => job.TenantId))
        {
            if (await QuotaGate.RefuseAsync(connection, ledger, tenant.Key, tenant.Count(), tenant.First().Type, cancellationToken) is { } refused)
            {
                return refused;
            }
        }

        return null;
    }

    private static async Task<Dictionary<Guid, JobRow>> ReadAsync(
        NpgsqlConnection connection, IReadOnlyCollection<Guid> ids, string condition, CancellationToken cancellationToken, params object[] parameters) =>
        (await connection.QueryAsync(
            $"""
            SELECT {JobRow.Columns} FROM (SELECT DISTINCT wanted FROM unnest($1::uuid[]) wanted) w
                CROSS JOIN LATERAL (SELECT * FROM amp_jobs.job WHERE id = wanted AND {condition} FOR UPDATE) j
            """,
            [ids.ToArray(), .. parameters], JobRow.Read, cancellationToken))
        .ToDictionary(job => job.Id);

    /// <summary>Adds jobs of tenants, which are made when they are not there.</summary>
    private Task<T> AddAsync<T>(
        string action, IEnumerable<Guid> tenantIds, Func<NpgsqlConnection, TenantLedger, Task<T>> add, CancellationToken cancellationToken) =>
        database.RunInTransactionAsync(
            action,
            async connection =>
            {
                await TenantsTable.AddAsync(connection, tenantIds, cancellationToken);
                var ledger = await TenantLedger.LockAsync(connection, workTopic, tenantIds, cancellationToken);
                var result = await add(connection, ledger);
                await ledger.SaveAsync(cancellationToken);
                return result;
            },
            null, cancellationToken);

    /// <summary>Changes jobs that are there, under the lock of their tenants.</summary>
    private Task<T> ChangeAsync<T>(
        string action, IReadOnlyCollection<Guid> jobIds, Func<NpgsqlConnection, TenantLedger, Task<T>> change, CancellationToken cancellationToken) =>
        database.RunInTransactionAsync(
            action,
            async connection =>
            {
                var ledger = await TenantLedger.LockForAsync(connection, workTopic, jobIds, cancellationToken);
                var result = await change(connection, ledger);
                await ledger.SaveAsync(cancellationToken);
                return result;
            },
            null, cancellationToken);
}
