using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Removes handlers of background jobs from this process; what they run goes on to its end, what comes waits.</summary>
[Cmdlet(VerbsLifecycle.Unregister, "AmpBackgroundJobHandler", SupportsShouldProcess = true)]
public sealed class UnregisterAmpBackgroundJobHandlerCommand : AmpCmdlet
{
    /// <summary>Types as they were registered.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(BackgroundJobHandlerCompleter))]
    public string[] Type { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var type in Type)
        {
            if (ShouldProcess(type, "Unregister background job handler") && !AmpSession.JobHandlers.Remove(type))
            {
                WriteError(AmpErrors.From(AmpErrors.NotFound(
                    "BackgroundJobHandlerNotFound", $"No handler was registered for '{type}' in this process.", type,
                    $"Give the type as it was registered: {string.Join(", ", AmpSession.JobHandlers.Patterns.DefaultIfEmpty("there are none"))}.")));
            }
        }
    }
}
