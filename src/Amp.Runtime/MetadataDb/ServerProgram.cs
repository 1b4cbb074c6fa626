using System.Diagnostics;

namespace Amp.MetadataDb;

/// <summary>Runs one of the server's programs to its end.</summary>
internal static class ServerProgram
{
    /// <summary>Runs a program with the given input; returns its exit code and all it wrote.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(
        ProcessStartInfo start, string input, CancellationToken cancellationToken)
    {
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
            process.StandardInput.Close();
            await process.WaitForExitAsync(cancellationToken);
            return (process.ExitCode, (await output + await error).Trim());
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }
}
