using System.Management.Automation;
using Amp.Hosting;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Lets the background jobs of suspended tenants go on.</summary>
[Cmdlet(VerbsLifecycle.Resume, "AmpTenant", SupportsShouldProcess = true)]
[OutputType(typeof(AmpQuota))]
public sealed class ResumeAmpTenantCommand : TenantCmdlet
{
    private protected override string Action => "Resume";

    private protected override Task<AmpQuota> ChangeAsync(AmpBackgroundJobs jobs, Guid tenantId, CancellationToken cancellationToken) =>
        jobs.SetSuspendedAsync(tenantId, isSuspended: false, cancellationToken);
}
