namespace Amp;

/// <summary>What can be wrong with a table's files.</summary>
public enum AmpTableProblemKind
{
    /// <summary>Blocks are missing before, or between, the blocks that are there.</summary>
    Gap,

    /// <summary>Two files cover the same blocks, and neither replaces the other.</summary>
    Overlap,

    /// <summary>A file follows another by number, but not by the hash of its parent block.</summary>
    BrokenLink,

    /// <summary>A committed file is not there.</summary>
    FileMissing,

    /// <summary>A committed file has another size than it was committed with.</summary>
    FileSize,

    /// <summary>A committed file is not a whole Parquet file, or does not hold what it was committed with.</summary>
    FileInvalid,

    /// <summary>A file belongs to no table: an interrupted commit left it. The table's next job removes it.</summary>
    FileUnnamed,
}

/// <summary>One thing that is wrong with a table.</summary>
public sealed record AmpTableProblem
{
    /// <summary>What it is.</summary>
    public required AmpTableProblemKind Kind { get; init; }

    /// <summary>Name of the file that it is about; null where blocks are missing.</summary>
    public string? File { get; init; }

    /// <summary>Number of the file's row in <c>file_metadata</c>; null when the problem is not about a file that has one.</summary>
    public long? FileId { get; init; }

    /// <summary>First block that it touches; null when no blocks are known.</summary>
    public ulong? StartBlock { get; init; }

    /// <summary>Last block that it touches; null when no blocks are known.</summary>
    public ulong? EndBlock { get; init; }

    /// <summary>What is wrong, as a sentence.</summary>
    public required string Message { get; init; }

    /// <summary>Returns the kind and the sentence.</summary>
    public override string ToString() => $"{Kind}: {Message}";
}

/// <summary>Whether a table's files, their rows in the database, and their links are what they must be.</summary>
public sealed record AmpTableTest
{
    /// <summary>Dataset as <c>namespace/name</c>.</summary>
    public required string Dataset { get; init; }

    /// <summary>The table's name, such as <c>logs</c>.</summary>
    public required string Table { get; init; }

    /// <summary>Manifest it was written for.</summary>
    public required string ManifestHash { get; init; }

    /// <summary>Whether nothing is wrong.</summary>
    public bool Success => Problems.Count == 0;

    /// <summary>First block in its canonical files; null when empty.</summary>
    public ulong? StartBlock { get; init; }

    /// <summary>Last block of the contiguous canonical range; null when empty.</summary>
    public ulong? CurrentBlock { get; init; }

    /// <summary>Last block of any of its files, also of one behind a gap; null when empty.</summary>
    public ulong? HighestBlock { get; init; }

    /// <summary>Number of canonical files.</summary>
    public long FilesCount { get; init; }

    /// <summary>Number of files that a reorg orphaned or that stand behind a gap.</summary>
    public long OrphanedFilesCount { get; init; }

    /// <summary>What is wrong, by block; empty when nothing is.</summary>
    public IReadOnlyList<AmpTableProblem> Problems { get; init; } = [];
}
