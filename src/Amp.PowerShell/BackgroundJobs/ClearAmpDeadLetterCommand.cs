using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Deletes dead letters for good. What they were is told by their tenants' events only.</summary>
[Cmdlet(VerbsCommon.Clear, "AmpDeadLetter", DefaultParameterSetName = "Filter", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
public sealed class ClearAmpDeadLetterCommand : DeadLetterCmdlet
{
    private protected override string Action => "Delete for good";

    private protected override Task ChangeAsync(AmpBackgroundJobs jobs, Guid[] jobIds, PipelineWriter pipeline, CancellationToken cancellationToken) =>
        jobs.PurgeAsync(jobIds, cancellationToken);
}
