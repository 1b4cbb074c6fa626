using System.Net;

namespace Amp.Configuration;

/// <summary>Every key of the configuration file: the one table from which reading, overrides, hints and the template come.</summary>
internal static class AmpSettings
{
    public static readonly Setting<string> NodeId = new(
        "node_id", SettingType.NodeName, null, "Name of the worker that this machine runs; unique in the fleet. AMP_NODE_ID overrides it.", "worker-01");

    public static readonly Setting<string> DataDir = new(
        "data_dir", SettingType.Path, "data", "Where Parquet files are written. Relative paths start at this file's folder.");

    public static readonly Setting<string> ProvidersDir = new(
        "providers_dir", SettingType.Path, "providers", "Folder of provider files: where blocks come from.");

    public static readonly Setting<string> ManifestsDir = new(
        "manifests_dir", SettingType.Path, "manifests", "Folder of dataset manifests.");

    public static readonly Setting<IPEndPoint> AdminApiAddress = new(
        "admin_api_addr", SettingType.Address, new IPEndPoint(IPAddress.Loopback, 1610), "Address of the controller's Admin API.");

    public static readonly Setting<Secret> AdminApiToken = new(
        "admin_api_token", SettingType.Secret, null, "Bearer token that the Admin API asks for; required when its address is not a loopback address.",
        "a long random text");

    public static readonly Setting<TimeSpan> PollInterval = new(
        "poll_interval_secs", SettingType.Duration(0.01, 3600), TimeSpan.FromSeconds(1), "How often a continuous job looks for new blocks, in seconds.");

    public static readonly Setting<Secret> DatabaseUrl = new(
        "metadata_db.url", SettingType.Url("postgresql", "postgres"), null, "The PostgreSQL database that workers and controller share.",
        "postgresql://amp:password@localhost:5432/amp");

    public static readonly Setting<long> DatabasePoolSize = new(
        "metadata_db.pool_size", SettingType.Integer(1, 1000), 10, "Most connections that a process opens.");

    public static readonly Setting<bool> DatabaseAutoMigrate = new(
        "metadata_db.auto_migrate", SettingType.Boolean, true, "Whether tables are created and migrated at start.");

    public static readonly Setting<CompressionSetting> Compression = new(
        "writer.compression", SettingType.Compression, new CompressionSetting(ParquetCompression.Zstd, 1),
        $"Compression of Parquet columns: {CompressionSetting.Allowed}.");

    public static readonly Setting<long> TargetFileBytes = new(
        "writer.bytes", SettingType.Integer(1, long.MaxValue), 2L * 1024 * 1024 * 1024, "Size at which a file is closed, in bytes.");

    public static readonly Setting<long> MaxRowGroupMb = new(
        "writer.max_row_group_mb", SettingType.Integer(1, 65_536), 512, "Largest row group, in MiB before compression.");

    public static readonly Setting<TimeSpan> SegmentFlushInterval = new(
        "writer.segment_flush_interval_secs", SettingType.Duration(0.1, 86_400), TimeSpan.FromMinutes(10),
        "Longest time before the blocks extracted so far are closed into files, in seconds.");

    public static readonly Setting<bool> BloomFilters = new(
        "writer.bloom_filters", SettingType.Boolean, false, "Whether files get bloom filters.");

    public static readonly Setting<bool> CompactorActive = new(
        "writer.compactor.active", SettingType.Boolean, false, "Whether small files are merged into larger ones.");

    public static readonly Setting<bool> CollectorActive = new(
        "writer.collector.active", SettingType.Boolean, false, "Whether files that were merged or orphaned are removed.");

    public static readonly Setting<long> MemoryBudgetMb = new(
        "extraction.memory_budget_mb", SettingType.Integer(16, 1_048_576), 512, "Memory that the blocks of a job may take on their way from node to file, in MiB; each writer of a job needs 8.");

    public static readonly Setting<TimeSpan> FailoverAfter = new(
        "controller.failover_after", SettingType.Duration(5, 86_400), TimeSpan.FromSeconds(30),
        "How long a worker may be silent before its jobs move to another one: seconds, or \"30s\", \"5m\".");

    public static readonly Setting<TimeSpan> MaxRetryDelay = new(
        "controller.max_retry_delay", SettingType.Duration(2, 86_400), TimeSpan.FromMinutes(10),
        "Longest pause before a job that failed is scheduled again; the pause doubles from 2 s with each failure.");

