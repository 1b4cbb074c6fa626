using Microsoft.Extensions.Logging;

namespace Amp.Extraction.EvmRpc;

/// <summary>What reading from a node logs.</summary>
internal static partial class Log
{
    [LoggerMessage(3101, LogLevel.Warning, "Attempt {Attempt} of {Purpose} at {Node} failed, trying again in {Delay}: {Reason}")]
    public static partial void CallFailed(ILogger logger, int attempt, string purpose, string node, TimeSpan delay, string reason);

    [LoggerMessage(3102, LogLevel.Warning, "Answer for block {BlockNumber} of {Node} was refused in attempt {Attempt}, fetching again in {Delay}: {Reason}")]
    public static partial void BlockRefused(ILogger logger, ulong blockNumber, string node, int attempt, TimeSpan delay, string reason);

    [LoggerMessage(3103, LogLevel.Debug, "{Node} put off {Purpose}, trying again in {Delay}: {Reason}")]
    public static partial void CallPutOff(ILogger logger, string purpose, string node, TimeSpan delay, string reason);

    [LoggerMessage(3104, LogLevel.Information, "{Node} complained about the rate; sending it {RequestLimit} requests at once: {Reason}")]
    public static partial void ConcurrencyLowered(ILogger logger, string node, int requestLimit, string reason);

    [LoggerMessage(3105, LogLevel.Information, "{Node} complained about the size; sending it {BatchSize} calls in a request: {Reason}")]
    public static partial void BatchLowered(ILogger logger, string node, int batchSize, string reason);

    [LoggerMessage(3106, LogLevel.Warning, "{Node} does not have eth_getBlockReceipts; asking for the receipt of each transaction from now on: {Reason}")]
    public static partial void BlockReceiptsMissing(ILogger logger, string node, string reason);

    [LoggerMessage(3107, LogLevel.Warning, "Provider {Provider} failed and rests; the next one is tried: {Reason}")]
    public static partial void ProviderFailed(ILogger logger, string provider, string reason);

    [LoggerMessage(3108, LogLevel.Warning, "Provider {Provider} was left out: {Reason}")]
    public static partial void ProviderLeftOut(ILogger logger, string provider, string reason);

    [LoggerMessage(3109, LogLevel.Information, "Provider {Provider} works again and is used from block {BlockNumber} on")]
    public static partial void ProviderReturned(ILogger logger, string provider, ulong blockNumber);
}
