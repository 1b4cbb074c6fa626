using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Workers;

/// <summary>Stops services that <c>Register-AmpWorkerService</c> made, and removes them.</summary>
[Cmdlet(VerbsLifecycle.Unregister, "AmpWorkerService", SupportsShouldProcess = true)]
public sealed class UnregisterAmpWorkerServiceCommand : AmpCmdlet
{
    /// <summary>Node ids; wildcards are allowed.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] NodeId { get; set; } = [];

    /// <summary>Whose service manager runs them.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public AmpServiceScope Scope { get; set; } = AmpServiceScope.System;

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var filter = new NameFilter(NodeId);
        foreach (var nodeId in ServiceEntry.NodeIds(Scope).Where(nodeId => filter.IsMatch(nodeId)))
        {
            var service = ServiceEntry.Of(nodeId, Scope);
            if (ShouldProcess(service.Path, "Stop and remove service"))
            {
                Run((_, cancellationToken) => service.UnregisterAsync(cancellationToken));
            }
        }

        foreach (var nodeId in filter.Missing)
        {
            WriteError(AmpErrors.From(AmpErrors.NotFound(
                "ServiceNotFound", $"There is no service of a worker '{nodeId}' of scope {Scope}.", nodeId, "Give the -Scope that it was registered with: System or User.")));
        }
    }
}
