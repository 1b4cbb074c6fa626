using System.Diagnostics.CodeAnalysis;
using System.Management.Automation.Runspaces;

namespace Amp.PowerShell.Common;

/// <summary>What <c>Amp.psm1</c> calls when the module is removed.</summary>
public static class ModuleCleanup
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Stops what was started in the present runspace, and waits until it has ended.</summary>
    [SuppressMessage("Usage", "VSTHRD002:Avoid problematic synchronous waits", Justification = "PowerShell calls this synchronously; the work never needs its thread")]
    public static void Stop()
    {
        var owner = Runspace.DefaultRunspace?.InstanceId ?? Guid.Empty;
        Task.Run(() => AmpSession.StopAllAsync(owner)).Wait(Patience);
    }
}
