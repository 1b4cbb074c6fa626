using System.ComponentModel;
using System.Diagnostics;

namespace Amp.Bench;

/// <summary>
/// Programs that do what extraction does, to compare it with: the scripts of <c>bench/peers</c>, whose packages npm installs into
/// <c>artifacts/peers</c>. Both folders are looked for where the benchmark is run, in the repository's root.
/// </summary>
internal static class Peers
{
    private static readonly string Folder = Path.GetFullPath("artifacts/peers");
    private static readonly string Packages = Path.Combine(Folder, "node_modules");

    /// <summary>Installs the packages unless they are there; prints what it did, or why it could not.</summary>
    public static async Task InstallAsync(CancellationToken cancellationToken)
    {
        const string wanted = "bench/peers/package.json";
        if (Directory.Exists(Packages) && Directory.GetLastWriteTimeUtc(Packages) > File.GetLastWriteTimeUtc(wanted))
        {
            return;
        }

        Directory.CreateDirectory(Folder);
        File.Copy(wanted, Path.Combine(Folder, "package.json"), overwrite: true);
        try
        {
            // Scripts would compile native code for compressions that nobody asks for.
            await RunAsync("npm", ["install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"], cancellationToken);
            Directory.SetLastWriteTimeUtc(Packages, DateTime.UtcNow);
            Table.Write("peers", $"installed DuckDB and SQD's SDK with npm in artifacts/peers");
        }
        catch (Exception exception) when (exception is Win32Exception or InvalidOperationException)
        {
            Table.Write("peers", $"not installed: {exception.Message}");
        }
    }

    /// <summary>DuckDB makes the tables from answers in files (<see cref="ChainProcess.WriteAnswersAsync"/>). Null, with a line that says why, when it is not here.</summary>
    public static Task<StageResult?> RunDuckDbAsync(string answers, string output, int threads, CancellationToken cancellationToken) =>
        RunPeerAsync("duckdb", "@duckdb/node-api", [answers, output, $"{threads}"], cancellationToken);

    /// <summary>SQD's SDK extracts blocks over JSON-RPC. Null, with a line that says why, when it is not here.</summary>
    public static Task<StageResult?> RunSquidAsync(Uri url, int first, int last, string output, CancellationToken cancellationToken) =>
        RunPeerAsync("squid", "@subsquid/evm-processor", [url.ToString(), $"{first}", $"{last}", output], cancellationToken);

    private static async Task<StageResult?> RunPeerAsync(string name, string package, string[] arguments, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(Path.Combine(Packages, package)))
        {
            Table.Write(name, $"skipped: npm did not install {package}");
            return null;
        }

        return StageResult.Parse(await RunAsync("node", [Path.GetFullPath($"bench/peers/{name}.mjs"), .. arguments], cancellationToken));
    }

    /// <summary>Runs a program among the packages and returns what it printed.</summary>
    private static async Task<string> RunAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = await process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"{program} failed: {errors.Trim()}");
    }
}
