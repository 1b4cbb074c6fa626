using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Providers;

/// <summary>Stops development chains that run in this process.</summary>
[Cmdlet(VerbsLifecycle.Stop, "AmpDevChain", SupportsShouldProcess = true)]
public sealed class StopAmpDevChainCommand : StopLocalCmdlet
{
    /// <summary>Their addresses; wildcards are allowed. All of them when left out.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LocalChainCompleter))]
    [SupportsWildcards]
    public string[] Url { get; set; } = ["*"];

    /// <inheritdoc/>
    protected override void ProcessRecord() => Stop(AmpSession.Chains, Url, "Stop development chain", url => AmpErrors.NotFound(
        "DevChainNotInSession", $"No development chain at '{url}' runs in this process.", url,
        "Stop-AmpDevChain without parameters stops all that this process runs."));
}
