using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>
/// Stops workers of background jobs that run in this process: their jobs go on for the drain time; what remains is given back, and begins
/// elsewhere without having used an attempt.
/// </summary>
[Cmdlet(VerbsLifecycle.Stop, "AmpBackgroundWorker", SupportsShouldProcess = true)]
public sealed class StopAmpBackgroundWorkerCommand : StopLocalCmdlet
{
    /// <summary>Numbers of the workers; wildcards are allowed.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LocalBackgroundWorkerCompleter))]
    [SupportsWildcards]
    public string[] WorkerId { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => Stop(AmpSession.BackgroundWorkers, WorkerId, "Stop background worker", id => AmpErrors.NotFound(
        "BackgroundWorkerNotInSession", $"No background worker '{id}' runs in this process.", id,
        "A worker is stopped where it runs; Get-AmpBackgroundWorker shows all of the deployment."));
}
