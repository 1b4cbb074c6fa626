using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;

namespace Amp.Bench;

/// <summary>Runs PowerShell, in processes of its own.</summary>
internal static class Shell
{
    /// <summary>The option that names the module; the one that the build makes when it is left out.</summary>
    public static Option<FileInfo> NewModuleOption() => new("--module")
    {
        Description = "The module's manifest.", DefaultValueFactory = _ => new FileInfo("artifacts/module/Amp/Amp.psd1"),
    };

    /// <summary>Starts a script; null when there is no PowerShell here.</summary>
    public static Process? Start(string script, string? kafkaBrokers = null)
    {
        var start = new ProcessStartInfo("pwsh", ["-NoProfile", "-NonInteractive", "-Command", script]) { RedirectStandardOutput = true };
        if (kafkaBrokers is not null)
        {
            start.Environment["KAFKA_BROKERS"] = kafkaBrokers;
        }

        try
        {
            return Process.Start(start);
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    /// <summary>Runs a script and gives what it wrote; null when there is no PowerShell here.</summary>
    public static async Task<string?> RunAsync(string script, CancellationToken cancellationToken)
    {
        using var shell = Start(script);
        if (shell is null)
        {
            return null;
        }

        var output = await shell.StandardOutput.ReadToEndAsync(cancellationToken);
        await shell.WaitForExitAsync(cancellationToken);
        return shell.ExitCode == 0 ? output.Trim() : throw new InvalidOperationException($"the shell ended with {shell.ExitCode}");
    }
}
