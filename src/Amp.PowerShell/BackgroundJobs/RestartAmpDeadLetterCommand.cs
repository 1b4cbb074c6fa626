using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Queues dead letters again, within their tenants' quotas. Their attempts are counted anew.</summary>
[Cmdlet(VerbsLifecycle.Restart, "AmpDeadLetter", DefaultParameterSetName = "Filter", SupportsShouldProcess = true)]
[OutputType(typeof(AmpBackgroundJob))]
public sealed class RestartAmpDeadLetterCommand : DeadLetterCmdlet
{
    private protected override string Action => "Restart";

    private protected override async Task ChangeAsync(AmpBackgroundJobs jobs, Guid[] jobIds, PipelineWriter pipeline, CancellationToken cancellationToken)
    {
        await jobs.ReplayAsync(jobIds, cancellationToken);
        await foreach (var job in jobs.GetJobsAsync(new Amp.BackgroundJobs.BackgroundJobQuery { JobIds = jobIds }, cancellationToken))
        {
            await pipeline.OutputAsync(job);
        }
    }
}