    public static readonly Setting<bool> EventsEnabled = new(
        "worker_events.enabled", SettingType.Boolean, false, "Whether sync events are sent to Kafka.");

    public static readonly Setting<TimeSpan> ProgressInterval = new(
        "worker_events.progress_interval", SettingType.Duration(0, 86_400), TimeSpan.FromSeconds(10),
        "Shortest time between two progress events of a table, in seconds.");

    public static readonly Setting<IReadOnlyList<string>> KafkaBrokers = new(
        "worker_events.kafka.brokers", SettingType.TextList, null, "Addresses of Kafka brokers; required when events are enabled.",
        (string[])["localhost:9092"]);

    public static readonly Setting<string> KafkaTopic = new(
        "worker_events.kafka.topic", SettingType.Text, "amp.worker.events", "Topic that events go to. It must exist.");

    public static readonly Setting<long> KafkaPartitions = new(
        "worker_events.kafka.partitions", SettingType.Integer(1, 100_000), 16, "Number of partitions of the topic.");

    public static readonly Setting<string> SaslMechanism = new(
        "worker_events.kafka.sasl_mechanism", SettingType.Choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"), null,
        "How to log in to Kafka: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, or OAUTHBEARER for Amazon MSK by IAM.", "SCRAM-SHA-256");

    public static readonly Setting<string> SaslUsername = new(
        "worker_events.kafka.sasl_username", SettingType.Text, null, "User name; required with sasl_mechanism, but for OAUTHBEARER.", "user");

    public static readonly Setting<Secret> SaslPassword = new(
        "worker_events.kafka.sasl_password", SettingType.Secret, null, "Password; required with sasl_mechanism, but for OAUTHBEARER.", "password");

    public static readonly Setting<string> AwsRegion = new(
        "worker_events.kafka.aws_region", SettingType.Text, null, "AWS region for OAUTHBEARER, where the brokers' names do not tell it.", "eu-west-1");

    public static readonly Setting<bool> TlsEnabled = new(
        "worker_events.kafka.tls_enabled", SettingType.Boolean, false, "Whether connections to Kafka use TLS.");

    public static readonly Setting<string> TlsCaFile = new(
        "worker_events.kafka.tls_ca_file", SettingType.Path, null, "Certificates (PEM) of authorities to trust instead of the system's.", "ca.pem");

    public static readonly Setting<string> TlsCertificateFile = new(
        "worker_events.kafka.tls_certificate_file", SettingType.Path, null, "Own certificate (PEM), where the broker asks for one.", "client.pem");

    public static readonly Setting<string> TlsKeyFile = new(
        "worker_events.kafka.tls_key_file", SettingType.Path, null, "Key (PEM) of that certificate.", "client.key");

    public static readonly Setting<IReadOnlyList<string>> JobBrokers = new(
        "background_jobs.brokers", SettingType.TextList, null,
        "Kafka brokers of background jobs; those of worker_events.kafka when left out, and none when worker_events is off too: workers then look for jobs in the database. KAFKA_BROKERS overrides it.",
        (string[])["localhost:9092"]);

    public static readonly Setting<string> JobTopic = new(
        "background_jobs.topic", SettingType.Text, "job-events", "Topic that brings jobs to workers; log-on and TLS are those of worker_events.kafka. KAFKA_JOB_TOPIC overrides it.");

    public static readonly Setting<string> JobGroup = new(
        "background_jobs.consumer_group", SettingType.Text, "job-workers", "Consumer group of the workers. KAFKA_JOB_CONSUMER_GROUP overrides it.");

    public static readonly Setting<long> JobPoolSize = new(
        "background_jobs.pool_size", SettingType.Integer(1, 1000), 10, "Jobs that a worker runs at once. KAFKA_WORKER_POOL_SIZE overrides it.");

    public static readonly Setting<TimeSpan> JobDrainTimeout = new(
        "background_jobs.drain_timeout_secs", SettingType.Duration(0, 86_400), TimeSpan.FromSeconds(30), "How long jobs may go on when their worker stops, in seconds.");

    public static readonly Setting<string> TemplatesDir = new(
        "background_jobs.templates_dir", SettingType.Path, null, "Folder of templates of e-mails, where they shall not be the built-in ones.", "templates");

