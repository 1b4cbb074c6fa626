using Amp.Configuration;
using Amp.Events;

namespace Amp.Hosting;

/// <summary>From configuration to what the event code takes.</summary>
internal static class KafkaMapping
{
    /// <summary>Where sync events go; null when they are off.</summary>
    public static KafkaEventOptions? Options(AmpConfiguration configuration)
    {
        var events = configuration.WorkerEvents;
        return !events.Enabled
            ? null
            : new KafkaEventOptions
            {
                Brokers = events.Kafka.Brokers,
                Topic = events.Kafka.Topic,
                Partitions = events.Kafka.Partitions,
                SaslMechanism = events.Kafka.SaslMechanism,
                SaslUsername = events.Kafka.SaslUsername,
                SaslPassword = events.Kafka.SaslPassword?.Reveal(),
                AwsRegion = events.Kafka.AwsRegion,
                TlsEnabled = events.Kafka.TlsEnabled,
                CaFile = events.Kafka.TlsCaFile,
                CertificateFile = events.Kafka.TlsCertificateFile,
                KeyFile = events.Kafka.TlsKeyFile,
            };
    }
}
