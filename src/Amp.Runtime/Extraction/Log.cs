using Microsoft.Extensions.Logging;

namespace Amp.Extraction;

/// <summary>What extraction logs; event ids 3000 to 3099.</summary>
internal static partial class Log
{
    [LoggerMessage(3000, LogLevel.Debug, "Committed a segment of {FileCount} files, the first {FileName}, {ByteCount} bytes")]
    public static partial void SegmentCommitted(this ILogger logger, string fileName, int fileCount, long byteCount);
}
