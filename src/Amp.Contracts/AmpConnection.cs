namespace Amp;

/// <summary>What the session's cmdlets work on.</summary>
public sealed record AmpConnection
{
    /// <summary>The Admin API's address; null when connected to the database itself.</summary>
    public Uri? Uri { get; init; }

    /// <summary>The metadata database's address, password left out; null over HTTP.</summary>
    public string? MetadataDb { get; init; }

    /// <summary>The configuration file; null when connected by database address alone.</summary>
    public string? ConfigPath { get; init; }

    /// <summary>Folder of the Parquet files; null without a configuration.</summary>
    public string? DataDir { get; init; }

    /// <summary>Folder of the provider files; null without a configuration.</summary>
    public string? ProvidersDir { get; init; }

    /// <summary>Folder of the manifest files; null without a configuration.</summary>
    public string? ManifestsDir { get; init; }

    /// <summary>Kafka brokers of the sync events; empty when events are off.</summary>
    public IReadOnlyList<string> KafkaBrokers { get; init; } = [];

    /// <summary>Whether this session started the database and stops it at its end (solo mode).</summary>
    public bool IsSolo { get; init; }
}

/// <summary>What a provider answered when it was tried.</summary>
public sealed record AmpProviderTest
{
    /// <summary>The provider's name.</summary>
    public required string Name { get; init; }

    /// <summary>The network it is configured for.</summary>
    public required string Network { get; init; }

    /// <summary>Its address, secrets redacted.</summary>
    public string? Url { get; init; }

    /// <summary>Whether it answered and is usable.</summary>
    public required bool Success { get; init; }

    /// <summary>The node's software, as it calls itself.</summary>
    public string? ClientVersion { get; init; }

    /// <summary>The chain id it answered with.</summary>
    public ulong? ChainId { get; init; }

    /// <summary>Number of its newest block.</summary>
    public ulong? Head { get; init; }

    /// <summary>How long it took to answer for its newest block's number.</summary>
    public TimeSpan? Latency { get; init; }

    /// <summary>Whether it can give the receipts of a whole block at once; where not, they are fetched one by one.</summary>
    public bool? SupportsBlockReceipts { get; init; }

    /// <summary>Why it is not usable; null on success.</summary>
    public string? ErrorMessage { get; init; }
}

/// <summary>A development chain that this session runs.</summary>
public sealed record AmpDevChain
{
    /// <summary>Its JSON-RPC address on loopback.</summary>
    public required string Url { get; init; }

    /// <summary>Its chain id.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>Number of its newest block.</summary>
    public required ulong Head { get; init; }

    /// <summary>Seed that all of its blocks follow from.</summary>
    public required ulong Seed { get; init; }
}

/// <summary>A development Kafka broker that this session runs.</summary>
public sealed record AmpDevBroker
{
    /// <summary>Its address, as clients take it.</summary>
    public required string BootstrapServers { get; init; }

    /// <summary>Its topics.</summary>
    public required IReadOnlyList<string> Topics { get; init; }
}
