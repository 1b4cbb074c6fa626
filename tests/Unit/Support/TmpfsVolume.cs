using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Amp.Support;

/// <summary>A volume of a given size in memory, mounted in a folder of its own until disposed. Needs root on Linux.</summary>
internal sealed class TmpfsVolume : IDisposable
{
    private TmpfsVolume(string folder) => Folder = folder;

    /// <summary>Where it is mounted.</summary>
    public string Folder { get; }

    /// <summary>Mounts a volume.</summary>
    public static TmpfsVolume Mount(int kibibytes)
    {
        var volume = TryMount(kibibytes, out var error);
        return volume ?? throw new InvalidOperationException($"cannot mount: {error}; the test should have been skipped");
    }

    /// <summary>Mounts a volume; null where that is not possible.</summary>
    public static TmpfsVolume? TryMount(int kibibytes, out string error)
    {
        error = "only Linux has tmpfs";
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        var folder = Directory.CreateTempSubdirectory("amp-tmpfs-").FullName;
        if (Run("mount", "-t", "tmpfs", "-o", Size(kibibytes), "tmpfs", folder) is not { } problem)
        {
            return new TmpfsVolume(folder);
        }

        error = problem;
        Directory.Delete(folder);
        return null;
    }

    /// <summary>Gives it another size.</summary>
    public void Resize(int kibibytes) => Remount(Size(kibibytes));

    /// <summary>Makes it read-only, for root too, or writable.</summary>
    public void SetReadOnly(bool readOnly) => Remount(readOnly ? "ro" : "rw");

    public void Dispose()
    {
        Assert.Null(Run("umount", Folder));
        Directory.Delete(Folder);
    }

    private static string Size(int kibibytes) => string.Create(CultureInfo.InvariantCulture, $"size={kibibytes}k");

    private void Remount(string option) => Assert.Null(Run("mount", "-o", $"remount,{option}", Folder));

    // Null when the program succeeded, else what it said.
    private static string? Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            var error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : error.Trim();
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return e.Message;
        }
    }
}

/// <summary>A test that mounts a volume, and needs programs perhaps; where mounting is not allowed it is skipped by name.</summary>
[AttributeUsage(AttributeTargets.Method)]
[SuppressMessage("Design", "CA1019:Define accessors for attribute arguments", Justification = "the base class keeps what it needs")]
internal sealed class VolumeFactAttribute : ToolFactAttribute
{
    private static readonly string? Missing = FindOut();

    /// <summary>Marks a test that needs to mount a volume, and <paramref name="tools"/>.</summary>
    public VolumeFactAttribute(params string[] tools)
        : base(tools) => Skip = Missing ?? Skip;

    private static string? FindOut()
    {
        using var volume = TmpfsVolume.TryMount(64, out var error);
        return volume is null ? $"needs to mount a volume of its own (root on Linux): {error}" : null;
    }
}
