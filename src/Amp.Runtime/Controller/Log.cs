using Microsoft.Extensions.Logging;

namespace Amp.Controller;

/// <summary>What controllers log; event ids 1200 to 1299.</summary>
internal static partial class Log
{
    [LoggerMessage(1200, LogLevel.Information, "Controller leads on {Database}")]
    public static partial void TookLead(ILogger logger, string database);

    [LoggerMessage(1201, LogLevel.Information, "Controller waits on {Database}: another one leads")]
    public static partial void Waits(ILogger logger, string database);

    [LoggerMessage(1202, LogLevel.Warning, "Controller lost its database and tries again: {Error}")]
    public static partial void LostDatabase(ILogger logger, string error);

    [LoggerMessage(1203, LogLevel.Warning, "Moved job {JobId} from silent worker {FromNodeId} to {NodeId}")]
    public static partial void MovedJob(ILogger logger, long jobId, string fromNodeId, string nodeId);

    [LoggerMessage(1204, LogLevel.Warning, "Job {JobId} of silent worker {FromNodeId} was to be stopped and is stopped")]
    public static partial void StoppedJob(ILogger logger, long jobId, string fromNodeId);

    [LoggerMessage(1205, LogLevel.Information, "Scheduled failed job {JobId} again, on worker {NodeId}")]
    public static partial void RetriedJob(ILogger logger, long jobId, string nodeId);

    [LoggerMessage(1206, LogLevel.Warning, "{JobCount} jobs wait for a worker: none is active")]
    public static partial void NoWorker(ILogger logger, int jobCount);
}
