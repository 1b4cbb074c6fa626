using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Workers;

/// <summary>Gets the workers of the deployment, alive or not.</summary>
[Cmdlet(VerbsCommon.Get, "AmpWorker")]
[OutputType(typeof(AmpWorker))]
public sealed class GetAmpWorkerCommand : AmpDeploymentCmdlet
{
    /// <summary>Node ids; wildcards are allowed. All workers when left out.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(NodeIdCompleter))]
    [SupportsWildcards]
    public string[]? NodeId { get; set; }

    /// <summary>Only workers whose heartbeat is older than this.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? Stale { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var filter = new NameFilter(NodeId);
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            await foreach (var worker in deployment.Client.GetWorkersAsync(cancellationToken))
            {
                if (filter.IsMatch(worker.NodeId) && (Stale is null || worker.HeartbeatAge > Stale))
                {
                    await pipeline.OutputAsync(worker);
                }
            }

            foreach (var nodeId in filter.Missing)
            {
                await pipeline.ErrorAsync(AmpErrors.NotFound(
                    "WorkerNotFound", $"No worker '{nodeId}' has ever registered.", nodeId, "Get-AmpWorker lists the workers there are."));
            }
        });
    }
}
