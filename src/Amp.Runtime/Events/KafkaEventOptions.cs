namespace Amp.Events;

/// <summary>Where sync events go to and are read from, and how to log on there.</summary>
public sealed record KafkaEventOptions
{
    /// <summary>Addresses to start from, <c>host:port</c>; at least one.</summary>
    public required IReadOnlyList<string> Brokers { get; init; }

    /// <summary>The topic. It is never created here.</summary>
    public string Topic { get; init; } = "amp.worker.events";

    /// <summary>How many partitions the topic should have; a topic that has another number is warned about and used all the same.</summary>
    public int Partitions { get; init; } = 16;

    /// <summary>
    /// <c>PLAIN</c>, <c>SCRAM-SHA-256</c>, <c>SCRAM-SHA-512</c> or, for Amazon MSK by IAM, <c>OAUTHBEARER</c> (any case); null for no
    /// authentication.
    /// </summary>
    public string? SaslMechanism { get; init; }

    /// <summary>User name; needed with <see cref="SaslMechanism"/>, but not for <c>OAUTHBEARER</c>.</summary>
    public string? SaslUsername { get; init; }

    /// <summary>Password; needed with <see cref="SaslMechanism"/>, but not for <c>OAUTHBEARER</c>. Never shown or logged.</summary>
    public string? SaslPassword { get; init; }

    /// <summary>AWS region for <c>OAUTHBEARER</c>; null to take it from the brokers' names.</summary>
    public string? AwsRegion { get; init; }

    /// <summary>Whether connections are encrypted; needed for <c>OAUTHBEARER</c>.</summary>
    public bool TlsEnabled { get; init; }

    /// <summary>PEM file of the authorities to trust; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>PEM file of the client's certificate; needs <see cref="KeyFile"/>.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>PEM file of the client's private key; needs <see cref="CertificateFile"/>.</summary>
    public string? KeyFile { get; init; }

    /// <summary>Returns topic and brokers: a record's own text would show the password.</summary>
    public override string ToString() => $"{Topic} on {string.Join(',', Brokers)}";
}
