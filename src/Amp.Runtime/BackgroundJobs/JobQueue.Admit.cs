using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <content>Jobs that other producers write to the work topic.</content>
internal sealed partial class JobQueue
{
    /// <summary>
    /// Queues the jobs of messages that another producer wrote, each message once however often it is read. A job that its tenant may not
    /// have cannot be refused any more: it becomes a dead letter, to be replayed when there is room.
    /// </summary>
    /// <param name="topic">The topic they were read from.</param>
    /// <param name="messages">The messages, in their order.</param>
    /// <param name="cancellationToken">Gives up; repeating it is safe.</param>
    public Task AdmitAsync(string topic, IReadOnlyList<JobMessage> messages, CancellationToken cancellationToken) =>
        AddAsync("queueing jobs of messages", messages.Select(message => message.TenantId), async (connection, ledger) =>
        {
            var unseen = (await connection.QueryAsync(
                "INSERT INTO amp_jobs.inbox (source, event_id) SELECT $1, id FROM unnest($2::text[]) id ON CONFLICT DO NOTHING RETURNING event_id",
                [topic, Sql.TextArray(messages.Select(message => message.Id.ToString()))], r => Guid.Parse(r.GetString(0)), cancellationToken)).ToHashSet();
            foreach (var message in messages.Where(message => unseen.Remove(message.Id)))
            {
                var job = message.ToSubmission();
                if ((await InsertAsync(connection, ledger, [job], cancellationToken)).Refusal is { } refusal)
                {
                    await InsertDeadAsync(connection, ledger, job, refusal, cancellationToken);
                }
            }

            return messages.Count;
        }, cancellationToken);

    private static async Task InsertDeadAsync(
        NpgsqlConnection connection, TenantLedger ledger, JobSubmission job, AmpException refusal, CancellationToken cancellationToken)
    {
        var error = JobRow.Error(new JobFault(refusal.ErrorCode, refusal.Message));
        var row = (await connection.QueryAsync(
            $"""
            WITH dead AS (
                INSERT INTO amp_jobs.job (id, tenant_id, type, key, priority, payload, state, run_at, max_attempts, finished_at, last_error)
                VALUES ($1, $2, $3, $4, $5, $6, 'deadlettered', now(), $7, now(), $8) RETURNING *),
            letter AS (
                INSERT INTO amp_jobs.job_dlq (job_id, tenant_id, type, reason, error, attempts, dead_at) SELECT id, tenant_id, type, 'refused', last_error, 0, now() FROM dead)
            SELECT {JobRow.Columns} FROM dead
            """,
            [job.Id, job.TenantId, job.Type, Sql.Text(job.Key), job.Priority, Sql.JsonText(job.Payload), job.MaxAttempts, Sql.JsonText(error.ToJsonString())],
            JobRow.Read, cancellationToken))[0];
        ledger.Tell(job.TenantId, JobTopics.DeadLettered, row.DeadLettered("refused", error, ledger.Now));
    }
}
