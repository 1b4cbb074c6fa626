using System.Management.Automation;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Holds tenants' background jobs: those that run go on, nothing else begins, and none can be submitted.</summary>
[Cmdlet(VerbsLifecycle.Suspend, "AmpTenant", SupportsShouldProcess = true)]
[OutputType(typeof(AmpQuota))]
public sealed class SuspendAmpTenantCommand : BackgroundJobCmdlet
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
            if (ShouldProcess($"tenant {tenantId}", "Suspend"))
            {
                Run(async (jobs, pipeline, cancellationToken) => await pipeline.OutputAsync(await jobs.SetSuspendedAsync(tenantId, isSuspended: true, cancellationToken)));
            }
        }
    }
}
