using System.Text.RegularExpressions;
using Amp.Events;
using Confluent.Kafka;

namespace Amp.BackgroundJobs;

/// <summary>The topics of events, which are their types as well.</summary>
public static partial class JobTopics
{
    /// <summary>A job was queued.</summary>
    public const string Enqueued = "eventzr.jobs.enqueued.v1";

    /// <summary>A worker began an attempt.</summary>
    public const string Started = "eventzr.jobs.started.v1";

    /// <summary>A job is done.</summary>
    public const string Completed = "eventzr.jobs.completed.v1";

    /// <summary>An attempt failed.</summary>
    public const string Failed = "eventzr.jobs.failed.v1";

    /// <summary>A job was cancelled.</summary>
    public const string Cancelled = "eventzr.jobs.cancelled.v1";

    /// <summary>A job is queued again after a failure.</summary>
    public const string Retried = "eventzr.jobs.retried.v1";

    /// <summary>A job became a dead letter.</summary>
    public const string DeadLettered = "eventzr.jobs.deadlettered.v1";

    /// <summary>A dead letter is queued again.</summary>
    public const string Replayed = "eventzr.jobs.dlq.replayed.v1";

    /// <summary>A dead letter was deleted.</summary>
    public const string Purged = "eventzr.jobs.dlq.purged.v1";

    /// <summary>A tenant wanted more than it may have.</summary>
    public const string QuotaExceeded = "eventzr.jobs.quota.exceeded.v1";

    /// <summary>A tenant's jobs of the day are counted anew.</summary>
    public const string QuotaReset = "eventzr.jobs.quota.reset.v1";

    /// <summary>The topic that brings jobs to workers, unless the configuration names another.</summary>
    public const string Work = "job-events";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>All topics of events.</summary>
    public static IReadOnlyList<string> Events { get; } =
        [Enqueued, Started, Completed, Failed, Cancelled, Retried, DeadLettered, Replayed, Purged, QuotaExceeded, QuotaReset];

    /// <summary>Makes sure that the brokers answer and have the topic of jobs and those of events.</summary>
    /// <exception cref="AmpException"><c>JobTopicInvalid</c>, <c>BrokerUnavailable</c> (transient), <c>JobTopicsMissing</c>.</exception>
    internal static async Task RequireAsync(KafkaEventOptions kafka, CancellationToken cancellationToken)
    {
        if (!TopicPattern().IsMatch(kafka.Topic))
        {
            throw new AmpException("JobTopicInvalid", AmpErrorKind.InvalidInput, $"'{kafka.Topic}' is no name of a Kafka topic.")
            {
                Target = kafka.Topic,
                RecommendedAction = "Give 1 to 249 letters, digits, '.', '_' or '-': background_jobs.topic in the configuration, or KAFKA_JOB_TOPIC.",
            };
        }

        var brokers = string.Join(',', kafka.Brokers);
        List<string> missing;
        try
        {
            // librdkafka cannot be told to give up, so whoever does leaves it to end by itself.
            missing = await Task.Run(
                () =>
                {
                    using var admin = KafkaClients.BuildAdmin(kafka);
                    return Events.Append(kafka.Topic).Where(topic => KafkaClients.IsUnknownTopic(admin.GetMetadata(topic, Patience).Topics.Single().Error.Code)).ToList();
                },
                cancellationToken).WaitAsync(cancellationToken);
        }
        catch (KafkaException e)
        {
            throw new AmpException("BrokerUnavailable", AmpErrorKind.Unavailable, $"No Kafka broker at {brokers} answered: {e.Error.Reason}.", e)
            {
                Target = brokers,
                IsTransient = true,
                RecommendedAction = "Check that the brokers run and that background_jobs.brokers (or KAFKA_BROKERS) names them.",
            };
        }

        if (missing.Count > 0)
        {
            throw new AmpException("JobTopicsMissing", AmpErrorKind.NotFound, $"Kafka at {brokers} has no topic {string.Join(", ", missing)}.")
            {
                Target = missing[0],
                RecommendedAction = $"Create each: kafka-topics --create --bootstrap-server {kafka.Brokers[0]} --topic {missing[0]} --partitions 10 --replication-factor 3",
            };
        }
    }

    [GeneratedRegex(@"^(?!\.{1,2}\z)[A-Za-z0-9._-]{1,249}\z", RegexOptions.CultureInvariant)]
    private static partial Regex TopicPattern();
}