    public static readonly Setting<string> SmtpHost = new(
        "background_jobs.smtp.host", SettingType.Text, null, "Mail server that e-mails of jobs are given to; without one, such jobs wait.", "smtp.example.org");

    public static readonly Setting<long> SmtpPort = new(
        "background_jobs.smtp.port", SettingType.Integer(1, 65_535), 587, "Its port; not one that expects TLS from the first byte (465).");

    public static readonly Setting<bool> SmtpStartTls = new(
        "background_jobs.smtp.starttls", SettingType.Boolean, true, "Whether connections to it must be encrypted by STARTTLS; if not, the password is not either.");

    public static readonly Setting<string> SmtpUsername = new(
        "background_jobs.smtp.username", SettingType.Text, null, "User name, where the server asks for one.", "user");

    public static readonly Setting<Secret> SmtpPassword = new(
        "background_jobs.smtp.password", SettingType.Secret, null, "Password; required with username.", "password");

    public static readonly Setting<string> SmtpFrom = new(
        "background_jobs.smtp.from", SettingType.Text, null, "Who sends; required with host.", "Our team <team@example.org>");

    public static readonly Setting<Secret> MetricsUrl = new(
        "opentelemetry.metrics_url", SettingType.Url("http", "https"), null, "Collector that metrics are sent to (OTLP over HTTP).",
        "http://localhost:4318/v1/metrics");

    public static readonly Setting<TimeSpan> MetricsExportInterval = new(
        "opentelemetry.metrics_export_interval_secs", SettingType.Duration(0.1, 86_400), TimeSpan.FromSeconds(60), "How often metrics are sent, in seconds.");

    public static readonly Setting<Secret> TraceUrl = new(
        "opentelemetry.trace_url", SettingType.Url("http", "https"), null, "Collector that traces are sent to (OTLP over HTTP).",
        "http://localhost:4318/v1/traces");

    public static readonly Setting<double> TraceRatio = new(
        "opentelemetry.trace_ratio", SettingType.Number(0, 1), 1.0, "Share of traces that are sent.");

    /// <summary>All keys, in the order of the template; last those that other programs of an ampd deployment read.</summary>
    public static readonly IReadOnlyList<Setting> All =
    [
        NodeId, DataDir, ProvidersDir, ManifestsDir, AdminApiAddress, AdminApiToken, PollInterval,
        DatabaseUrl, DatabasePoolSize, DatabaseAutoMigrate,
        Compression, TargetFileBytes, MaxRowGroupMb, SegmentFlushInterval, BloomFilters, CompactorActive, CollectorActive,
        MemoryBudgetMb,
        FailoverAfter, MaxRetryDelay,
        EventsEnabled, ProgressInterval,
        KafkaBrokers, KafkaTopic, KafkaPartitions, SaslMechanism, SaslUsername, SaslPassword,
        AwsRegion, TlsEnabled, TlsCaFile, TlsCertificateFile, TlsKeyFile,
        JobBrokers, JobTopic, JobGroup, JobPoolSize, JobDrainTimeout,
        TemplatesDir, SmtpHost, SmtpPort, SmtpStartTls, SmtpUsername, SmtpPassword, SmtpFrom,
        MetricsUrl, MetricsExportInterval, TraceUrl, TraceRatio,
        .. Foreign(
            "flight_addr", "jsonl_addr", "max_mem_mb", "query_max_mem_mb", "spill_location", "microbatch_max_interval",
            "server_microbatch_max_interval", "keep_alive_interval", "metadata_db.min_connections",
            "metadata_db.max_lifetime_secs", "metadata_db.idle_timeout_secs", "writer.cache_size_mb", "writer.rows",
            "writer.overflow", "writer.compactor.metadata_concurrency", "writer.compactor.write_concurrency",
            "writer.compactor.min_interval", "writer.compactor.cooldown_duration", "writer.compactor.max_eager_generation",
            "writer.compactor.overflow", "writer.compactor.bytes", "writer.compactor.rows",
            "writer.collector.min_interval", "writer.collector.deletion_lock_duration"),
    ];

    private static IEnumerable<Setting> Foreign(params string[] paths) =>
        paths.Select(path => new Setting(path, SettingType.Foreign, null, "Read by other programs of an ampd deployment."));
}
