using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Amp.Support;

/// <summary>Programs that tests need beyond .NET, where they are, and what installs them.</summary>
internal static class TestTools
{
    /// <summary>A browser; too large for the build script to install it.</summary>
    public const string Browser = "chromium";

    /// <summary>The repository's root.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>Folder of real data.</summary>
    public static string Fixtures { get; } = Path.Combine(RepositoryRoot, "tests", "fixtures");

    /// <summary>Path of a program, or null when this machine does not have it.</summary>
    public static string? Find(string tool) => tool switch
    {
        "duckdb" => OnPath("node") is { } node && ExistingDirectory("@duckdb/node-api") is not null ? node : null,
        "protobufjs" => OnPath("node") is { } node && ExistingDirectory("protobufjs") is not null ? node : null,
        "parquet-wasm" => OnPath("node") is { } node && ExistingDirectory("parquet-wasm") is not null ? node : null,
        "anvil" => OnPath("anvil") ?? ExistingFile("@foundry-rs/anvil-linux-amd64/bin/anvil"),
        "postgres" => MetadataDbTool(),
        Browser => OnPath(Browser) ?? OnPath("chromium-headless-shell") ?? OnPath("chromium-browser") ?? OnPath("google-chrome"),
        "faketime" => Faketime(),
        _ => OnPath(tool),
    };

    /// <summary>Path of a program that the test's <see cref="ToolFactAttribute"/> promised.</summary>
    public static string Require(string tool) =>
        Find(tool) ?? throw new InvalidOperationException($"{tool} is missing; the test should have been skipped");

    /// <summary>Where npm tools are.</summary>
    public static string NodeModules { get; } = Path.Combine(RepositoryRoot, "tests", "tools", "node_modules");

    private static string? MetadataDbTool() =>
        OnPath("initdb") ?? (Directory.Exists("/usr/lib/postgresql")
            ? Directory.EnumerateDirectories("/usr/lib/postgresql").Select(d => Path.Combine(d, "bin", "initdb")).FirstOrDefault(File.Exists)
            : null);

    // The library, which a process preloads.
    private static string? Faketime() => !OperatingSystem.IsLinux() ? null
        : Directory.EnumerateDirectories("/usr/lib").Append("/usr/lib").Append("/usr/lib64").Append("/usr/local/lib")
            .Select(folder => Path.Combine(folder, "faketime", "libfaketimeMT.so.1")).FirstOrDefault(File.Exists);

    private static string? ExistingDirectory(string package) =>
        Directory.Exists(Path.Combine(NodeModules, package)) ? package : null;

    /// <summary>A TCP port on loopback that nobody uses.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Why tests that need these programs cannot run; null when they can.</summary>
    public static string? WhyNot(params IReadOnlyCollection<string> tools)
    {
        string[] missing = [.. tools.Where(tool => Find(tool) is null)];
        var remedy = missing.Contains(Browser) ? $"install {Browser}" : "./build.sh test installs it";
        return missing.Length > 0 ? $"needs {string.Join(", ", missing)}, which this machine does not have ({remedy})" : null;
    }

    private static string? ExistingFile(string path) =>
        File.Exists(Path.Combine(NodeModules, path)) ? Path.Combine(NodeModules, path) : null;

    private static string? OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    private static string FindRoot([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", ".."));
}

/// <summary>A test that needs programs beyond .NET; where one is missing it is skipped by name, never passed.</summary>
[AttributeUsage(AttributeTargets.Method)]
[SuppressMessage("Performance", "CA1813:Avoid unsealed attributes", Justification = "xunit's own is not sealed")]
public class ToolFactAttribute : FactAttribute
{
    /// <summary>Marks a test that needs <paramref name="tools"/>.</summary>
    public ToolFactAttribute(params string[] tools) => Skip = TestTools.WhyNot(tools);
}

/// <summary>As <see cref="ToolFactAttribute"/>, for a test with parameters.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ToolTheoryAttribute : TheoryAttribute
{
    /// <summary>Marks a test that needs <paramref name="tools"/>.</summary>
    public ToolTheoryAttribute(params string[] tools) => Skip = TestTools.WhyNot(tools);
}
