namespace Amp.BackgroundJobs.Campaigns;

/// <summary>What the handlers of campaigns share: a payload that is read strictly, and refusals that become dead letters.</summary>
internal abstract class CampaignJobHandler : IJobHandler
{
    /// <inheritdoc/>
    public async Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken)
    {
        try
        {
            return await DoAsync(context, new CampaignPayload(context.Job), cancellationToken);
        }
        catch (JobRefusal refusal)
        {
            return AmpJobAnswer.Fail(refusal.Message);
        }
    }

    /// <summary>Does a job.</summary>
    /// <exception cref="JobRefusal">The job cannot be done, now or later.</exception>
    protected abstract Task<AmpJobAnswer> DoAsync(JobContext context, CampaignPayload payload, CancellationToken cancellationToken);
}
