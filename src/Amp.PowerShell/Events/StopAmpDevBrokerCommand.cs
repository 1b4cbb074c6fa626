using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Events;

/// <summary>Stops development brokers that run in this process; what was published to them is gone.</summary>
[Cmdlet(VerbsLifecycle.Stop, "AmpDevBroker", SupportsShouldProcess = true)]
public sealed class StopAmpDevBrokerCommand : StopLocalCmdlet
{
    /// <summary>Their addresses; wildcards are allowed. All of them when left out.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LocalBrokerCompleter))]
    [SupportsWildcards]
    public string[] BootstrapServers { get; set; } = ["*"];

    /// <inheritdoc/>
    protected override void ProcessRecord() => Stop(
        AmpSession.Brokers, BootstrapServers, "Stop development broker", address => AmpErrors.NotFound(
            "DevBrokerNotInSession", $"No development broker at '{address}' runs in this process.", address,
            "Stop-AmpDevBroker without parameters stops all that this process runs."));
}
