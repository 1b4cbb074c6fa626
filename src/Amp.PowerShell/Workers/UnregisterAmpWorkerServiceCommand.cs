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
        foreach (var nodeId in SystemdUnit.NodeIds(Scope).Where(nodeId => filter.IsMatch(nodeId)).ToArray())
        {
            var unit = SystemdUnit.Of(nodeId, Scope);
            if (ShouldProcess(unit.Path, "Stop and remove service"))
            {
                Run((_, cancellationToken) => RemoveAsync(unit, cancellationToken));
            }
        }

        foreach (var nodeId in filter.Missing)
        {
            WriteError(AmpErrors.From(AmpErrors.NotFound(
                "ServiceNotFound", $"There is no service of a worker '{nodeId}' of scope {Scope}.", nodeId, "Give the -Scope that it was registered with: System or User.")));
        }
    }

    private static async Task RemoveAsync(SystemdUnit unit, CancellationToken cancellationToken)
    {
        if (SystemdUnit.IsRunning)
        {
            await unit.ControlAsync(cancellationToken, "disable", "--now", unit.Name);
        }

        try
        {
            File.Delete(unit.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AmpException("ServiceNotWritable", AmpErrorKind.Denied, $"The service cannot be removed: {e.Message}", e)
            {
                Target = unit.Path,
                RecommendedAction = "Run PowerShell as root.",
            };
        }

        if (SystemdUnit.IsRunning)
        {
            await unit.ControlAsync(cancellationToken, "daemon-reload");
        }
    }
}
