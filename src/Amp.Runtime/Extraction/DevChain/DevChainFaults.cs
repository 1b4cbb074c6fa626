namespace Amp.Extraction.DevChains;

/// <summary>
/// How a dev chain misbehaves. What happens to a call depends only on the seed, the call itself and how often it came,
/// never on time or on what else is under way, so that a failure can be replayed.
/// </summary>
internal sealed record DevChainFaults
{
    /// <summary>Everything random follows from this.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>How likely each fault is, 0 to 1, for each call or request that it can happen to.</summary>
    public IReadOnlyDictionary<DevChainFault, double> Chances { get; init; } = new Dictionary<DevChainFault, double>();

    /// <summary>How often a call, and a request that begins with it, is disturbed at most; after that it is answered well.</summary>
    public int MostPerCall { get; init; } = 2;

    /// <summary>How long an answer takes.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>Whether <c>eth_getBlockReceipts</c> is a method that the node does not have.</summary>
    public bool WithoutBlockReceipts { get; init; }

    /// <summary>Most calls in a batch; a larger one is refused as a whole. Null for no limit.</summary>
    public int? LargestBatch { get; init; }

    /// <summary>Most bytes of results in an answer; what exceeds it is refused. Null for no limit.</summary>
    public int? LargestAnswer { get; init; }

    /// <summary>Most requests at once; further ones are refused. Null for no limit.</summary>
    public int? MostAtOnce { get; init; }

    /// <summary>Whether limits are told by HTTP statuses 413 and 429, or by JSON-RPC errors.</summary>
    public bool RefusesByStatus { get; init; }

    /// <summary>The same chance for some faults.</summary>
    public static DevChainFaults Of(double chance, params DevChainFault[] faults) =>
        new() { Chances = faults.ToDictionary(fault => fault, _ => chance) };
}
