using System.Management.Automation;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Queues background jobs again that failed or are dead letters, and lets those begin at once that wait for their next attempt.</summary>
[Cmdlet(VerbsLifecycle.Restart, "AmpBackgroundJob", SupportsShouldProcess = true)]
[OutputType(typeof(AmpBackgroundJob))]
public sealed class RestartAmpBackgroundJobCommand : BackgroundJobCmdlet
{
    /// <summary>Numbers of the jobs.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(BackgroundJobIdCompleter))]
    public Guid[] JobId { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var jobId in JobId)
        {
            if (ShouldProcess($"background job {jobId}", "Restart"))
            {
                Run(async (jobs, pipeline, cancellationToken) => await pipeline.OutputAsync(await jobs.RestartAsync(jobId, cancellationToken)));
            }
        }
    }
}
