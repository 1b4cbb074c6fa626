using Amp.MetadataDb;

namespace Amp.BackgroundJobs.Campaigns;

/// <summary>Delivers a reward that a user earned, <c>job.reward.deliver</c>, once: a second delivery changes nothing. Payload: <c>user_reward_id</c>.</summary>
internal sealed class RewardDeliveryHandler : CampaignJobHandler
{
    /// <inheritdoc/>
    protected override Task<AmpJobAnswer> DoAsync(JobContext context, CampaignPayload payload, CancellationToken cancellationToken)
    {
        var id = payload.Id("user_reward_id");
        return context.CompleteInTransactionAsync(
            async connection =>
            {
                // Locked: of two jobs that deliver it at once, the second finds it delivered.
                var found = await connection.QueryAsync(
                    """
                    SELECT e.status FROM amp_campaigns.user_reward e JOIN amp_campaigns.campaign c ON c.id = e.campaign_id
                    WHERE e.id = $1 AND c.tenant_id = $2 FOR NO KEY UPDATE OF e
                    """,
                    [id, context.Job.TenantId], r => r.GetString(0), cancellationToken);
                switch (found)
                {
                    case ["pending"]:
                        await connection.ExecuteAsync(
                            "UPDATE amp_campaigns.user_reward SET status = 'delivered', delivered_at = now(), delivery_job_id = $2 WHERE id = $1",
                            [id, context.Job.JobId], cancellationToken);
                        return new { AlreadyDelivered = false };
                    case ["delivered"]:
                        return new { AlreadyDelivered = true };
                    case []:
                        throw new JobRefusal($"Tenant {context.Job.TenantId} has no earned reward {id}.");
                    default:
                        throw new JobRefusal($"The earned reward {id} is {found[0]}.");
                }
            },
            cancellationToken);
    }
}
