using System.Collections;
using System.Net;
using System.Net.Mail;

namespace Amp.Configuration;

/// <summary>
/// The configuration of a process, read once and never changed. Printing it, or any part of it, shows no secret:
/// those are <see cref="Secret"/>s.
/// </summary>
public sealed record AmpConfiguration
{
    private const string Prefix = "AMP_CONFIG_";
    private const string PathVariable = "AMP_CONFIG";
    private const string NodeIdVariable = "AMP_NODE_ID";

    /// <summary>The file it was read from, as an absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Whether there is such a file; false for a configuration made of a database address alone.</summary>
    public bool IsFromFile { get; init; } = true;

    /// <summary>Name of this machine's worker; null when neither file nor environment name it.</summary>
    public string? NodeId { get; init; }

    /// <summary>Where Parquet files are written: an absolute path, or a URL as given. It may not exist yet.</summary>
    public required string DataDir { get; init; }

    /// <summary>Folder of provider files; an absolute path. It may not exist yet.</summary>
    public required string ProvidersDir { get; init; }

    /// <summary>Folder of manifests; an absolute path. It may not exist yet.</summary>
    public required string ManifestsDir { get; init; }

    /// <summary>Address of the Admin API.</summary>
    public required IPEndPoint AdminApiAddress { get; init; }

    /// <summary>Bearer token of the Admin API; never null when <see cref="AdminApiAddress"/> is not a loopback address.</summary>
    public Secret? AdminApiToken { get; init; }

    /// <summary>How often a continuous job looks for new blocks.</summary>
    public required TimeSpan PollInterval { get; init; }

    /// <summary>The metadata database.</summary>
    public required MetadataDbConfiguration MetadataDb { get; init; }

    /// <summary>How Parquet files are written.</summary>
    public required WriterConfiguration Writer { get; init; }

    /// <summary>Bounds of extraction.</summary>
    public required ExtractionConfiguration Extraction { get; init; }

    /// <summary>The controller.</summary>
    public required ControllerConfiguration Controller { get; init; }

    /// <summary>Sync events.</summary>
    public required WorkerEventsConfiguration WorkerEvents { get; init; }

    /// <summary>Background jobs.</summary>
    public required BackgroundJobsConfiguration BackgroundJobs { get; init; }

    /// <summary>The mail server of background jobs; null when none is configured.</summary>
    public SmtpConfiguration? Smtp { get; init; }

    /// <summary>Folder of templates of e-mails; an absolute path, or null for the built-in ones. It may not exist.</summary>
    public string? TemplatesDir { get; init; }

    /// <summary>Metrics and traces.</summary>
    public required OpenTelemetryConfiguration OpenTelemetry { get; init; }

    /// <summary>Keys in the file that other programs of an ampd deployment read and this one does not.</summary>
    public IReadOnlyList<string> UnusedKeys { get; init; } = [];

    /// <summary>
    /// Finds the configuration file: the path given, else <c>AMP_CONFIG</c>, else <c>.amp/config.toml</c> in the
    /// current folder. Returns its absolute path.
    /// </summary>
    /// <param name="path">A path, or null to look for it.</param>
    /// <param name="environment">Variables to use instead of the process's own.</param>
    /// <param name="currentFolder">Folder to use instead of the process's own.</param>
    /// <exception cref="AmpException"><c>ConfigurationNotFound</c>: says where it looked and what to do.</exception>
    public static string Find(
        string? path = null, IReadOnlyDictionary<string, string>? environment = null, string? currentFolder = null)
    {
        environment ??= ProcessEnvironment();
        currentFolder ??= Environment.CurrentDirectory;
        var fromVariable = environment.GetValueOrDefault(PathVariable);
        var (candidate, origin) = !string.IsNullOrEmpty(path)
            ? (path, "")
            : !string.IsNullOrEmpty(fromVariable)
                ? (fromVariable, $", named by {PathVariable},")
                : (System.IO.Path.Combine(".amp", "config.toml"), ", where it is looked for by default,");
        var full = System.IO.Path.GetFullPath(candidate, currentFolder);
        return File.Exists(full)
            ? full
            : throw new AmpException("ConfigurationNotFound", AmpErrorKind.NotFound, $"There is no configuration file: {full}{origin} does not exist.")
            {
                Target = full,
                RecommendedAction = $"Give the file's path with -ConfigPath or --config, set {PathVariable}, or create one: New-AmpConfiguration -Path '{full}'.",
            };
    }

