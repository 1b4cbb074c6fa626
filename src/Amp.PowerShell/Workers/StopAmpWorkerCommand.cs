using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Workers;

/// <summary>
/// Stops workers that run in this process: their jobs end at the last committed segment and go on when a worker with
/// the same node id starts again.
/// </summary>
[Cmdlet(VerbsLifecycle.Stop, "AmpWorker", SupportsShouldProcess = true)]
public sealed class StopAmpWorkerCommand : StopLocalCmdlet
{
    /// <summary>Node ids; wildcards are allowed.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LocalWorkerCompleter))]
    [SupportsWildcards]
    public string[] NodeId { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => Stop(AmpSession.Workers, NodeId, "Stop worker", nodeId => AmpErrors.NotFound(
        "WorkerNotInSession", $"No worker '{nodeId}' runs in this process.", nodeId,
        "A worker is stopped where it runs; Get-AmpWorker shows all workers of the deployment."));
}
