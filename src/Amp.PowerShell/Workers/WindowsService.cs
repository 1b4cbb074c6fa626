using System.Runtime.Versioning;
using Amp.PowerShell.Common;
using Microsoft.Win32;

namespace Amp.PowerShell.Workers;

/// <summary>A worker as a service of Windows. PowerShell itself is the service's program; see <see cref="WindowsServiceProcess"/>.</summary>
[SupportedOSPlatform("windows")]
internal sealed class WindowsService(string nodeId) : ServiceEntry(nodeId, AmpServiceScope.System)
{
    private const string Services = @"SYSTEM\CurrentControlSet\Services";

    /// <inheritdoc/>
    public override string Name => Prefix + NodeId;

    /// <inheritdoc/>
    public override string Path => $@"HKLM:\{Services}\{Name}";

    /// <inheritdoc/>
    public override bool Exists => Names().Contains(Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Names of all services.</summary>
    public static IReadOnlyList<string> Names()
    {
        using var services = Registry.LocalMachine.OpenSubKey(Services);
        return services?.GetSubKeyNames() ?? [];
    }

    /// <inheritdoc/>
    public override async Task RegisterAsync(string shell, string module, string configPath, bool start, CancellationToken cancellationToken)
    {
        if (Exists)
        {
            await UnregisterAsync(cancellationToken);
        }

        var command = $"\"{shell}\" -NoProfile -NonInteractive -Command \"$env:{WindowsServiceProcess.NameVariable} = {Literal(Name)}; {Command(module, configPath)}\"";
        await ControlAsync(["create", Name, "binPath=", command, "start=", start ? "auto" : "demand", "DisplayName=", $"Amp worker {NodeId}"], cancellationToken);

        // As the unit of systemd does: it is started again after five seconds when it ends by itself, also with an error code.
        await ControlAsync(["failure", Name, "reset=", "86400", "actions=", "restart/5000"], cancellationToken);
        await ControlAsync(["failureflag", Name, "1"], cancellationToken);
        if (start)
        {
            await ControlAsync(["start", Name], cancellationToken);
        }
    }

    /// <inheritdoc/>
    public override async Task UnregisterAsync(CancellationToken cancellationToken)
    {
        try
        {
            await ControlAsync(["stop", Name], cancellationToken);
        }
        catch (AmpException e) when (e.ErrorCode == "ServiceManagerFailed")
        {
            // Usually because it does not run; what else there is, deleting says as well.
        }

        await ControlAsync(["delete", Name], cancellationToken);
    }

    private Task ControlAsync(string[] arguments, CancellationToken cancellationToken) => ControlAsync("sc.exe", arguments, cancellationToken);
}
