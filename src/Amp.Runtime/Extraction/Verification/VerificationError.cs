namespace Amp.Extraction.Verification;

/// <summary>What verification throws.</summary>
internal static class VerificationError
{
    /// <summary>Something that is not what follows from the rest of the block. Transient: another node's answer may be right.</summary>
    public const string BlockVerificationFailed = nameof(BlockVerificationFailed);

    /// <summary>A transaction of a type whose encoding is not known, or is not in the tables.</summary>
    public const string BlockNotVerifiable = nameof(BlockNotVerifiable);

    /// <summary>The dataset lacks a table.</summary>
    public const string VerificationNeedsTables = nameof(VerificationNeedsTables);

    /// <summary>A field has one value and should have another.</summary>
    public static AmpException Mismatch(ulong block, string field, string value, string computed) =>
        Failed(block, $"{field} is {value}, but {computed} follows from the extracted data");

    /// <inheritdoc cref="Mismatch(ulong, string, string, string)"/>
    public static AmpException Mismatch(ulong block, string field, ReadOnlySpan<byte> value, ReadOnlySpan<byte> computed) =>
        Mismatch(block, field, $"0x{Convert.ToHexStringLower(value)}", $"0x{Convert.ToHexStringLower(computed)}");

    /// <summary>Something about a field that no block has.</summary>
    public static AmpException Failed(ulong block, string problem) => new(
        BlockVerificationFailed, AmpErrorKind.InvalidData, $"Block {block} failed verification: {problem}.")
    {
        Target = block,
        IsTransient = true,
        RecommendedAction = "Check the block with another node, and register a provider that can be trusted if this one keeps answering so.",
    };

    /// <summary>A transaction of a type whose encoding is not known.</summary>
    public static AmpException NotVerifiable(ulong block, int transaction, int type) => new(
        BlockNotVerifiable, AmpErrorKind.InvalidInput,
        $"Block {block} cannot be verified: transaction {transaction} has type 0x{type:x}, whose hash and receipt cannot be computed from the tables; only types 0 to 4 can. The block's own hash is right.")
    {
        Target = block,
        RecommendedAction = "Start the job without verification: this chain has transactions that Ethereum does not.",
    };

    /// <summary>A block that was read again does not follow the one before it, which somebody already has.</summary>
    public static AmpException Reorganized(BlockLink previous, BlockLink block) => new(
        "ChainReorganized", AmpErrorKind.InvalidData,
        $"Block {block.Number} has the parent {block.ParentHash}, but block {previous.Number} was read as {previous.Hash}: the chain was reorganized meanwhile.")
    {
        Target = block.Number,
        IsTransient = true,
    };

    /// <summary>Refuses a dataset without all the tables that verification reads; throws <c>VerificationNeedsTables</c>.</summary>
    public static void RequireTables(IEnumerable<string> tables, string dataset)
    {
        string[] missing = [.. EvmRpc.EvmTables.All.Select(table => table.Name).Except(tables)];
        if (missing.Length > 0)
        {
            throw new AmpException(
                VerificationNeedsTables, AmpErrorKind.InvalidInput,
                $"'{dataset}' cannot be verified: hashes and roots are computed from the tables blocks, transactions and logs, and it lacks {string.Join(" and ", missing)}.")
            {
                Target = dataset,
                RecommendedAction = "Start the job without verification, or register the dataset with all three tables.",
            };
        }
    }
}
