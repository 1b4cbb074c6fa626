namespace Amp.Bench;

/// <summary>A folder for one run; disposing it removes it with all that is in it.</summary>
internal sealed class BenchFolder : IDisposable
{
    private const UnixFileMode ForAll = (UnixFileMode)0b111_101_101;

    public BenchFolder()
    {
        // The account of a database server has to get in: it would be put elsewhere otherwise, and stay there.
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Path, ForAll);
        }
    }

    /// <summary>Where it is.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("amp-bench-").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}
