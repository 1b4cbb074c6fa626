using Microsoft.Extensions.Logging;

namespace Amp.Events;

internal static partial class Log
{
    [LoggerMessage(5001, LogLevel.Information, "Sync events go to topic {Topic}, {Partitions} partitions")]
    public static partial void BrokerAnswered(ILogger logger, string topic, int partitions);

    [LoggerMessage(5002, LogLevel.Warning,
        "No Kafka broker answered ({Reason}: {Message}); sync events for topic {Topic} wait in memory until one does")]
    public static partial void BrokerAway(ILogger logger, string topic, string reason, string message);

    [LoggerMessage(5011, LogLevel.Warning,
        "Kafka refused topic {Topic} ({Reason}: {Message}); sync events are tried again for about a minute each, then dropped")]
    public static partial void TopicRefused(ILogger logger, string topic, string reason, string message);

    [LoggerMessage(5003, LogLevel.Warning,
        "Topic {Topic} has {Actual} partitions, the configuration says {Configured}; the topic's number was used")]
    public static partial void PartitionsDiffer(ILogger logger, string topic, int actual, int configured);

    [LoggerMessage(5004, LogLevel.Debug, "Sending {EventType} of {Table} failed ({Reason}: {Message}); attempt {Attempt} follows")]
    public static partial void SendFailed(
        ILogger logger, string eventType, string table, string reason, string message, int attempt);

    [LoggerMessage(5005, LogLevel.Warning,
        "Dropped {EventType} of {Table} for good ({Reason}: {Message}); {Count} sync events were dropped so far for this reason")]
    public static partial void EventDropped(
        ILogger logger, string eventType, string table, string reason, string message, long count);

    [LoggerMessage(5006, LogLevel.Warning, "Kafka client broke ({Reason}: {Message}) and was started anew")]
    public static partial void ClientReset(ILogger logger, string reason, string message);

    [LoggerMessage(5007, LogLevel.Warning, "Kafka client reported {Code}: {Message}")]
    public static partial void ClientFailed(ILogger logger, string code, string message);

    [LoggerMessage(5008, LogLevel.Debug, "Kafka client said {Facility}: {Message}")]
    public static partial void ClientSaid(ILogger logger, string facility, string message);

    [LoggerMessage(5009, LogLevel.Error, "Sending sync events failed unexpectedly and goes on in {Delay}")]
    public static partial void SenderFailed(ILogger logger, Exception exception, TimeSpan delay);

    [LoggerMessage(5010, LogLevel.Information, "Development broker listened on {BootstrapServers} ({Topics})")]
    public static partial void DevBrokerStarted(ILogger logger, string bootstrapServers, string topics);
}
