using System.Management.Automation;
using Amp.Hosting;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Gets what tenants may do with background jobs, and how much of it they use.</summary>
[Cmdlet(VerbsCommon.Get, "AmpQuota")]
[OutputType(typeof(AmpQuota))]
public sealed class GetAmpQuotaCommand : BackgroundJobCmdlet
{
    /// <summary>Tenants; all when left out.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TenantCompleter))]
    [ValidateNotNull]
    public Guid[] TenantId { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(async (jobs, pipeline, cancellationToken) =>
    {
        var quotas = await jobs.GetQuotasAsync(TenantId, cancellationToken);
        foreach (var quota in quotas)
        {
            await pipeline.OutputAsync(quota);
        }

        foreach (var missing in TenantId.Except(quotas.Select(quota => quota.TenantId)))
        {
            await pipeline.ErrorAsync(AmpBackgroundJobs.TenantNotFound(missing));
        }
    });
}
