namespace Amp.Bench;

/// <summary>A folder for one run; disposing it removes it with all that is in it.</summary>
internal sealed class BenchFolder : IDisposable
{
    /// <summary>Where it is.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("amp-bench-").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(Path, recursive: true);
}
