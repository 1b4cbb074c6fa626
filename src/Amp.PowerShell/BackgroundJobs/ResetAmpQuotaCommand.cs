using System.Management.Automation;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Counts the background jobs that tenants have submitted today anew, before the day is over.</summary>
[Cmdlet(VerbsCommon.Reset, "AmpQuota", SupportsShouldProcess = true)]
[OutputType(typeof(AmpQuota))]
public sealed class ResetAmpQuotaCommand : BackgroundJobCmdlet
{
    /// <summary>Tenants.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TenantCompleter))]
    public Guid[] TenantId { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var tenantId in TenantId)
        {
            if (ShouldProcess($"tenant {tenantId}", "Reset quota"))
            {
                Run(async (jobs, pipeline, cancellationToken) => await pipeline.OutputAsync(await jobs.ResetQuotaAsync(tenantId, cancellationToken)));
            }
        }
    }
}
