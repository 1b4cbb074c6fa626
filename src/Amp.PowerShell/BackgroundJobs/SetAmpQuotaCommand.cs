using System.Management.Automation;
using Amp.Hosting;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Sets what tenants may do with background jobs; makes those that are not there. What is not given stays as it is.</summary>
[Cmdlet(VerbsCommon.Set, "AmpQuota", SupportsShouldProcess = true)]
[OutputType(typeof(AmpQuota))]
public sealed class SetAmpQuotaCommand : TenantCmdlet
{
    /// <summary>Tier, whose limits hold where none is given: <c>free</c>, <c>standard</c>, <c>pro</c>, <c>enterprise</c>, or a name of your own with the limits of <c>standard</c>.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(TierCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Tier { get; set; }

    /// <summary>Jobs that may be submitted in a day (UTC).</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int? DailyLimit { get; set; }

    /// <summary>Jobs that may wait.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int? QueuedLimit { get; set; }

    /// <summary>Jobs that may run at once.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int? RunningLimit { get; set; }

    /// <summary>Bytes that a payload may have.</summary>
    [Parameter]
    [ValidateRange(2, 900_000)]
    public int? PayloadLimit { get; set; }

    private protected override string Action => "Set quota";

    private protected override Task<AmpQuota> ChangeAsync(AmpBackgroundJobs jobs, Guid tenantId, CancellationToken cancellationToken) =>
        jobs.SetQuotaAsync(tenantId, Tier, DailyLimit, QueuedLimit, RunningLimit, PayloadLimit, cancellationToken);
}
