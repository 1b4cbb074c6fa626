using System.Diagnostics.CodeAnalysis;
using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace Amp.PowerShell.Common;

/// <summary>Stops what was started in a runspace when the module is removed from it.</summary>
public sealed class ModuleCleanup : IModuleAssemblyCleanup
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <inheritdoc/>
    [SuppressMessage("Usage", "VSTHRD002:Avoid problematic synchronous waits", Justification = "PowerShell calls this synchronously; the work never needs its thread")]
    public void OnRemove(PSModuleInfo psModuleInfo)
    {
        var owner = Runspace.DefaultRunspace?.InstanceId ?? Guid.Empty;
        Task.Run(() => AmpSession.StopAllAsync(owner)).Wait(Patience);
    }
}
