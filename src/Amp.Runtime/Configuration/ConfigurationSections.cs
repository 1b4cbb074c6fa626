namespace Amp.Configuration;

/// <summary>The metadata database.</summary>
/// <param name="Url">A <c>postgresql://</c> URL; null when none is configured (solo mode then brings its own server).</param>
/// <param name="PoolSize">Most connections that a process opens.</param>
/// <param name="AutoMigrate">Whether tables are created and migrated at start.</param>
public sealed record MetadataDbConfiguration(Secret? Url, int PoolSize, bool AutoMigrate);

/// <summary>How Parquet files are written.</summary>
public sealed record WriterConfiguration
{
    /// <summary>Compression of column data.</summary>
    public required CompressionSetting Compression { get; init; }

    /// <summary>Size at which a file is closed, in bytes.</summary>
    public required long TargetFileBytes { get; init; }

    /// <summary>Largest row group in MiB, before compression.</summary>
    public required int MaxRowGroupMb { get; init; }

    /// <summary>Longest time before blocks extracted so far are closed into files.</summary>
    public required TimeSpan SegmentFlushInterval { get; init; }

    /// <summary>Whether files get bloom filters.</summary>
    public required bool BloomFilters { get; init; }

    /// <summary>Whether small files are merged.</summary>
    public required bool CompactorActive { get; init; }

    /// <summary>Whether merged and orphaned files are removed.</summary>
    public required bool CollectorActive { get; init; }
}

/// <summary>Bounds of extraction.</summary>
/// <param name="MemoryBudgetMb">Memory for blocks on their way from node to file, in MiB.</param>
public sealed record ExtractionConfiguration(int MemoryBudgetMb);

/// <summary>The controller.</summary>
/// <param name="FailoverAfter">How long a worker may be silent before its jobs move to another one.</param>
/// <param name="MaxRetryDelay">Longest pause before a job that failed is scheduled again.</param>
public sealed record ControllerConfiguration(TimeSpan FailoverAfter, TimeSpan MaxRetryDelay);

/// <summary>Sync events.</summary>
/// <param name="Enabled">Whether they are sent.</param>
/// <param name="ProgressInterval">Shortest time between two progress events of a table.</param>
/// <param name="Kafka">Where they are sent to.</param>
public sealed record WorkerEventsConfiguration(bool Enabled, TimeSpan ProgressInterval, KafkaConfiguration Kafka);

/// <summary>How to reach Kafka.</summary>
public sealed record KafkaConfiguration
{
    /// <summary>Addresses of brokers; empty only when events are disabled.</summary>
    public required IReadOnlyList<string> Brokers { get; init; }

    /// <summary>The topic.</summary>
    public required string Topic { get; init; }

    /// <summary>Number of its partitions.</summary>
    public required int Partitions { get; init; }

    /// <summary><c>PLAIN</c>, <c>SCRAM-SHA-256</c>, <c>SCRAM-SHA-512</c> or <c>OAUTHBEARER</c>; null without SASL.</summary>
    public string? SaslMechanism { get; init; }

    /// <summary>User name; not null with a mechanism other than <c>OAUTHBEARER</c>.</summary>
    public string? SaslUsername { get; init; }

    /// <summary>Password; not null with a mechanism other than <c>OAUTHBEARER</c>.</summary>
    public Secret? SaslPassword { get; init; }

    /// <summary>AWS region for <c>OAUTHBEARER</c>; null to take it from the brokers' names.</summary>
    public string? AwsRegion { get; init; }

    /// <summary>Whether connections use TLS.</summary>
    public bool TlsEnabled { get; init; }

    /// <summary>File of trusted authorities; an absolute path, or null for the system's.</summary>
    public string? TlsCaFile { get; init; }

    /// <summary>File of the own certificate; null exactly when <see cref="TlsKeyFile"/> is.</summary>
    public string? TlsCertificateFile { get; init; }

    /// <summary>File of its key.</summary>
    public string? TlsKeyFile { get; init; }
}

/// <summary>Background jobs.</summary>
/// <param name="Brokers">Kafka brokers; empty where jobs are found in the database only.</param>
/// <param name="Topic">The topic that brings jobs to workers.</param>
/// <param name="ConsumerGroup">Consumer group of the workers.</param>
/// <param name="PoolSize">Jobs that a worker runs at once.</param>
/// <param name="DrainTimeout">How long jobs may go on when their worker stops.</param>
public sealed record BackgroundJobsConfiguration(IReadOnlyList<string> Brokers, string Topic, string ConsumerGroup, int PoolSize, TimeSpan DrainTimeout);

/// <summary>Metrics and traces (OTLP over HTTP).</summary>
/// <param name="MetricsUrl">Where metrics are sent; null for nowhere.</param>
/// <param name="MetricsExportInterval">How often.</param>
/// <param name="TraceUrl">Where traces are sent; null for nowhere.</param>
/// <param name="TraceRatio">Share of traces that are sent, 0 to 1.</param>
public sealed record OpenTelemetryConfiguration(Secret? MetricsUrl, TimeSpan MetricsExportInterval, Secret? TraceUrl, double TraceRatio);
