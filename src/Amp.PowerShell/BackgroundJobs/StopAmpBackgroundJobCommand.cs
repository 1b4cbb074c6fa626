using System.Management.Automation;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Cancels background jobs that wait, and asks for the cancellation of those that run.</summary>
[Cmdlet(VerbsLifecycle.Stop, "AmpBackgroundJob", SupportsShouldProcess = true)]
[OutputType(typeof(AmpBackgroundJob))]
public sealed class StopAmpBackgroundJobCommand : BackgroundJobCmdlet
{
    /// <summary>Numbers of the jobs.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(BackgroundJobIdCompleter))]
    public Guid[] JobId { get; set; } = [];

    /// <summary>Why; their events tell it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string Reason { get; set; } = "not wanted any more";

    /// <summary>Writes the job after the request.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var jobId in JobId)
        {
            if (ShouldProcess($"background job {jobId}", "Stop"))
            {
                Run(async (jobs, pipeline, cancellationToken) =>
                {
                    var job = await jobs.CancelAsync(jobId, Reason, cancellationToken);
                    if (PassThru)
                    {
                        await pipeline.OutputAsync(job);
                    }
                });
            }
        }
    }
}
