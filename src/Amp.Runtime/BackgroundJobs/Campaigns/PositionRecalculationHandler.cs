using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs.Campaigns;

/// <summary>
/// Recalculates the positions of a campaign, <c>job.position.recalculate</c>: the original position less the points of each verified referral.
/// Payload: <c>campaign_id</c>; <c>points_per_referral</c>, where it shall not be the campaign's own.
/// </summary>
internal sealed class PositionRecalculationHandler : CampaignJobHandler
{
    private const int MostPoints = 1_000_000;

    /// <inheritdoc/>
    protected override Task<AmpJobAnswer> DoAsync(JobContext context, CampaignPayload payload, CancellationToken cancellationToken)
    {
        var (campaignId, points) = (payload.Id("campaign_id"), payload.Integer("points_per_referral", 0, MostPoints));
        return context.CompleteInTransactionAsync(
            async connection =>
            {
                // One recalculation of a campaign at a time: the second sees what the first wrote, and they do not wait for each other's users.
                var own = await connection.ScalarAsync<int?>(
                    "SELECT points_per_referral FROM amp_campaigns.campaign WHERE id = $1 AND tenant_id = $2 FOR NO KEY UPDATE", [campaignId, context.Job.TenantId], cancellationToken)
                    ?? throw new JobRefusal($"Tenant {context.Job.TenantId} has no campaign {campaignId}.");
                return await RecalculateAsync(connection, campaignId, points ?? own, cancellationToken);
            },
            cancellationToken);
    }

    private static async Task<object?> RecalculateAsync(NpgsqlConnection connection, Guid campaignId, int points, CancellationToken cancellationToken)
    {
        await using var command = connection.Command(
            """
            WITH target AS (
                SELECT u.id, u.position AS present, u.original_position - coalesce(v.referrals, 0) * $2::bigint AS position
                FROM amp_campaigns.campaign_user u LEFT JOIN (
                    SELECT referrer_id, count(*) AS referrals FROM amp_campaigns.referral
                    WHERE campaign_id = $1 AND verified_at IS NOT NULL GROUP BY referrer_id
                ) v ON v.referrer_id = u.id
                WHERE u.campaign_id = $1
            ), changed AS (
                UPDATE amp_campaigns.campaign_user u SET position = t.position FROM target t WHERE u.id = t.id AND t.present <> t.position RETURNING 1
            )
            SELECT (SELECT count(*) FROM target), (SELECT count(*) FROM changed)
            """,
            campaignId, points);

        // The job's time limit ends it, by the token.
        command.CommandTimeout = 0;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new { Users = reader.GetInt64(0), Changed = reader.GetInt64(1) };
    }
}
