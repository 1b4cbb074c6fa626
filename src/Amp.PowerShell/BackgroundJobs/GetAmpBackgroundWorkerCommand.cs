using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Gets the workers of background jobs, of all machines.</summary>
[Cmdlet(VerbsCommon.Get, "AmpBackgroundWorker")]
[OutputType(typeof(AmpBackgroundWorker))]
public sealed class GetAmpBackgroundWorkerCommand : BackgroundJobCmdlet
{
    /// <summary>Only these workers.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LocalBackgroundWorkerCompleter))]
    public Guid[]? WorkerId { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        // A job that no worker has had says null.
        if (WorkerId is not { } ids)
        {
            return;
        }

        Run(async (jobs, pipeline, cancellationToken) =>
        {
            var workers = await jobs.GetWorkersAsync(cancellationToken);
            foreach (var worker in workers.Where(worker => ids.Length == 0 || ids.Contains(worker.WorkerId)))
            {
                await pipeline.OutputAsync(worker);
            }

            foreach (var missing in ids.Except(workers.Select(worker => worker.WorkerId)))
            {
                await pipeline.ErrorAsync(AmpErrors.NotFound(
                    "BackgroundWorkerNotFound", $"There is no background worker {missing}.", missing, "Get-AmpBackgroundWorker lists those that have not been stopped."));
            }
        });
    }
}
