using System.Management.Automation;
using Amp.Hosting;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Counts the background jobs that tenants have submitted today anew, before the day is over.</summary>
[Cmdlet(VerbsCommon.Reset, "AmpQuota", SupportsShouldProcess = true)]
[OutputType(typeof(AmpQuota))]
public sealed class ResetAmpQuotaCommand : TenantCmdlet
{
    private protected override string Action => "Reset quota";

    private protected override Task<AmpQuota> ChangeAsync(AmpBackgroundJobs jobs, Guid tenantId, CancellationToken cancellationToken) =>
        jobs.ResetQuotaAsync(tenantId, cancellationToken);
}
