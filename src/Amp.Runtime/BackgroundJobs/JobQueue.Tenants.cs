namespace Amp.BackgroundJobs;

/// <content>What happens to all jobs of a tenant.</content>
internal sealed partial class JobQueue
{
    /// <summary>Why jobs of a closed tenant are cancelled.</summary>
    public const string TenantDeleted = "the tenant was deleted";

    private const int CancelBatch = 500;

    /// <summary>
    /// Cancels all jobs of a closed tenant that wait, a few hundred in a transaction; those that run end by themselves, and are not tried
    /// again. Since nobody adds jobs to a closed tenant, none waits when it returns. Safe to repeat; a repetition does what was not done.
    /// </summary>
    /// <param name="tenantId">The tenant.</param>
    /// <param name="cancelledBy"><c>user</c> or <c>system</c>.</param>
    /// <param name="reason">Why.</param>
    /// <param name="cancellationToken">Gives up; what is cancelled stays so.</param>
    /// <returns>How many were cancelled.</returns>
    public async Task<int> CancelAllOfTenantAsync(Guid tenantId, string cancelledBy, string reason, CancellationToken cancellationToken)
    {
        // Page by page along the ids, since no index has a tenant's jobs: all pages together read the table once.
        for (var (last, count) = (Guid.Empty, 0); ;)
        {
            var page = await database.QueryByIndexAsync(
                "looking for a tenant's jobs",
                "SELECT id FROM amp_jobs.job WHERE tenant_id = $1 AND state IN ('queued', 'retrying') AND id > $2 ORDER BY id LIMIT $3",
                [tenantId, last, CancelBatch], r => r.GetGuid(0), cancellationToken);
            if (page.Count == 0)
            {
                return count;
            }

            count += (await CancelAsync(page, cancelledBy, reason, cancellationToken)).Values.Count(state => state == "cancelled");
            last = page[^1];
        }
    }
}
