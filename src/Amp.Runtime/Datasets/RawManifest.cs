using System.Text;
using Amp.Parquet;

namespace Amp.Datasets;

/// <summary>What a raw dataset is made of: the content of its manifest.</summary>
public sealed record RawManifest
{
    /// <summary>The kind that Amp extracts.</summary>
    public const string EvmRpcKind = "evm-rpc";

    /// <summary>Kind of the dataset: <see cref="EvmRpcKind"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>Network that its blocks come from, such as <c>mainnet</c>.</summary>
    public required string Network { get; init; }

    /// <summary>First block to extract.</summary>
    public ulong StartBlock { get; init; }

    /// <summary>Whether only finalized blocks are extracted.</summary>
    public bool FinalizedBlocksOnly { get; init; }

    /// <summary>Its tables, in ordinal order of their names.</summary>
    public required IReadOnlyList<RawManifestTable> Tables { get; init; }

    /// <summary>The manifest as canonical JSON: what is stored, and what its hash is of.</summary>
    public string ToJson() => Encoding.UTF8.GetString(ManifestJson.Write(this));
}

/// <summary>A table of a raw dataset.</summary>
public sealed record RawManifestTable
{
    /// <summary>The table's name, such as <c>logs</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Network of its blocks: the dataset's.</summary>
    public required string Network { get; init; }

    /// <summary>Names of its columns, in order.</summary>
    public IReadOnlyList<string> Columns => [.. Fields.Select(column => column.Name)];

    /// <summary>Its columns as the manifest states them. Files have the columns of <c>EvmTables</c>, whatever a manifest leaves out.</summary>
    internal IReadOnlyList<ArrowField> Fields { get; init; } = [];
}
