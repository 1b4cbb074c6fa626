using Microsoft.Extensions.Logging;

namespace Amp.BackgroundJobs;

/// <summary>What this folder logs; event ids 1600–1699.</summary>
internal static partial class Log
{
    [LoggerMessage(1600, LogLevel.Warning, "The outbox cannot be sent, and is tried again: {Reason}")]
    public static partial void RelayFails(ILogger logger, string reason);

    [LoggerMessage(1601, LogLevel.Information, "The outbox is sent again")]
    public static partial void RelayRecovered(ILogger logger);

    [LoggerMessage(1602, LogLevel.Error, "Parked event {EventId} of tenant {TenantId}, which topic {Topic} cannot take: {Reason}")]
    public static partial void ParkedEvent(ILogger logger, string eventId, Guid tenantId, string topic, string reason);

    [LoggerMessage(1603, LogLevel.Error, "Topic {Topic} is not read any more: {Reason}")]
    public static partial void FeedEnded(ILogger logger, string topic, string reason);

    [LoggerMessage(1604, LogLevel.Information, "Reads {Count} partitions of topic {Topic}")]
    public static partial void PartitionsChanged(ILogger logger, string topic, int count);

    [LoggerMessage(1606, LogLevel.Information, "Job worker {WorkerId} started with {PoolSize} handlers at once")]
    public static partial void JobWorkerStarted(ILogger logger, Guid workerId, int poolSize);

    [LoggerMessage(1607, LogLevel.Information, "Job worker {WorkerId} stopped")]
    public static partial void JobWorkerStopped(ILogger logger, Guid workerId);

    [LoggerMessage(1608, LogLevel.Warning, "Attempt {Attempt} of job {JobId} ({Type}) failed: {Reason}")]
    public static partial void AttemptFailed(ILogger logger, int attempt, Guid jobId, string type, string reason);

    [LoggerMessage(1609, LogLevel.Warning, "What was done of job {JobId} ({Type}) does not count: it is not this worker's any more")]
    public static partial void LostJob(ILogger logger, Guid jobId, string type);

    [LoggerMessage(1610, LogLevel.Error, "The handler of job {JobId} ({Type}) does not end, {Seconds} s after it was told to, and is left alone")]
    public static partial void AbandonedHandler(ILogger logger, Guid jobId, string type, double seconds);

    [LoggerMessage(1611, LogLevel.Warning, "The queue cannot be reached, and is tried again: {Reason}")]
    public static partial void QueueUnavailable(ILogger logger, string reason);

    [LoggerMessage(1612, LogLevel.Information, "The queue is reached again")]
    public static partial void QueueAvailable(ILogger logger);

    [LoggerMessage(1613, LogLevel.Error, "No heartbeat arrived for {Seconds} s: all handlers are cancelled before others take their jobs")]
    public static partial void HeartbeatLost(ILogger logger, double seconds);

    [LoggerMessage(1614, LogLevel.Error, "Job worker {WorkerId} cannot go on, and has ended; others take its jobs: {Reason}")]
    public static partial void JobWorkerFailed(ILogger logger, Guid workerId, string reason);

    [LoggerMessage(1620, LogLevel.Warning, "Put message {Offset} of {Topic} [{Partition}] aside, which cannot be understood: {Reason}")]
    public static partial void ParkedMessage(ILogger logger, string topic, int partition, long offset, string reason);

    [LoggerMessage(1621, LogLevel.Warning, "Messages of other services cannot be taken, and are tried again: {Reason}")]
    public static partial void ControlFails(ILogger logger, string reason);

    [LoggerMessage(1622, LogLevel.Information, "Messages of other services are taken again")]
    public static partial void ControlRecovered(ILogger logger);

    [LoggerMessage(1623, LogLevel.Debug, "Took message {EventId} of {Topic} about tenant {TenantId}: {Outcome}")]
    public static partial void TookMessage(ILogger logger, string topic, string eventId, Guid tenantId, ControlOutcome outcome);

    [LoggerMessage(1624, LogLevel.Information, "Cancelled {Jobs} jobs of tenant {TenantId}, which was deleted")]
    public static partial void CancelledJobsOfTenant(ILogger logger, Guid tenantId, int jobs);
}
