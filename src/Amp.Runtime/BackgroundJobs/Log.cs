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
}
