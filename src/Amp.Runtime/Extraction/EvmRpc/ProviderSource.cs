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

    /// <summary>Opens a provider; nothing is asked of it yet.</summary>
    /// <param name="provider">The provider, its <c>${NAME}</c>s replaced.</param>
    /// <param name="tables">Tables to fill.</param>
    /// <param name="memoryBudget">Bytes that one reading of blocks may hold.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Makes its logger.</param>
    public static EvmRpcBlockSource Open(
        ProviderConfig provider, IReadOnlyList<TableSchema> tables, long memoryBudget, TimeProvider time, ILoggerFactory loggers) => new(
        new EvmRpcOptions
        {
            Url = Uri.TryCreate(provider.Url.Reveal(), UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
                ? url
                : throw Unusable(provider),
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

    private static AmpException Unusable(ProviderConfig provider) => new(
        "ProviderUrlUnsupported", AmpErrorKind.InvalidInput, $"Provider '{provider.Name}' has the url {provider.Url}; only http and https are supported.")
    {
        Target = provider.Name,
        RecommendedAction = "Give the node's http or https URL.",
    };
}
