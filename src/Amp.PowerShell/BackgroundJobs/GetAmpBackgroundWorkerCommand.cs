using System.Management.Automation;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Gets the workers of background jobs, of all machines.</summary>
[Cmdlet(VerbsCommon.Get, "AmpBackgroundWorker")]
[OutputType(typeof(AmpBackgroundWorker))]
public sealed class GetAmpBackgroundWorkerCommand : BackgroundJobCmdlet
{
    /// <summary>Only these workers.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LocalBackgroundWorkerCompleter))]
    public Guid[] WorkerId { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(async (jobs, pipeline, cancellationToken) =>
    {
        foreach (var worker in await jobs.GetWorkersAsync(cancellationToken))
        {
            if (WorkerId.Length == 0 || WorkerId.Contains(worker.WorkerId))
            {
                await pipeline.OutputAsync(worker);
            }
        }
    });
}
