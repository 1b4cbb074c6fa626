using System.Collections;
using System.Net;
using System.Reflection;
using System.Text.RegularExpressions;

namespace Amp.Configuration;

public sealed class AmpConfigurationTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("amp-config-");

    private string ConfigPath => Path.Combine(_folder.FullName, "amp.toml");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Load_WhenFileIsEmpty_YieldsEveryDefault()
    {
        var configuration = Load("");

        Assert.Equal(ConfigPath, configuration.Path);
        Assert.Null(configuration.NodeId);
        Assert.Equal(Path.Combine(_folder.FullName, "data"), configuration.DataDir);
        Assert.Equal(Path.Combine(_folder.FullName, "providers"), configuration.ProvidersDir);
        Assert.Equal(Path.Combine(_folder.FullName, "manifests"), configuration.ManifestsDir);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 1610), configuration.AdminApiAddress);
        Assert.Equal(TimeSpan.FromSeconds(1), configuration.PollInterval);
        Assert.Equal(new MetadataDbConfiguration(null, 10, true), configuration.MetadataDb);
        Assert.Equal(new CompressionSetting(ParquetCompression.Zstd, 1), configuration.Writer.Compression);
        Assert.Equal(2147483648, configuration.Writer.TargetFileBytes);
        Assert.Equal(512, configuration.Writer.MaxRowGroupMb);
        Assert.Equal(TimeSpan.FromSeconds(600), configuration.Writer.SegmentFlushInterval);
        Assert.False(configuration.Writer.BloomFilters || configuration.Writer.CompactorActive || configuration.Writer.CollectorActive);
        Assert.Equal(512, configuration.Extraction.MemoryBudgetMb);
        Assert.Equal(TimeSpan.FromSeconds(30), configuration.Controller.FailoverAfter);
        Assert.False(configuration.WorkerEvents.Enabled);
        Assert.Equal(TimeSpan.FromSeconds(10), configuration.WorkerEvents.ProgressInterval);
        Assert.Equal("amp.worker.events", configuration.WorkerEvents.Kafka.Topic);
        Assert.Equal(16, configuration.WorkerEvents.Kafka.Partitions);
        Assert.Empty(configuration.WorkerEvents.Kafka.Brokers);
        Assert.Null(configuration.OpenTelemetry.MetricsUrl);
        Assert.Null(configuration.Smtp);
        Assert.Null(configuration.TemplatesDir);
    }

    [Fact]
    public void Load_WhenKeysAreSet_ReadsThem()
    {
        var configuration = Load("""
            node_id = "eu-west-1a-worker"
            data_dir = "/srv/amp/data"
            providers_dir = "../providers"
            admin_api_addr = "[::1]:2000"
            poll_interval_secs = 0.5
            [metadata_db]
            url = "postgresql://amp:secret@db/amp"
            pool_size = 3
            auto_migrate = false
            [writer]
            compression = "GZIP(9)"
            bytes = 1_000
            [controller]
            failover_after = "2m"
            [worker_events]
            enabled = true
            progress_interval = 2
            kafka.brokers = ["k1:9092", "k2:9092"]
            kafka.sasl_mechanism = "scram-sha-256"
            kafka.sasl_username = "me"
            kafka.sasl_password = "secret"
            kafka.tls_enabled = true
            kafka.tls_ca_file = "ca.pem"
            [background_jobs]
            templates_dir = "templates"
            smtp.host = "mail.example.org"
            smtp.port = 25
            smtp.starttls = false
            smtp.username = "me"
            smtp.password = "secret"
            smtp.from = "The team <team@example.org>"
            """);

        Assert.Equal("eu-west-1a-worker", configuration.NodeId);
        Assert.Equal("/srv/amp/data", configuration.DataDir);
        Assert.Equal(Path.Combine(_folder.Parent!.FullName, "providers"), configuration.ProvidersDir);
        Assert.Equal(IPEndPoint.Parse("[::1]:2000"), configuration.AdminApiAddress);
        Assert.Equal(TimeSpan.FromMilliseconds(500), configuration.PollInterval);
        Assert.Equal("postgresql://amp:secret@db/amp", configuration.MetadataDb.Url!.Reveal());
        Assert.Equal((3, false), (configuration.MetadataDb.PoolSize, configuration.MetadataDb.AutoMigrate));
        Assert.Equal(new CompressionSetting(ParquetCompression.Gzip, 9), configuration.Writer.Compression);
        Assert.Equal(1000, configuration.Writer.TargetFileBytes);
        Assert.Equal(TimeSpan.FromMinutes(2), configuration.Controller.FailoverAfter);
        var kafka = configuration.WorkerEvents.Kafka;
        Assert.Equal(["k1:9092", "k2:9092"], kafka.Brokers.ToArray());
        Assert.Equal(("SCRAM-SHA-256", "me", "secret"), (kafka.SaslMechanism, kafka.SaslUsername, kafka.SaslPassword!.Reveal()));
        Assert.Equal(Path.Combine(_folder.FullName, "ca.pem"), kafka.TlsCaFile);
        var smtp = configuration.Smtp!;
        Assert.Equal(("mail.example.org", 25, false), (smtp.Host, smtp.Port, smtp.StartTls));
        Assert.Equal(("me", "secret", "The team <team@example.org>"), (smtp.Username, smtp.Password!.Reveal(), smtp.From));
        Assert.Equal(Path.Combine(_folder.FullName, "templates"), configuration.TemplatesDir);
    }

    [Fact]
    public void Load_WhenAMailServerHasOnlyWhatItNeeds_EncryptsAndUsesTheSubmissionPort()
    {
        var smtp = Load("[background_jobs.smtp]\nhost = \"mail\"\nfrom = \"team@example.org\"").Smtp!;

        Assert.Equal((587, true, null, null), (smtp.Port, smtp.StartTls, smtp.Username, smtp.Password));
    }

    [Fact]
    public void Load_WhenSeveralThingsAreWrong_NamesEachWithLineFindingAllowedAndNearestKey()
    {
        var error = LoadInvalid("""
            data_dri = "x"
            [metadata_db]
            pool_size = "ten"
            urll = "postgresql://u:hunter2@h/d"
            [writer]
            compression = "zstd(23)"
            [worker_event]
            enabled = true
            [worker_events]
            progress_interval = -1
            kafka = 5
            [extraction]
            pool_size = 5
            """);

        Assert.Equal(AmpErrorKind.InvalidInput, error.Kind);
        Assert.Equal(ConfigPath, error.Target);
        string[] expected =
        [
            "(8 faults)",
            "line 1: data_dri is not a known key; did you mean data_dir?",
            "line 3: metadata_db.pool_size is the text \"ten\", but must be an integer from 1 to 1000",
            "line 4: metadata_db.urll is not a known key; did you mean metadata_db.url?",
            "line 6: writer.compression is the text \"zstd(23)\", but must be zstd(1)…zstd(22)",
            "line 7: worker_event is not a known key",
            "line 10: worker_events.progress_interval is -1, but must be seconds from 0 to 86400",
            "line 11: worker_events.kafka is an integer, but must be a table: [worker_events.kafka]",
            "line 13: extraction.pool_size is not a known key; did you mean metadata_db.pool_size?",
        ];
        Assert.All(expected, text => Assert.Contains(text, error.Message, StringComparison.Ordinal));
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[worker_events.kafka]\nsasl_mechanism = \"GSSAPI\"", "line 2: worker_events.kafka.sasl_mechanism is the text \"GSSAPI\", but must be \"PLAIN\", \"SCRAM-SHA-256\", \"SCRAM-SHA-512\", \"OAUTHBEARER\"")]
    [InlineData("[worker_events.kafka]\nsasl_mechanism = \"oauthbearer\"", "line 2: worker_events.kafka.sasl_mechanism is OAUTHBEARER, which needs worker_events.kafka.tls_enabled = true")]
    [InlineData("[worker_events.kafka]\nsasl_mechanism = \"PLAIN\"\nsasl_username = \"u\"", "line 2: worker_events.kafka.sasl_mechanism is set, but worker_events.kafka.sasl_password is not")]
    [InlineData("[worker_events.kafka]\nsasl_mechanism = \"PLAIN\"\nsasl_password = \"hunter2\"", "line 2: worker_events.kafka.sasl_mechanism is set, but worker_events.kafka.sasl_username is not")]
    [InlineData("[worker_events.kafka]\nsasl_password = 12345", "line 2: worker_events.kafka.sasl_password is an integer, but must be text")]
    [InlineData("[worker_events]\nenabled = true", "line 2: worker_events.enabled is true, but worker_events.kafka.brokers names no broker")]
    [InlineData("[worker_events.kafka]\nbrokers = [\"a\", 1]", "line 2: worker_events.kafka.brokers is an array, but must be an array of texts")]
    [InlineData("[worker_events.kafka]\ntls_key_file = \"k\"", "line 2: worker_events.kafka.tls_key_file is set, but worker_events.kafka.tls_certificate_file is not")]
    [InlineData("admin_api_addr = \"0.0.0.0:1610\"", "line 1: admin_api_addr is reachable from other machines, so admin_api_token must be set")]
    [InlineData("admin_api_addr = \"127.0.0.1\"", "line 1: admin_api_addr is the text \"127.0.0.1\", but must be an IP address and a port")]
    [InlineData("admin_api_addr = \"::1\"", "line 1: admin_api_addr is the text \"::1\"")]
    [InlineData("admin_api_addr = \"127.0.0.1:99999\"", "line 1: admin_api_addr is the text")]
    [InlineData("node_id = \"1-worker\"", "line 1: node_id is the text \"1-worker\", but must be a letter")]
    [InlineData("data_dir = \"\"", "line 1: data_dir is empty text, but must be a path")]
    [InlineData("metadata_db.url = \"mysql://u:hunter2@h\"", "line 1: metadata_db.url is text, but must be a URL that begins with postgresql:// or postgres://")]
    [InlineData("poll_interval_secs = inf", "line 1: poll_interval_secs is")]
    [InlineData("poll_interval_secs = \"5 days\"", "line 1: poll_interval_secs is the text \"5 days\"")]
    [InlineData("[background_jobs.smtp]\nhost = \"h\"", "line 2: background_jobs.smtp.host is set, but background_jobs.smtp.from is not")]
    [InlineData("[background_jobs.smtp]\nfrom = \"the team\"", "line 2: background_jobs.smtp.from is no e-mail address, such as Our team <team@example.org>")]
    [InlineData("[background_jobs.smtp]\nusername = \"me\"", "line 2: background_jobs.smtp.username is set, but background_jobs.smtp.password is not")]
    [InlineData("[background_jobs.smtp]\npassword = \"hunter2\"", "line 2: background_jobs.smtp.password is set, but background_jobs.smtp.username is not")]
    [InlineData("[background_jobs.smtp]\nport = 0", "line 2: background_jobs.smtp.port is 0, but must be an integer from 1 to 65535")]
    [InlineData("[opentelemetry]\ntrace_ratio = 1.5", "line 2: opentelemetry.trace_ratio is 1.5, but must be a number from 0 to 1")]
    public void Load_WhenAValueCannotBeUsed_SaysWhereAndWhatIsAllowed(string text, string expected)
    {
        var error = LoadInvalid(text);

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("(1 fault)", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("12345", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhenVariablesAreSet_TheyOverrideTheFileInBothSpellings()
    {
        var configuration = Load(
            "node_id = \"from-file\"\n[metadata_db]\nurl = \"postgresql://file/db\"\npool_size = 3",
            ("AMP_CONFIG_METADATA_DB_URL", "postgresql://environment/db"),
            ("AMP_CONFIG_METADATA_DB__POOL_SIZE", "7"),
            ("AMP_CONFIG_WORKER_EVENTS__KAFKA__BROKERS", "k1:9092, k2:9092"),
            ("AMP_CONFIG_WORKER_EVENTS_ENABLED", "true"),
            ("AMP_CONFIG_WRITER_SEGMENT_FLUSH_INTERVAL_SECS", "1.5"),
            ("AMP_CONFIG_CONTROLLER__FAILOVER_AFTER", "45s"),
            ("AMP_CONFIG_DATA_DIR", "elsewhere"),
            ("AMP_CONFIG_PROVIDERS_DIR", ""),
            ("AMP_CONFIG_FLIGHT_ADDR", "0.0.0.0:1602"),
            ("AMP_NODE_ID", "from-environment"),
            ("AMP_CONFIG", "/somewhere/else.toml"),
            ("AMP_OTHER", "ignored"));

        Assert.Equal("from-environment", configuration.NodeId);
        Assert.Equal("postgresql://environment/db", configuration.MetadataDb.Url!.Reveal());
        Assert.Equal(7, configuration.MetadataDb.PoolSize);
        Assert.Equal(["k1:9092", "k2:9092"], configuration.WorkerEvents.Kafka.Brokers.ToArray());
        Assert.True(configuration.WorkerEvents.Enabled);
        Assert.Equal(TimeSpan.FromSeconds(1.5), configuration.Writer.SegmentFlushInterval);
        Assert.Equal(TimeSpan.FromSeconds(45), configuration.Controller.FailoverAfter);
        Assert.Equal(Path.Combine(_folder.FullName, "elsewhere"), configuration.DataDir);
        Assert.Equal(Path.Combine(_folder.FullName, "providers"), configuration.ProvidersDir);
    }

    [Fact]
    public void Load_WhenVariablesAreWrong_NamesTheVariableAndHidesItsSecret()
    {
        var error = LoadInvalid(
            "",
            ("AMP_CONFIG_METADATA_DB__POOL_SIZE", "many"),
            ("AMP_CONFIG_METADATA_DB__ULR", "postgresql://u:hunter2@h"),
            ("AMP_CONFIG_METADATA_DB_URL", "hunter2"),
            ("AMP_CONFIG_WRITER__BYTES", "1"),
            ("AMP_CONFIG_WRITER_BYTES", "2"),
            ("AMP_NODE_ID", "worker@01"));

        string[] expected =
        [
            "(5 faults)",
            "AMP_CONFIG_METADATA_DB__POOL_SIZE: the value of metadata_db.pool_size is the text \"many\", but must be an integer from 1 to 1000",
            "AMP_CONFIG_METADATA_DB__ULR: names no known key; did you mean AMP_CONFIG_METADATA_DB__URL?",
            "AMP_CONFIG_METADATA_DB_URL: the value of metadata_db.url is text, but must be a URL",
            "AMP_CONFIG_WRITER__BYTES: sets writer.bytes, and so does AMP_CONFIG_WRITER_BYTES, to another value",
            "AMP_NODE_ID: the value of node_id is the text \"worker@01\"",
        ];
        Assert.All(expected, text => Assert.Contains(text, error.Message, StringComparison.Ordinal));
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WhenKeysBelongToOtherPrograms_AcceptsAndListsThem()
    {
        var configuration = Load("flight_addr = \"0.0.0.0:1602\"\nspill_location = []\n[writer]\ncompactor.min_interval = 1.0\noverflow = \"1.5\"");

        Assert.Equal(["flight_addr", "spill_location", "writer.compactor.min_interval", "writer.overflow"], configuration.UnusedKeys.ToArray());
    }

    [Fact]
    public void Load_WhenFoldersDoNotExist_CreatesNothing()
    {
        Load("data_dir = \"new\"");

        Assert.Equal([ConfigPath], Directory.GetFileSystemEntries(_folder.FullName));
    }

    [Fact]
    public void Find_WhenPathVariableAndDefaultExist_PrefersThemInThatOrder()
    {
        var byDefault = Write(Path.Combine(".amp", "config.toml"));
        var byVariable = Write("variable.toml");
        var byPath = Write("path.toml");
        var environment = new Dictionary<string, string> { ["AMP_CONFIG"] = "variable.toml" };

        Assert.Equal(byPath, AmpConfiguration.Find("path.toml", environment, _folder.FullName));
        Assert.Equal(byVariable, AmpConfiguration.Find(null, environment, _folder.FullName));
        Assert.Equal(byDefault, AmpConfiguration.Find(null, new Dictionary<string, string>(), _folder.FullName));
    }

    [Theory]
    [InlineData("absent.toml", null, "absent.toml")]
    [InlineData(null, "gone.toml", "named by AMP_CONFIG")]
    [InlineData(null, null, "looked for by default")]
    public void Find_WhenThereIsNone_SaysWhereItLookedAndWhatToDo(string? path, string? variable, string expected)
    {
        var environment = new Dictionary<string, string>();
        if (variable is not null)
        {
            environment["AMP_CONFIG"] = variable;
        }

        var error = Assert.Throws<AmpException>(() => AmpConfiguration.Find(path, environment, _folder.FullName));

        Assert.Equal(("ConfigurationNotFound", AmpErrorKind.NotFound), (error.ErrorCode, error.Kind));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("New-AmpConfiguration", error.RecommendedAction!, StringComparison.Ordinal);
    }

    [Fact]
    public void ToString_WhenSecretsAreSet_ShowsNoneInAnyText()
    {
        var configuration = Load("""
            admin_api_token = "hunter2"
            [metadata_db]
            url = "postgresql://amp:hunter2@db/amp?sslpassword=hunter2"
            [worker_events.kafka]
            sasl_mechanism = "PLAIN"
            sasl_username = "me"
            sasl_password = "hunter2"
            [background_jobs.smtp]
            host = "mail"
            from = "team@example.org"
            username = "me"
            password = "hunter2"
            [opentelemetry]
            metrics_url = "https://hunter2@collector/v1/metrics?api_key=hunter2"
            trace_url = "https://collector/v1/traces?token=hunter2"
            """);

        var texts = Texts(configuration, []).Append(System.Text.Json.JsonSerializer.Serialize(configuration.WorkerEvents)).ToList();

        Assert.Contains("***", texts);
        Assert.Contains("postgresql://amp:***@db/amp?sslpassword=***", texts);
        Assert.Contains("https://***@collector/v1/metrics?api_key=***", texts);
        Assert.True(texts.Count > 40, $"{texts.Count} texts");
        Assert.All(texts, text => Assert.DoesNotContain("hunter2", text, StringComparison.Ordinal));
    }

    [Fact]
    public void WriteTemplate_WhenUncommented_LoadsAsTheDefaults()
    {
        var writer = new StringWriter();
        AmpConfiguration.WriteTemplate(writer);
        var template = writer.ToString();

        var defaults = string.Join('\n', template.Split('\n').Where(line => !line.Contains("# example", StringComparison.Ordinal)));
        var uncommented = Regex.Replace(defaults, "^# (?=[a-z_]+ = )", "", RegexOptions.Multiline);
        var configuration = Load(uncommented);

        Assert.Equal(Load("").ToString(), configuration.ToString());
        Assert.Equal(AmpSettings.All.Count(setting => setting.Default is not null), Regex.Count(uncommented, "^[a-z_]+ = ", RegexOptions.Multiline));
        Load(template);
        Load(Regex.Replace(template, "^# (?=[a-z_]+ = )", "", RegexOptions.Multiline));
    }

    [Fact]
    public void WriteTemplate_WhenValuesAreGiven_TheyAreLoaded()
    {
        var writer = new StringWriter();

        AmpConfiguration.WriteTemplate(writer, new Dictionary<string, string>
        {
            ["metadata_db.url"] = "postgresql://u:p\"a\\ss@h/d",
            ["writer.compression"] = "lz4",
            ["worker_events.kafka.brokers"] = "a:1,b:2",
            ["controller.failover_after"] = "1m",
        });

        var configuration = Load(writer.ToString());
        Assert.Equal("postgresql://u:p\"a\\ss@h/d", configuration.MetadataDb.Url!.Reveal());
        Assert.Equal(ParquetCompression.Lz4, configuration.Writer.Compression.Codec);
        Assert.Equal(2, configuration.WorkerEvents.Kafka.Brokers.Count);
        Assert.Equal(TimeSpan.FromMinutes(1), configuration.Controller.FailoverAfter);
    }

    [Fact]
    public void WriteTemplate_WhenAValueCannotBeUsed_RefusesBeforeWriting()
    {
        var writer = new StringWriter();

        var error = Assert.Throws<AmpException>(() => AmpConfiguration.WriteTemplate(writer, new Dictionary<string, string>
        {
            ["metadata_db.ulr"] = "x",
            ["writer.bytes"] = "few",
        }));

        Assert.Contains("metadata_db.ulr: is not a known key; did you mean metadata_db.url?", error.Message, StringComparison.Ordinal);
        Assert.Contains("writer.bytes: must be an integer", error.Message, StringComparison.Ordinal);
        Assert.Empty(writer.ToString());
    }

    [Fact]
    public void Settings_WhenSpelledAsVariables_AreUnambiguous()
    {
        var names = AmpSettings.All.Select(setting => setting.Path.Replace('.', '_')).ToList();

        Assert.Equal(names.Count, names.Distinct().Count());
    }

    private AmpConfiguration Load(string text, params (string Name, string Value)[] environment)
    {
        File.WriteAllText(ConfigPath, text);
        return AmpConfiguration.Load(ConfigPath, environment.ToDictionary(pair => pair.Name, pair => pair.Value));
    }

    private AmpException LoadInvalid(string text, params (string Name, string Value)[] environment)
    {
        var error = Assert.Throws<AmpException>(() => Load(text, environment));
        Assert.Equal("InvalidConfiguration", error.ErrorCode);
        return error;
    }

    private string Write(string name)
    {
        var path = Path.Combine(_folder.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "");
        return path;
    }

    /// <summary>Every text that printing an object, or any property below it, can show.</summary>
    private static List<string> Texts(object? value, List<string> texts)
    {
        if (value is null)
        {
            return texts;
        }

        texts.Add(value.ToString() ?? "");
        if (value is IEnumerable items and not string)
        {
            foreach (var item in items)
            {
                Texts(item, texts);
            }
        }
        else if (value.GetType().Namespace!.StartsWith("Amp", StringComparison.Ordinal))
        {
            foreach (var property in value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
            {
                Texts(property.GetValue(value), texts);
            }
        }

        return texts;
    }
}
