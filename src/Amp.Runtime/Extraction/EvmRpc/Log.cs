using Microsoft.Extensions.Logging;

namespace Amp.Extraction.EvmRpc;

/// <summary>What reading from a node logs.</summary>
internal static partial class Log
{
    [LoggerMessage(3101, LogLevel.Warning, "Attempt {Attempt} of {Purpose} at {Node} failed, trying again in {Delay}: {Reason}")]
    public static partial void CallFailed(ILogger logger, int attempt, string purpose, string node, TimeSpan delay, string reason);

    [LoggerMessage(3102, LogLevel.Warning, "Answer for block {BlockNumber} of {Node} was refused in attempt {Attempt}, fetching again in {Delay}: {Reason}")]
    public static partial void BlockRefused(ILogger logger, ulong blockNumber, string node, int attempt, TimeSpan delay, string reason);
}
