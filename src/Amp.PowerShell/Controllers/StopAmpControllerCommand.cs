using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Controllers;

/// <summary>Stops controllers that run in this process; where others run, one of them leads from then on.</summary>
[Cmdlet(VerbsLifecycle.Stop, "AmpController", SupportsShouldProcess = true)]
public sealed class StopAmpControllerCommand : StopLocalCmdlet
{
    /// <summary>Metadata databases, as <c>Start-AmpController</c> gave them; wildcards are allowed. All when left out.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LocalControllerCompleter))]
    [SupportsWildcards]
    public string[] MetadataDb { get; set; } = ["*"];

    /// <inheritdoc/>
    protected override void ProcessRecord() => Stop(AmpSession.Controllers, MetadataDb, "Stop controller", name => AmpErrors.NotFound(
        "ControllerNotInSession", $"No controller of '{name}' runs in this process.", name, "A controller is stopped where it runs."));
}
