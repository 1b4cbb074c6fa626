using System.Management.Automation;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Lets the background jobs of suspended tenants go on.</summary>
[Cmdlet(VerbsLifecycle.Resume, "AmpTenant", SupportsShouldProcess = true)]
[OutputType(typeof(AmpQuota))]
public sealed class ResumeAmpTenantCommand : BackgroundJobCmdlet
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
            if (ShouldProcess($"tenant {tenantId}", "Resume"))
            {
                Run(async (jobs, pipeline, cancellationToken) => await pipeline.OutputAsync(await jobs.SetSuspendedAsync(tenantId, isSuspended: false, cancellationToken)));
            }
        }
    }
}
