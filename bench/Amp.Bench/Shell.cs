using System.ComponentModel;
using System.Diagnostics;

namespace Amp.Bench;

/// <summary>Runs PowerShell, in a process of its own.</summary>
internal static class Shell
{
    /// <summary>The module that the build makes.</summary>
    public const string Module = "artifacts/module/Amp/Amp.psd1";

    /// <summary>Runs a script and gives what it wrote; null when there is no PowerShell here.</summary>
    public static async Task<string?> RunAsync(string script, CancellationToken cancellationToken)
    {
        try
        {
            using var shell = Process.Start(new ProcessStartInfo("pwsh", ["-NoProfile", "-NonInteractive", "-Command", script]) { RedirectStandardOutput = true })!;
            var output = await shell.StandardOutput.ReadToEndAsync(cancellationToken);
            await shell.WaitForExitAsync(cancellationToken);
            return shell.ExitCode == 0 ? output.Trim() : throw new InvalidOperationException($"the shell ended with {shell.ExitCode}");
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
