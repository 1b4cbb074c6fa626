using Microsoft.Extensions.Logging;

namespace Amp.Extraction.Verification;

/// <summary>What verification logs; event ids 3200 to 3299.</summary>
internal static partial class Log
{
    [LoggerMessage(3200, LogLevel.Warning, "Block {BlockNumber} was refused in attempt {Attempt}, reading it again in {Delay}: {Reason}")]
    public static partial void BlockRefused(ILogger logger, object? blockNumber, int attempt, TimeSpan delay, string reason);
}
