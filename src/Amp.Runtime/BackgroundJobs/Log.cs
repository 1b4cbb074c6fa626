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
