using Microsoft.Extensions.Logging;

namespace Amp.Extraction.DevChains;

/// <summary>What a dev chain logs.</summary>
internal static partial class Log
{
    [LoggerMessage(2500, LogLevel.Information, "Started dev chain {ChainId} at {Url} with blocks {FirstBlock} to {BlockNumber}")]
    public static partial void ChainStarted(this ILogger logger, ulong chainId, Uri url, ulong firstBlock, ulong blockNumber);

    [LoggerMessage(2501, LogLevel.Information, "Stopped dev chain {ChainId} at block {BlockNumber}")]
    public static partial void ChainStopped(this ILogger logger, ulong chainId, ulong blockNumber);

    [LoggerMessage(2502, LogLevel.Debug, "A client's connection failed")]
    public static partial void ConnectionFailed(this ILogger logger, Exception exception);

    [LoggerMessage(2503, LogLevel.Error, "The dev chain stopped growing at block {BlockNumber}")]
    public static partial void GrowthFailed(this ILogger logger, ulong blockNumber, Exception exception);
}
