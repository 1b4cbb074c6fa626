using System.Management.Automation;
using Amp.Hosting;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Holds tenants' background jobs: those that run go on, nothing else begins, and none can be submitted.</summary>
[Cmdlet(VerbsLifecycle.Suspend, "AmpTenant", SupportsShouldProcess = true)]
[OutputType(typeof(AmpQuota))]
public sealed class SuspendAmpTenantCommand : TenantCmdlet
{
    private protected override string Action => "Suspend";

    private protected override Task<AmpQuota> ChangeAsync(AmpBackgroundJobs jobs, Guid tenantId, CancellationToken cancellationToken) =>
        jobs.SetSuspendedAsync(tenantId, isSuspended: true, cancellationToken);
}
