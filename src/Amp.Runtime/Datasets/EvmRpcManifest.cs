using Amp.Extraction.EvmRpc;

namespace Amp.Datasets;

/// <summary>Makes manifests of <c>evm-rpc</c> datasets.</summary>
public static class EvmRpcManifest
{
    /// <summary>Names of the tables that a dataset can have.</summary>
    public static IReadOnlyList<string> TableNames { get; } = [.. EvmTables.All.Select(table => table.Name)];

    /// <summary>A manifest for a network.</summary>
    /// <param name="network">Network, as its provider names it; not empty.</param>
    /// <param name="startBlock">First block to extract.</param>
    /// <param name="finalizedBlocksOnly">Whether only finalized blocks are extracted.</param>
    /// <param name="tables">Names of tables to extract; null for all.</param>
    /// <exception cref="AmpException"><c>UnknownTable</c>, or <c>InvalidManifest</c> for an empty network or no table.</exception>
    public static RawManifest Generate(
        string network, ulong startBlock = 0, bool finalizedBlocksOnly = false, IReadOnlyCollection<string>? tables = null)
    {
        if (string.IsNullOrWhiteSpace(network))
        {
            throw ManifestJson.Invalid("The new manifest", "it needs the name of a network");
        }

        if (tables is { Count: 0 })
        {
            throw ManifestJson.Invalid("The new manifest", "it needs at least one table");
        }

        if (tables?.Except(TableNames, StringComparer.Ordinal).FirstOrDefault() is { } unknown)
        {
            throw UnknownTable("The new manifest", unknown);
        }

        return new RawManifest
        {
            Kind = RawManifest.EvmRpcKind,
            Network = network,
            StartBlock = startBlock,
            FinalizedBlocksOnly = finalizedBlocksOnly,
            Tables =
            [
                .. EvmTables.All
                    .Where(table => tables is null || tables.Contains(table.Name))
                    .Select(table => new RawManifestTable { Name = table.Name, Network = network, Fields = table.Fields })
                    .OrderBy(table => table.Name, StringComparer.Ordinal),
            ],
        };
    }

    /// <summary>The error for a table that these datasets do not have.</summary>
    internal static AmpException UnknownTable(string source, string table) =>
        new("UnknownTable", AmpErrorKind.InvalidInput, $"{source} has a table '{table}', which {RawManifest.EvmRpcKind} datasets do not have.")
        {
            Target = table,
            RecommendedAction = $"Known tables are {string.Join(", ", TableNames)}.",
        };
}
