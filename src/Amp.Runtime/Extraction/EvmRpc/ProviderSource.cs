using Amp.Configuration;
using Amp.Datasets;
using Amp.Parquet;
using Microsoft.Extensions.Logging;

namespace Amp.Extraction.EvmRpc;

/// <summary>From a provider's file to a source of blocks.</summary>
internal static class ProviderSource
{
    /// <summary>
    /// Chain ids of networks whose names leave no doubt, so that a provider that was given the wrong URL is refused
    /// before it fills tables with another chain's blocks.
    /// </summary>
    private static readonly Dictionary<string, ulong> KnownChainIds = new(StringComparer.OrdinalIgnoreCase)
    {
        ["mainnet"] = 1,
        ["ethereum"] = 1,
        ["ethereum-mainnet"] = 1,
        ["optimism"] = 10,
        ["bsc"] = 56,
        ["gnosis"] = 100,
        ["polygon"] = 137,
        ["base"] = 8453,
        ["holesky"] = 17_000,
        ["arbitrum-one"] = 42_161,
        ["avalanche"] = 43_114,
        ["linea"] = 59_144,
        ["base-sepolia"] = 84_532,
        ["sepolia"] = 11_155_111,
    };

    /// <summary>
    /// Opens the providers of a network as one source: the first that works is used. Nothing is asked of them yet; each
    /// is asked for its chain before its first block, and one of another chain is left out.
    /// </summary>
    /// <param name="providers">The providers, the preferred one first; at least one.</param>
    /// <param name="tables">Tables to fill.</param>
    /// <param name="memoryBudget">Bytes that one reading of blocks may hold.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Makes its loggers.</param>
    /// <param name="wrap">What to put around each provider's source, such as verification; null for nothing.</param>
    public static IBlockSource OpenAll(
        IReadOnlyList<ProviderConfig> providers, IReadOnlyList<TableSchema> tables, long memoryBudget, TimeProvider time, ILoggerFactory loggers,
        Func<IBlockSource, IBlockSource>? wrap = null)
    {
        // Where there is another one to turn to, patience with this one is shorter.
        var retry = providers.Count == 1 ? new RpcRetryPolicy() : new RpcRetryPolicy { MaxAttempts = 5, MaxRateLimitWait = TimeSpan.FromMinutes(1) };
        return new FailoverBlockSource(
            providers[0].Network, [.. providers.Select(Candidate)], FailoverBlockSource.DefaultRest, time, loggers.CreateLogger<FailoverBlockSource>());

        FailoverCandidate Candidate(ProviderConfig provider)
        {
            var source = Open(provider, tables, memoryBudget, time, loggers, retry);
            return new FailoverCandidate(provider.Name, wrap?.Invoke(source) ?? source, GetChainIdAsync);

            async Task<ulong> GetChainIdAsync(CancellationToken cancellationToken)
            {
                var chainId = await source.GetChainIdAsync(cancellationToken);
                RequireNetwork(provider, chainId);
                return chainId;
            }
        }
    }

    /// <summary>Opens a provider; nothing is asked of it yet.</summary>
    /// <param name="provider">The provider, its <c>${NAME}</c>s replaced.</param>
    /// <param name="tables">Tables to fill.</param>
    /// <param name="memoryBudget">Bytes that one reading of blocks may hold.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Makes its logger.</param>
    /// <param name="retry">How failed calls are made again; null for the usual way.</param>
    public static EvmRpcBlockSource Open(
        ProviderConfig provider, IReadOnlyList<TableSchema> tables, long memoryBudget, TimeProvider time, ILoggerFactory loggers, RpcRetryPolicy? retry = null) => new(
        new EvmRpcOptions
        {
            Url = ParseUrl(provider.Url.Reveal()) ?? throw Unusable(provider),
            DisplayName = provider.Url.ToString(),
            AuthHeader = provider.AuthHeader,
            AuthToken = provider.AuthToken?.Reveal(),
            ConcurrentRequestLimit = provider.ConcurrentRequestLimit,
            RpcBatchSize = provider.RpcBatchSize,
            RateLimitPerMinute = provider.RateLimitPerMinute,
            FetchReceiptsPerTx = provider.FetchReceiptsPerTx,
            Timeout = provider.Timeout,
            Tables = tables,
            MemoryBudget = memoryBudget,
            Retry = retry ?? new RpcRetryPolicy(),
        },
        time,
        loggers.CreateLogger<EvmRpcBlockSource>());

    /// <summary>Refuses a node whose chain is not the provider's network; throws <c>ProviderWrongNetwork</c>.</summary>
    public static void RequireNetwork(ProviderConfig provider, ulong chainId)
    {
        if (KnownChainIds.TryGetValue(provider.Network, out var expected) && expected != chainId)
        {
            throw new AmpException(
                "ProviderWrongNetwork", AmpErrorKind.InvalidInput,
                $"Provider '{provider.Name}' is for network '{provider.Network}' (chain id {expected}), but {provider.Url} serves chain id {chainId}.")
            {
                Target = provider.Name,
                RecommendedAction = "Give the provider the URL of a node of that network, or the name of the network it serves.",
            };
        }
    }

    // The path of a socket, with ipc:// before it or not, becomes a file URL.
    private static Uri? ParseUrl(string text)
    {
        const string ipc = "ipc://";
        var path = text.StartsWith(ipc, StringComparison.OrdinalIgnoreCase) ? text[ipc.Length..] : text;
        return Path.IsPathRooted(path) ? new UriBuilder(Uri.UriSchemeFile, "") { Path = Uri.EscapeDataString(path).Replace("%2F", "/", StringComparison.Ordinal) }.Uri
            : Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" or "ws" or "wss" ? url
            : null;
    }

    private static AmpException Unusable(ProviderConfig provider) => new(
        "ProviderUrlUnsupported", AmpErrorKind.InvalidInput, $"Provider '{provider.Name}' has the url {provider.Url}, which is none of a node.")
    {
        Target = provider.Name,
        RecommendedAction = "Give an http, https, ws or wss URL, or ipc:// and the absolute path of the node's socket.",
    };
}
