using Microsoft.Extensions.Logging;

namespace Amp.Workers;

/// <summary>What this folder logs; event ids 1100–1199.</summary>
internal static partial class Log
{
    [LoggerMessage(1100, LogLevel.Information, "Started worker {NodeId} on {Database}")]
    public static partial void StartedWorker(ILogger logger, string nodeId, string database);

    [LoggerMessage(1101, LogLevel.Information, "Stopped worker {NodeId}")]
    public static partial void StoppedWorker(ILogger logger, string nodeId);

    [LoggerMessage(1102, LogLevel.Error, "Ended worker {NodeId}: {Error}")]
    public static partial void FailedWorker(ILogger logger, string nodeId, string error);

    [LoggerMessage(1103, LogLevel.Warning, "Lost the heartbeat of worker {NodeId}: {Error}")]
    public static partial void LostHeartbeat(ILogger logger, string nodeId, string error);

    [LoggerMessage(1104, LogLevel.Information, "Recovered the heartbeat of worker {NodeId}")]
    public static partial void RecoveredHeartbeat(ILogger logger, string nodeId);

    [LoggerMessage(1105, LogLevel.Warning, "Lost the notifications of worker {NodeId}: {Error}")]
    public static partial void LostListener(ILogger logger, string nodeId, string error);

    [LoggerMessage(1106, LogLevel.Information, "Reconnected the notifications of worker {NodeId}")]
    public static partial void ReconnectedListener(ILogger logger, string nodeId);

    [LoggerMessage(1107, LogLevel.Warning, "Ignored a notification that worker {NodeId} does not understand: {Payload}")]
    public static partial void IgnoredNotification(ILogger logger, string nodeId, string payload);

    [LoggerMessage(1110, LogLevel.Information, "Started job {JobId} on worker {NodeId}, attempt {Attempt}")]
    public static partial void StartedJob(ILogger logger, long jobId, string nodeId, int attempt);

    [LoggerMessage(1111, LogLevel.Information, "Completed job {JobId} on worker {NodeId}")]
    public static partial void CompletedJob(ILogger logger, long jobId, string nodeId);

    [LoggerMessage(1112, LogLevel.Information, "Stopped job {JobId} on worker {NodeId}: {Reason}")]
    public static partial void StoppedJob(ILogger logger, long jobId, string nodeId, StopReason reason);

    [LoggerMessage(1113, LogLevel.Error, "Failed job {JobId} on worker {NodeId}, a retry may help: {IsTransient}")]
    public static partial void FailedJob(ILogger logger, Exception exception, long jobId, string nodeId, bool isTransient);

    [LoggerMessage(1114, LogLevel.Warning, "Gave up job {JobId} on worker {NodeId}: it is no longer this worker's")]
    public static partial void GaveUpJob(ILogger logger, long jobId, string nodeId);

    [LoggerMessage(1115, LogLevel.Warning, "Worker {NodeId} could not reach its jobs' states and tries again: {Error}")]
    public static partial void FailedToReconcile(ILogger logger, string nodeId, string error);

    [LoggerMessage(1116, LogLevel.Warning, "Job {JobId} on worker {NodeId} did not stop within {Limit}")]
    public static partial void AbandonedJob(ILogger logger, long jobId, string nodeId, TimeSpan limit);

    [LoggerMessage(1120, LogLevel.Information, "Job {JobId} began to extract {Dataset} from block {StartBlock} to {EndBlock}")]
    public static partial void BeganExtraction(ILogger logger, long jobId, string dataset, ulong startBlock, ulong? endBlock);

    [LoggerMessage(1121, LogLevel.Information, "Removed {FileName}, which belonged to no table: an interrupted commit left it")]
    public static partial void RemovedUncommittedFile(ILogger logger, string fileName);

    [LoggerMessage(1122, LogLevel.Error, "File {FileName} has {ByteCount} bytes, but was committed with {ExpectedByteCount}")]
    public static partial void FileHasWrongSize(ILogger logger, string fileName, long byteCount, long expectedByteCount);

    [LoggerMessage(1123, LogLevel.Error, "File {FileName} was committed and is not there")]
    public static partial void FileIsMissing(ILogger logger, string fileName);

    [LoggerMessage(1124, LogLevel.Warning, "Job {JobId} waits for the database: {Error}")]
    public static partial void WaitedForDatabase(ILogger logger, long jobId, string error);

    [LoggerMessage(1126, LogLevel.Information, "Job {JobId} started part {PartJobId}, blocks {StartBlock} to {EndBlock}, on worker {NodeId}")]
    public static partial void StartedPart(ILogger logger, long jobId, long partJobId, ulong startBlock, ulong endBlock, string nodeId);

    [LoggerMessage(1127, LogLevel.Information, "Part {PartJobId} of job {JobId} ended on worker {NodeId}: {Status} {Error}")]
    public static partial void EndedPart(ILogger logger, long jobId, long partJobId, string nodeId, AmpJobStatus status, string? error);

    [LoggerMessage(1125, LogLevel.Warning, "Job {JobId} has {WriterCount} writers instead of {WantedWriterCount}: extraction.memory_budget_mb = {BudgetMb} has no room for more")]
    public static partial void LimitedWriters(ILogger logger, long jobId, int writerCount, int wantedWriterCount, int budgetMb);
}
