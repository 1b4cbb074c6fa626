using Microsoft.Extensions.Logging;

namespace Amp.Extraction;

/// <summary>What extraction logs; event ids 3000 to 3099.</summary>
internal static partial class Log
{
    [LoggerMessage(3000, LogLevel.Debug, "Committed a segment of {FileCount} files, the first {FileName}, {ByteCount} bytes")]
    public static partial void SegmentCommitted(ILogger logger, string fileName, int fileCount, long byteCount);

    [LoggerMessage(3001, LogLevel.Warning, "Looked at the chain again: {Reason}")]
    public static partial void FoundReorg(ILogger logger, string reason);

    [LoggerMessage(3002, LogLevel.Warning, "Dropped blocks {StartBlock} to {EndBlock}, not committed yet: they are no longer on the chain")]
    public static partial void AbandonedOpenSegment(ILogger logger, ulong startBlock, ulong endBlock);

    [LoggerMessage(3003, LogLevel.Warning, "Took {SegmentCount} segments out of their tables: a reorg left the chain shorter, its head is block {Head}")]
    public static partial void RetiredSegments(ILogger logger, int segmentCount, ulong head);
}
