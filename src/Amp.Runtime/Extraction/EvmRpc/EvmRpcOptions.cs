using Amp.Parquet;

namespace Amp.Extraction.EvmRpc;

/// <summary>How to reach a node and what to read from it: the settings of an <c>evm-rpc</c> provider.</summary>
internal sealed record EvmRpcOptions
{
    /// <summary>Where the node is: <c>http(s)</c>, <c>ws(s)</c>, or <c>file</c> for a Unix domain socket. May hold a secret.</summary>
    public required Uri Url { get; init; }

    /// <summary>What logs and errors call the node; never a secret. Scheme, host and port when not set.</summary>
    public string? DisplayName { get; init; }

    /// <summary>Header that carries <see cref="AuthToken"/>; <c>Authorization: Bearer</c> when null.</summary>
    public string? AuthHeader { get; init; }

    /// <summary>Secret that every request carries, or null.</summary>
    public string? AuthToken { get; init; }

    /// <summary>Most requests under way at once; 1 or more.</summary>
    public int ConcurrentRequestLimit { get; init; } = 1024;

    /// <summary>Most calls in one request; 0 and 1 send each call on its own.</summary>
    public int RpcBatchSize { get; init; }

    /// <summary>Most requests that start in a minute; null for no limit.</summary>
    public int? RateLimitPerMinute { get; init; }

    /// <summary>Whether receipts are asked for one by one, for nodes without <c>eth_getBlockReceipts</c>.</summary>
    public bool FetchReceiptsPerTx { get; init; }

    /// <summary>How long a request may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The tables to fill: <see cref="EvmTables.All"/> or some of them, in the dataset's order.</summary>
    public IReadOnlyList<TableSchema> Tables { get; init; } = EvmTables.All;

    /// <summary>How failed calls are made again.</summary>
    public RpcRetryPolicy Retry { get; init; } = new();

    /// <summary>
    /// Bytes of answers and rows that one reading of blocks holds before they are taken; exceeded only by what cannot
    /// be known before an answer is there.
    /// </summary>
    public long MemoryBudget { get; init; } = 64 << 20;

    /// <summary>What logs and errors call the node.</summary>
    public string NodeName => DisplayName ?? (Url.IsFile ? Url.LocalPath : Url.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped));

    /// <summary>The node's name, without secrets.</summary>
    public override string ToString() => NodeName;
}
