namespace Amp;

/// <summary>A registered dataset version.</summary>
public sealed record AmpDataset
{
    /// <summary>Namespace, such as <c>ethereum</c>.</summary>
    public required string Namespace { get; init; }

    /// <summary>Name, such as <c>mainnet</c>.</summary>
    public required string Name { get; init; }

    /// <summary><c>namespace/name</c>.</summary>
    public string Dataset => $"{Namespace}/{Name}";

    /// <summary>Version tag: a semantic version, <c>latest</c> or <c>dev</c>.</summary>
    public required string Version { get; init; }

    /// <summary>SHA-256 of the canonical manifest, 64 hex digits.</summary>
    public required string ManifestHash { get; init; }

    /// <summary>Kind of the manifest, such as <c>evm-rpc</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Network it is extracted from, such as <c>mainnet</c>.</summary>
    public string? Network { get; init; }

    /// <summary>First block to extract.</summary>
    public ulong? StartBlock { get; init; }

    /// <summary>Names of its tables.</summary>
    public IReadOnlyList<string> Tables { get; init; } = [];

    /// <summary>When the version was registered (UTC).</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Returns <c>namespace/name@version</c>.</summary>
    public override string ToString() => $"{Namespace}/{Name}@{Version}";
}

/// <summary>A table of a dataset that a job has begun to write.</summary>
public sealed record AmpTable
{
    /// <summary>Dataset as <c>namespace/name</c>.</summary>
    public required string Dataset { get; init; }

    /// <summary>The table's name, such as <c>logs</c>.</summary>
    public required string Table { get; init; }

    /// <summary>Manifest it was written for.</summary>
    public required string ManifestHash { get; init; }

    /// <summary>Number of the active revision (<c>physical_table_revisions.id</c>); null when there is none.</summary>
    public long? LocationId { get; init; }

    /// <summary>Where its files are, relative to the data folder.</summary>
    public string? Path { get; init; }

    /// <summary>First block in its canonical files; null when empty.</summary>
    public ulong? StartBlock { get; init; }

    /// <summary>Last block of the contiguous canonical range; null when empty.</summary>
    public ulong? CurrentBlock { get; init; }

    /// <summary>
    /// Number of blocks in files: up to <see cref="CurrentBlock"/>, and those behind a gap, which parts that are extracted side by side
    /// leave for a while.
    /// </summary>
    public ulong BlocksCount { get; init; }

    /// <summary>Number of canonical files.</summary>
    public long FilesCount { get; init; }

    /// <summary>Their size in bytes.</summary>
    public long TotalSizeBytes { get; init; }

    /// <summary>The job that writes it, or last wrote it.</summary>
    public long? JobId { get; init; }
}

/// <summary>One Parquet file (a segment) of a table.</summary>
public sealed record AmpFile
{
    /// <summary>Dataset as <c>namespace/name</c>.</summary>
    public required string Dataset { get; init; }

    /// <summary>The table.</summary>
    public required string Table { get; init; }

    /// <summary>File name, such as <c>015000000-9f3c….parquet</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Where it is: an absolute path when the data folder is known, else relative to it.</summary>
    public required string FullName { get; init; }

    /// <summary>First block it covers.</summary>
    public required ulong StartBlock { get; init; }

    /// <summary>Last block it covers.</summary>
    public required ulong EndBlock { get; init; }

    /// <summary>Size in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>Number of its rows; null unless it was asked for, since the file must be opened for it.</summary>
    public long? RowCount { get; init; }

    /// <summary>Hash of its last block, <c>0x…</c>.</summary>
    public string? Hash { get; init; }

    /// <summary>Hash of the block before its first, <c>0x…</c>; null at the start of a chain.</summary>
    public string? PrevHash { get; init; }

    /// <summary>Whether it belongs to the canonical chain; false for a segment that a reorg orphaned.</summary>
    public bool IsCanonical { get; init; } = true;

    /// <summary>When it was written (UTC).</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Number of its row in <c>file_metadata</c>.</summary>
    public long FileId { get; init; }
}

/// <summary>Where blocks come from: a provider file, its secrets left out.</summary>
public sealed record AmpProvider
{
    /// <summary>Name: the file's name without <c>.toml</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Kind, such as <c>evm-rpc</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Network it serves, such as <c>mainnet</c>.</summary>
    public required string Network { get; init; }

    /// <summary>Its address, user information and secrets redacted.</summary>
    public string? Url { get; init; }

    /// <summary>The provider file.</summary>
    public required string Path { get; init; }
}
