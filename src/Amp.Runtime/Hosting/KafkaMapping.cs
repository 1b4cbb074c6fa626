using Amp.Configuration;
using Amp.Events;

namespace Amp.Hosting;

/// <summary>From configuration to what the event code takes.</summary>
internal static class KafkaMapping
{
    /// <summary>Where sync events go; null when they are off.</summary>
    public static KafkaEventOptions? Options(AmpConfiguration configuration)
    {
        var kafka = configuration.WorkerEvents.Kafka;
        return configuration.WorkerEvents.Enabled ? Options(kafka, kafka.Brokers, kafka.Topic) with { Partitions = kafka.Partitions } : null;
    }

    /// <summary>Where background jobs and their events go; null where there is no Kafka for them.</summary>
    public static KafkaEventOptions? JobOptions(AmpConfiguration configuration) => configuration.BackgroundJobs is { Brokers: { Count: > 0 } brokers } jobs
        ? Options(configuration.WorkerEvents.Kafka, brokers, jobs.Topic)
        : null;

    private static KafkaEventOptions Options(KafkaConfiguration kafka, IReadOnlyList<string> brokers, string topic) => new()
    {
        Brokers = brokers,
        Topic = topic,
        SaslMechanism = kafka.SaslMechanism,
        SaslUsername = kafka.SaslUsername,
        SaslPassword = kafka.SaslPassword?.Reveal(),
        AwsRegion = kafka.AwsRegion,
        TlsEnabled = kafka.TlsEnabled,
        CaFile = kafka.TlsCaFile,
        CertificateFile = kafka.TlsCertificateFile,
        KeyFile = kafka.TlsKeyFile,
    };
}
