using System.Diagnostics;
using System.Globalization;

namespace Amp.MetadataDb;

/// <summary>Tells whether processes of a server are there. A server's processes have its data folder as working folder.</summary>
internal static class ServerProcesses
{
    /// <summary>Whether a process of the server of a data folder lives.</summary>
    public static bool AnyOf(string dataFolder)
    {
        if (!OperatingSystem.IsLinux())
        {
            return ReadPid(Path.Combine(dataFolder, "postmaster.pid")) is { } pid && IsPostgres(pid);
        }

        var folder = RealPath(dataFolder);
        return Directory.EnumerateDirectories("/proc").Any(process => WorksIn(process, folder));
    }

    /// <summary>Whether the process named in a <c>postmaster.pid</c> lives and is not the server of that folder.</summary>
    public static bool BelongsToAnother(string pidFile, string dataFolder)
    {
        if (ReadPid(pidFile) is not { } pid || !IsAlive(pid))
        {
            return false;
        }

        return OperatingSystem.IsLinux() ? !WorksIn($"/proc/{pid}", RealPath(dataFolder)) : !IsPostgres(pid);
    }

    private static bool WorksIn(string process, string realDataFolder)
    {
        try
        {
            return char.IsAsciiDigit(Path.GetFileName(process)[0])
                && Directory.ResolveLinkTarget(Path.Combine(process, "cwd"), returnFinalTarget: false)?.FullName == realDataFolder
                && File.ReadAllText(Path.Combine(process, "comm")).StartsWith("postgres", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It ended meanwhile, or it is somebody else's and so not our server.
            return false;
        }
    }

    private static string RealPath(string folder)
    {
        // The kernel shows the working folder without symbolic links.
        var path = "/";
        foreach (var part in folder.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            path = Path.Combine(path, part);
            path = Directory.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }

        return path;
    }

    private static int? ReadPid(string pidFile) =>
        File.Exists(pidFile) && int.TryParse(File.ReadLines(pidFile).FirstOrDefault(), CultureInfo.InvariantCulture, out var pid) && pid > 0
            ? pid
            : null;

    private static bool IsAlive(int pid) => TryGet(pid) is not null;

    private static bool IsPostgres(int pid) => TryGet(pid)?.Contains("postgres", StringComparison.OrdinalIgnoreCase) ?? false;

    private static string? TryGet(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return process.ProcessName;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }
}
