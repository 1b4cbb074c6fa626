namespace Amp.Extraction.DevChains;

/// <summary>What a <see cref="DevChain"/> is like. The same options give the same chain, byte for byte, on every machine.</summary>
public sealed record DevChainOptions
{
    /// <summary>Chain id of a generated chain that names none.</summary>
    public const ulong DefaultChainId = 31337;

    /// <summary>Everything random about the chain follows from this.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>
    /// What <c>eth_chainId</c> answers. Null: 31337, or what the first recorded transaction that names a chain id
    /// names when blocks are replayed. Below 2^62.
    /// </summary>
    public ulong? ChainId { get; init; }

    /// <summary>Number of the first block; up to 2^40. The chain knows no block before it.</summary>
    public ulong FirstBlock { get; init; }

    /// <summary>Blocks that exist at the start; at least 1.</summary>
    public int BlockCount { get; init; } = 1000;

    /// <summary>Time between new blocks, at least a millisecond. Null: the chain grows only by <see cref="DevChain.ExtendAsync"/>.</summary>
    public TimeSpan? BlockTime { get; init; }

    /// <summary>Transactions in a generated block on average, 0 to 5000; single blocks have none to twice as many.</summary>
    public int TransactionsPerBlock { get; init; } = 12;

    /// <summary>TCP port on 127.0.0.1; 0: one that is free.</summary>
    public int Port { get; init; }

    /// <summary>
    /// Timestamp of block 0 in whole seconds, from 1970 to 2200; each block is 12 seconds younger than its parent,
    /// whatever <see cref="BlockTime"/> is, so that a chain is the same on every run.
    /// </summary>
    public DateTimeOffset GenesisTime { get; init; } = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>
    /// Recorded blocks to replay instead of generating: a file <c>NAME.block.json</c> (what <c>eth_getBlockByNumber</c>
    /// answered, with full transactions) that has <c>NAME.receipts.json</c> (<c>eth_getBlockReceipts</c>) beside it, or
    /// a folder of such pairs, which are replayed in turn in the order of their numbers.
    /// </summary>
    public string? ReplayPath { get; init; }

    /// <summary>
    /// Whether each replayed block is varied: a permutation of the hex digits 1 to f of its own over every hex string of
    /// 40 digits or more. Without it, all blocks repeat the recorded addresses, hashes and data.
    /// </summary>
    public bool VaryReplay { get; init; } = true;

    /// <summary>How the chain misbehaves; null: not at all.</summary>
    internal DevChainFaults? Faults { get; init; }

    internal ulong TimestampOf(ulong number) => (ulong)GenesisTime.ToUnixTimeSeconds() + (number * 12);

    /// <summary>Refuses values out of range.</summary>
    /// <exception cref="AmpException"><c>DevChainOptionInvalid</c>.</exception>
    internal void Validate()
    {
        Check(ChainId is null or < (1UL << 62), nameof(ChainId), "must be below 2^62", ChainId);
        Check(FirstBlock <= 1UL << 40, nameof(FirstBlock), "must be at most 2^40", FirstBlock);
        Check(BlockCount >= 1, nameof(BlockCount), "must be at least 1", BlockCount);
        Check(BlockTime is null || BlockTime >= TimeSpan.FromMilliseconds(1), nameof(BlockTime), "must be at least a millisecond", BlockTime);
        Check(BlockTime is null || BlockTime <= TimeSpan.FromDays(1), nameof(BlockTime), "must be at most a day", BlockTime);
        Check(TransactionsPerBlock is >= 0 and <= 5000, nameof(TransactionsPerBlock), "must be 0 to 5000", TransactionsPerBlock);
        Check(Port is >= 0 and <= 65535, nameof(Port), "must be 0 to 65535", Port);
        Check(GenesisTime.Year is >= 1970 and <= 2200, nameof(GenesisTime), "must lie between 1970 and 2200", GenesisTime);
    }

    private static void Check(bool valid, string option, string rule, object? value)
    {
        if (!valid)
        {
            throw new AmpException(
                "DevChainOptionInvalid", AmpErrorKind.InvalidInput, $"cannot start a dev chain: {option} {rule}, it is {value}")
            {
                Target = option,
                RecommendedAction = $"Give {option} a value in its range.",
            };
        }
    }
}