    /// <summary>
    /// Reads a configuration file and the environment's overrides (<c>AMP_CONFIG_…</c>, <c>AMP_NODE_ID</c>). Nothing
    /// is created or changed.
    /// </summary>
    /// <param name="path">The file, as <see cref="Find"/> returns it.</param>
    /// <param name="environment">Variables to use instead of the process's own.</param>
    /// <exception cref="AmpException">
    /// <c>ConfigurationNotFound</c>, <c>ConfigurationUnreadable</c>, <c>InvalidToml</c>, or <c>InvalidConfiguration</c>,
    /// which lists every unknown key and unusable value with its line or variable.
    /// </exception>
    public static AmpConfiguration Load(string path, IReadOnlyDictionary<string, string>? environment = null)
    {
        environment ??= ProcessEnvironment();
        path = Find(path, environment);
        var reader = new SettingReader(AmpSettings.All);
        reader.Read(TomlDocument.Parse(ReadFile(path), path));
        reader.ReadEnvironment(environment, Prefix);
        ReadOwnVariables(reader, environment);
        CheckTogether(reader);
        reader.ThrowIfFaulty("InvalidConfiguration", path, "configuration");
        return Build(reader, path);
    }

    /// <summary>
    /// A configuration without a file: all defaults, the environment's overrides, and the database given. Folders are
    /// those beside a file that would be in <paramref name="folder"/>.
    /// </summary>
    /// <param name="databaseUrl">The metadata database, <c>postgresql://…</c>.</param>
    /// <param name="folder">The folder; absolute.</param>
    /// <exception cref="AmpException"><c>InvalidConfiguration</c> for an address or override that cannot be used.</exception>
    public static AmpConfiguration ForDatabase(string databaseUrl, string folder)
    {
        var path = System.IO.Path.Combine(folder, "config.toml");
        var reader = new SettingReader(AmpSettings.All);
        reader.ReadEnvironment(ProcessEnvironment(), Prefix);
        ReadOwnVariables(reader, ProcessEnvironment());
        reader.ReadVariable(AmpSettings.DatabaseUrl, "the database address", databaseUrl);
        CheckTogether(reader);
        reader.ThrowIfFaulty("InvalidConfiguration", "given by the database address", "configuration");
        return Build(reader, path) with { IsFromFile = false };
    }

    /// <summary>Writes a configuration file with a comment on every key; keys without a value given are commented out.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="values">Values by key, such as <c>metadata_db.url</c>, spelled as in environment variables.</param>
    /// <exception cref="AmpException"><c>InvalidConfiguration</c> when a key is unknown or a value cannot be used.</exception>
    public static void WriteTemplate(TextWriter writer, IReadOnlyDictionary<string, string>? values = null) =>
        ConfigurationTemplate.Write(writer, values ?? new Dictionary<string, string>());

