using System.Globalization;
using System.Net.Mail;
using System.Text;
using Amp.MetadataDb;

namespace Amp.BackgroundJobs.Campaigns;

/// <summary>
/// Sends the e-mails of campaigns: <c>job.email.verification</c> and the other kinds. Payload: <c>campaign_id</c>, <c>user_id</c>; <c>type</c>,
/// which must be the job's; <c>user_reward_id</c>, for another reward than the user's last; and whatever else the template uses.
/// </summary>
/// <remarks>
/// An e-mail is sent once, but for one window: when this process ends, or its job is taken from it, after the server took the e-mail and
/// before that is recorded, it is sent again, with the same <c>Message-ID</c>.
/// </remarks>
internal sealed class EmailJobHandler(MetadataDatabase database, SmtpSender sender, EmailTemplates templates) : CampaignJobHandler
{
    private const string TypePrefix = "job.email.";

    private static readonly TimeSpan RecordingPatience = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    protected override async Task<AmpJobAnswer> DoAsync(JobContext context, CampaignPayload payload, CancellationToken cancellationToken)
    {
        var kind = KindOf(context.Job, payload);
        var jobId = context.Job.JobId;
        if (await database.RunAsync(
            "looking for an e-mail sent before",
            connection => connection.ScalarAsync<bool>("SELECT EXISTS (SELECT 1 FROM amp_campaigns.sent_email WHERE job_id = $1)", [jobId], cancellationToken),
            null, cancellationToken))
        {
            return AmpJobAnswer.Complete(new { MessageId = sender.MessageId(jobId), AlreadySent = true });
        }

        var (userId, values) = await ReadAsync(context.Job, payload, cancellationToken);
        if (!MailAddress.TryCreate(values["email"], EmailTemplate.OneLine(values["user_name"]), Encoding.UTF8, out var to))
        {
            throw new JobRefusal($"User {userId} has no e-mail address that can be used.");
        }

        var content = await templates.RenderAsync(kind, values, cancellationToken);
        if (await sender.SendAsync(jobId, to, content, cancellationToken) is { } failure)
        {
            return failure;
        }

        // Recorded also when this worker is to stop: the e-mail is sent.
        using var patience = new CancellationTokenSource(RecordingPatience);
        return await context.CompleteInTransactionAsync(
            async connection =>
            {
                await connection.ExecuteAsync(
                    "INSERT INTO amp_campaigns.sent_email (job_id, user_id, kind) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", [jobId, userId, kind], patience.Token);
                return new { MessageId = sender.MessageId(jobId), AlreadySent = false };
            },
            patience.Token);
    }

    private static string KindOf(AmpBackgroundJob job, CampaignPayload payload)
    {
        var kind = job.Type.StartsWith(TypePrefix, StringComparison.Ordinal) ? job.Type[TypePrefix.Length..] : "";
        if (!EmailTemplates.Kinds.Contains(kind))
        {
            throw new JobRefusal($"{job.Type} is no kind of e-mail; there are {TypePrefix}{string.Join(", ", EmailTemplates.Kinds)}.");
        }

        return payload.Text("type") is { } type && type != kind ? throw new JobRefusal($"The payload of {job.Type} says type '{type}'.") : kind;
    }

    /// <summary>What templates may use. What the database knows stands for itself, whatever the payload says.</summary>
    private async Task<(Guid UserId, Dictionary<string, string> Values)> ReadAsync(AmpBackgroundJob job, CampaignPayload payload, CancellationToken cancellationToken)
    {
        var (campaignId, userId, rewardId) = (payload.Id("campaign_id"), payload.Id("user_id"), payload.IdOrNull("user_reward_id"));
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in payload.Values())
        {
            values[name] = value;
        }

        var found = await database.RunAsync(
            "reading who an e-mail is for",
            connection => connection.QueryAsync(
                """
                SELECT c.id::text AS campaign_id, c.name AS campaign_name, c.url AS campaign_url, u.id::text AS user_id, u.email, u.name AS user_name,
                    u.position, u.original_position, u.verification_token::text,
                    (SELECT count(*) FROM amp_campaigns.referral r
                        WHERE r.campaign_id = c.id AND r.referrer_id = u.id AND r.verified_at IS NOT NULL) AS verified_referrals,
                    (SELECT w.name FROM amp_campaigns.user_reward e JOIN amp_campaigns.reward w ON w.id = e.reward_id
                        WHERE e.user_id = u.id AND e.status <> 'revoked' AND ($4::uuid IS NULL OR e.id = $4) ORDER BY e.earned_at DESC LIMIT 1) AS reward_name
                FROM amp_campaigns.campaign c LEFT JOIN amp_campaigns.campaign_user u ON u.campaign_id = c.id AND u.id = $2
                WHERE c.id = $1 AND c.tenant_id = $3
                """,
                [campaignId, userId, job.TenantId, rewardId],
                reader =>
                {
                    for (var column = 0; column < reader.FieldCount; column++)
                    {
                        if (!reader.IsDBNull(column))
                        {
                            values[reader.GetName(column)] = Convert.ToString(reader.GetValue(column), CultureInfo.InvariantCulture)!;
                        }
                    }

                    return !reader.IsDBNull(reader.GetOrdinal("email"));
                },
                cancellationToken),
            null, cancellationToken);
        return found switch
        {
            [] => throw new JobRefusal($"Tenant {job.TenantId} has no campaign {campaignId}."),
            [false] => throw new JobRefusal($"Campaign {campaignId} has no user {userId}."),
            _ => (userId, values),
        };
    }
}
