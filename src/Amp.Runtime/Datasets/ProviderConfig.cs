using Amp.Configuration;

namespace Amp.Datasets;

/// <summary>
/// Where blocks come from. As stored, texts may hold <c>${NAME}</c>; resolved, these are replaced by the environment
/// variables of that name.
/// </summary>
public sealed record ProviderConfig
{
    /// <summary>Name: the file's name without <c>.toml</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Kind: <c>evm-rpc</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>Network it serves, such as <c>mainnet</c>.</summary>
    public required string Network { get; init; }

    /// <summary>Address of the node: <c>http(s)://</c>, <c>ws(s)://</c>, <c>ipc://</c> or the path of a socket.</summary>
    public required Secret Url { get; init; }

    /// <summary>Header that carries <see cref="AuthToken"/>; null for <c>Authorization: Bearer …</c>.</summary>
    public string? AuthHeader { get; init; }

    /// <summary>Token sent with every request; null for none.</summary>
    public Secret? AuthToken { get; init; }

    /// <summary>Most requests under way at once; 1 to 65535.</summary>
    public int ConcurrentRequestLimit { get; init; } = 1024;

    /// <summary>Requests in one JSON-RPC batch; 0 for no batches.</summary>
    public int RpcBatchSize { get; init; }

    /// <summary>Most requests per minute; null for no limit.</summary>
    public int? RateLimitPerMinute { get; init; }

    /// <summary>Whether receipts are fetched for each transaction, for nodes without <c>eth_getBlockReceipts</c>.</summary>
    public bool FetchReceiptsPerTx { get; init; }

    /// <summary>Longest time a request may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether <c>${NAME}</c>s were replaced; such a provider is never written to a file.</summary>
    internal bool IsResolved { get; init; }

    /// <summary>The provider as cmdlets show it, its URL redacted.</summary>
    /// <param name="path">Its file.</param>
    public AmpProvider ToContract(string path) =>
        new() { Name = Name, Kind = Kind, Network = Network, Url = Url.ToString(), Path = path };
}