    /// <summary>The process's environment variables.</summary>
    internal static IReadOnlyDictionary<string, string> ProcessEnvironment() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "", StringComparer.Ordinal);

    private static byte[] ReadFile(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new AmpException("ConfigurationUnreadable", AmpErrorKind.Denied, $"The configuration file {path} cannot be read: {exception.Message}", exception)
            {
                Target = path,
                RecommendedAction = "Give the account that runs this process the right to read the file.",
            };
        }
    }

    /// <summary>Settings that have a variable of their own name as well.</summary>
    private static void ReadOwnVariables(SettingReader reader, IReadOnlyDictionary<string, string> environment)
    {
        foreach (var (variable, setting) in (ReadOnlySpan<(string, Setting)>)
            [
                (NodeIdVariable, AmpSettings.NodeId), ("KAFKA_BROKERS", AmpSettings.JobBrokers), ("KAFKA_JOB_TOPIC", AmpSettings.JobTopic),
                ("KAFKA_JOB_CONSUMER_GROUP", AmpSettings.JobGroup), ("KAFKA_WORKER_POOL_SIZE", AmpSettings.JobPoolSize),
            ])
        {
            if (environment.TryGetValue(variable, out var text) && text.Length > 0)
            {
                reader.ReadVariable(setting, variable, text);
            }
        }
    }

    private static void CheckTogether(SettingReader reader)
    {
        var values = reader.Values;
        if (values.Get(AmpSettings.EventsEnabled) && values.Get(AmpSettings.KafkaBrokers) is not { Count: > 0 })
        {
            reader.AddFault(values.Origin(AmpSettings.EventsEnabled), $"worker_events.enabled is true, but {AmpSettings.KafkaBrokers.Path} names no broker");
        }

        if (values.Get(AmpSettings.SaslMechanism) == "OAUTHBEARER")
        {
            if (!values.Get(AmpSettings.TlsEnabled))
            {
                reader.AddFault(values.Origin(AmpSettings.SaslMechanism), $"{AmpSettings.SaslMechanism.Path} is OAUTHBEARER, which needs {AmpSettings.TlsEnabled.Path} = true");
            }
        }
        else if (values.IsSet(AmpSettings.SaslMechanism))
        {
            foreach (var setting in (Setting[])[AmpSettings.SaslUsername, AmpSettings.SaslPassword])
            {
                if (!values.IsSet(setting))
                {
                    reader.AddFault(values.Origin(AmpSettings.SaslMechanism), $"{AmpSettings.SaslMechanism.Path} is set, but {setting.Path} is not");
                }
            }
        }

        if (values.IsSet(AmpSettings.TlsCertificateFile) != values.IsSet(AmpSettings.TlsKeyFile))
        {
            var (present, missing) = values.IsSet(AmpSettings.TlsKeyFile)
                ? (AmpSettings.TlsKeyFile, AmpSettings.TlsCertificateFile)
                : (AmpSettings.TlsCertificateFile, AmpSettings.TlsKeyFile);
            reader.AddFault(values.Origin(present), $"{present.Path} is set, but {missing.Path} is not");
        }

        CheckSmtp(reader);
        if (values.Get(AmpSettings.AdminApiAddress) is { } address && !IPAddress.IsLoopback(address.Address) && !values.IsSet(AmpSettings.AdminApiToken))
        {
            reader.AddFault(
                values.Origin(AmpSettings.AdminApiAddress),
                $"{AmpSettings.AdminApiAddress.Path} is reachable from other machines, so {AmpSettings.AdminApiToken.Path} must be set");
        }
    }

    private static void CheckSmtp(SettingReader reader)
    {
        var values = reader.Values;
        if (values.IsSet(AmpSettings.SmtpHost) && !values.IsSet(AmpSettings.SmtpFrom))
        {
            reader.AddFault(values.Origin(AmpSettings.SmtpHost), $"{AmpSettings.SmtpHost.Path} is set, but {AmpSettings.SmtpFrom.Path} is not");
        }

        if (values.Get(AmpSettings.SmtpFrom) is { } from && !MailAddress.TryCreate(from, out _))
        {
            reader.AddFault(values.Origin(AmpSettings.SmtpFrom), $"{AmpSettings.SmtpFrom.Path} is no e-mail address, such as {AmpSettings.SmtpFrom.Example}");
        }

        if (values.IsSet(AmpSettings.SmtpUsername) != values.IsSet(AmpSettings.SmtpPassword))
        {
            var (present, missing) = values.IsSet(AmpSettings.SmtpUsername)
                ? ((Setting)AmpSettings.SmtpUsername, (Setting)AmpSettings.SmtpPassword)
                : (AmpSettings.SmtpPassword, AmpSettings.SmtpUsername);
            reader.AddFault(values.Origin(present), $"{present.Path} is set, but {missing.Path} is not");
        }
    }

    private static AmpConfiguration Build(SettingReader reader, string path)
    {
        var values = reader.Values;
        var folder = System.IO.Path.GetDirectoryName(path)!;
        return new AmpConfiguration
        {
            Path = path,
            NodeId = values.Get(AmpSettings.NodeId),
            DataDir = Resolve(values.Get(AmpSettings.DataDir))!,
            ProvidersDir = Resolve(values.Get(AmpSettings.ProvidersDir))!,
            ManifestsDir = Resolve(values.Get(AmpSettings.ManifestsDir))!,
            AdminApiAddress = values.Get(AmpSettings.AdminApiAddress)!,
            AdminApiToken = values.Get(AmpSettings.AdminApiToken),
            PollInterval = values.Get(AmpSettings.PollInterval),
            MetadataDb = new MetadataDbConfiguration(
                values.Get(AmpSettings.DatabaseUrl), (int)values.Get(AmpSettings.DatabasePoolSize), values.Get(AmpSettings.DatabaseAutoMigrate)),
            Writer = new WriterConfiguration
            {
                Compression = values.Get(AmpSettings.Compression)!,
                TargetFileBytes = values.Get(AmpSettings.TargetFileBytes),
                MaxRowGroupMb = (int)values.Get(AmpSettings.MaxRowGroupMb),
                SegmentFlushInterval = values.Get(AmpSettings.SegmentFlushInterval),
                BloomFilters = values.Get(AmpSettings.BloomFilters),
                CompactorActive = values.Get(AmpSettings.CompactorActive),
                CollectorActive = values.Get(AmpSettings.CollectorActive),
            },
            Extraction = new ExtractionConfiguration((int)values.Get(AmpSettings.MemoryBudgetMb)),
            Controller = new ControllerConfiguration(values.Get(AmpSettings.FailoverAfter), values.Get(AmpSettings.MaxRetryDelay)),
            WorkerEvents = new WorkerEventsConfiguration(
                values.Get(AmpSettings.EventsEnabled),
                values.Get(AmpSettings.ProgressInterval),
                new KafkaConfiguration
                {
                    Brokers = values.Get(AmpSettings.KafkaBrokers) ?? [],
                    Topic = values.Get(AmpSettings.KafkaTopic)!,
                    Partitions = (int)values.Get(AmpSettings.KafkaPartitions),
                    SaslMechanism = values.Get(AmpSettings.SaslMechanism),
                    SaslUsername = values.Get(AmpSettings.SaslUsername),
                    SaslPassword = values.Get(AmpSettings.SaslPassword),
                    AwsRegion = values.Get(AmpSettings.AwsRegion),
                    TlsEnabled = values.Get(AmpSettings.TlsEnabled),
                    TlsCaFile = Resolve(values.Get(AmpSettings.TlsCaFile)),
                    TlsCertificateFile = Resolve(values.Get(AmpSettings.TlsCertificateFile)),
                    TlsKeyFile = Resolve(values.Get(AmpSettings.TlsKeyFile)),
                }),
            BackgroundJobs = new BackgroundJobsConfiguration(
                values.Get(AmpSettings.JobBrokers) ?? (values.Get(AmpSettings.EventsEnabled) ? values.Get(AmpSettings.KafkaBrokers) : null) ?? [],
                values.Get(AmpSettings.JobTopic)!, values.Get(AmpSettings.JobGroup)!, (int)values.Get(AmpSettings.JobPoolSize), values.Get(AmpSettings.JobDrainTimeout)),
            Smtp = values.Get(AmpSettings.SmtpHost) is not { } host ? null : new SmtpConfiguration
            {
                Host = host,
                Port = (int)values.Get(AmpSettings.SmtpPort),
                StartTls = values.Get(AmpSettings.SmtpStartTls),
                Username = values.Get(AmpSettings.SmtpUsername),
                Password = values.Get(AmpSettings.SmtpPassword),
                From = values.Get(AmpSettings.SmtpFrom)!,
            },
            TemplatesDir = Resolve(values.Get(AmpSettings.TemplatesDir)),
            OpenTelemetry = new OpenTelemetryConfiguration(
                values.Get(AmpSettings.MetricsUrl), values.Get(AmpSettings.MetricsExportInterval),
                values.Get(AmpSettings.TraceUrl), values.Get(AmpSettings.TraceRatio)),
            UnusedKeys = reader.ForeignKeys,
        };

        string? Resolve(string? location) =>
            location is null || location.Contains("://", StringComparison.Ordinal) ? location : System.IO.Path.GetFullPath(location, folder);
    }
}
