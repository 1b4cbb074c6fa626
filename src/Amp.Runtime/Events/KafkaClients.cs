using System.Diagnostics.CodeAnalysis;
using Confluent.Kafka;

namespace Amp.Events;

/// <summary>What every Kafka client of this folder has in common: its settings, and how the broker's answers are understood.</summary>
internal static class KafkaClients
{
    private const string OAuthBearer = "OAUTHBEARER";

    private static readonly TimeSpan LeavePatience = TimeSpan.FromSeconds(5);

    /// <summary>The settings that producer and reader share.</summary>
    /// <exception cref="AmpException"><c>KafkaConfigurationInvalid</c>: settings that are incomplete or unknown.</exception>
    public static Dictionary<string, string> CommonSettings(KafkaEventOptions options)
    {
        if (options.Brokers.Count == 0 || options.Brokers.Any(string.IsNullOrWhiteSpace))
        {
            throw Invalid("no broker address is set", "brokers");
        }

        if (string.IsNullOrWhiteSpace(options.Topic))
        {
            throw Invalid("no topic is set", "topic");
        }

        var settings = new Dictionary<string, string>
        {
            ["bootstrap.servers"] = string.Join(',', options.Brokers),
            ["client.id"] = "amp",
            ["allow.auto.create.topics"] = "false",
            // A broker that comes back is noticed within seconds, not within librdkafka's default of ten.
            ["reconnect.backoff.ms"] = "100",
            ["reconnect.backoff.max.ms"] = "2000",
            ["security.protocol"] = (options.TlsEnabled, options.SaslMechanism is not null) switch
            {
                (false, false) => "plaintext",
                (true, false) => "ssl",
                (false, true) => "sasl_plaintext",
                (true, true) => "sasl_ssl",
            },
        };
        AddSasl(settings, options);
        AddTls(settings, options);
        return settings;
    }

    /// <summary>Makes a client; what librdkafka refuses becomes an error of ours.</summary>
    /// <exception cref="AmpException"><c>KafkaConfigurationInvalid</c> or <c>KafkaLibraryMissing</c>.</exception>
    public static T Build<T>(Func<T> build)
    {
        KafkaNative.EnsureLoaded();
        try
        {
            return build();
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or KafkaException)
        {
            throw Invalid(e.Message, null, e);
        }
    }

    /// <summary>Makes a consumer that logs in as the options say.</summary>
    /// <param name="options">How to log in.</param>
    /// <param name="settings">The common settings and its own.</param>
    /// <param name="configure">Sets its handlers.</param>
    /// <exception cref="AmpException"><c>KafkaConfigurationInvalid</c> or <c>KafkaLibraryMissing</c>.</exception>
    public static IConsumer<Ignore, byte[]> BuildConsumer(
        KafkaEventOptions options, Dictionary<string, string> settings, Action<ConsumerBuilder<Ignore, byte[]>> configure) => Build(() =>
    {
        var builder = new ConsumerBuilder<Ignore, byte[]>(settings);
        configure(builder);
        return (TokenRefresh(options) is { } refresh ? builder.SetOAuthBearerTokenRefreshHandler((client, _) => refresh(client)) : builder).Build();
    });

    /// <summary>Makes a producer; see <see cref="BuildConsumer"/>.</summary>
    public static IProducer<string, byte[]> BuildProducer(
        KafkaEventOptions options, Dictionary<string, string> settings, Action<ProducerBuilder<string, byte[]>> configure) => Build(() =>
    {
        var builder = new ProducerBuilder<string, byte[]>(settings);
        configure(builder);
        return (TokenRefresh(options) is { } refresh ? builder.SetOAuthBearerTokenRefreshHandler((client, _) => refresh(client)) : builder).Build();
    });

    /// <summary>Makes a client that asks about topics, and says nothing of what goes wrong but by its answers.</summary>
    /// <exception cref="AmpException"><c>KafkaConfigurationInvalid</c> or <c>KafkaLibraryMissing</c>.</exception>
    public static IAdminClient BuildAdmin(KafkaEventOptions options)
    {
        var settings = CommonSettings(options);
        return Build(() =>
        {
            var builder = new AdminClientBuilder(settings).SetLogHandler(static (_, _) => { }).SetErrorHandler(static (_, _) => { });
            return (TokenRefresh(options) is { } refresh ? builder.SetOAuthBearerTokenRefreshHandler((client, _) => refresh(client)) : builder).Build();
        });
    }

    /// <summary>
    /// Commits what is stored, leaves the group and ends the consumer. A coordinator that does not answer is waited for a few seconds only;
    /// librdkafka itself waits for it as long as the group's session lasts, or longer, which then holds up nobody.
    /// </summary>
    [SuppressMessage("Usage", "VSTHRD002:Avoid problematic synchronous waits", Justification = "the work is a thread's own and needs no other")]
    public static void Leave(IConsumer<Ignore, byte[]> consumer)
    {
        var leaving = Task.Factory.StartNew(
            () =>
            {
                try
                {
                    consumer.Close();
                }
                catch (KafkaException)
                {
                    // It is closed all the same; what is not committed is read again.
                }

                consumer.Dispose();
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        leaving.Wait(LeavePatience);
    }

    /// <summary>Whether the error says that no broker could be talked to, rather than that one refused.</summary>
    public static bool IsUnreachable(ErrorCode code) => code is
        ErrorCode.Local_Transport or ErrorCode.Local_AllBrokersDown or ErrorCode.Local_Resolve or ErrorCode.Local_TimedOut
        or ErrorCode.Local_TimedOutQueue or ErrorCode.Local_MsgTimedOut or ErrorCode.Local_QueueFull
        or ErrorCode.Local_Authentication or ErrorCode.Local_Ssl;

    /// <summary>Whether the error says that the topic is not there.</summary>
    public static bool IsUnknownTopic(ErrorCode code) =>
        code is ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition;

    /// <summary>Gives a client its tokens when it asks for them; null for a client that logs in otherwise.</summary>
    private static Action<IClient>? TokenRefresh(KafkaEventOptions options) => IsOAuthBearer(options) ? AwsMskTokens.Of(Region(options)).Refresh : null;

    private static bool IsOAuthBearer(KafkaEventOptions options) => OAuthBearer.Equals(options.SaslMechanism, StringComparison.OrdinalIgnoreCase);

    private static string Region(KafkaEventOptions options) => options.AwsRegion ?? AwsMskTokens.RegionOf(options.Brokers)
        ?? throw Invalid("SASL mechanism OAUTHBEARER needs an AWS region, and the brokers' names tell none", "aws_region");

    private static void AddSasl(Dictionary<string, string> settings, KafkaEventOptions options)
    {
        if (options.SaslMechanism is not { } mechanism)
        {
            return;
        }

        settings["sasl.mechanisms"] = mechanism.ToUpperInvariant() switch
        {
            "PLAIN" or "SCRAM-SHA-256" or "SCRAM-SHA-512" or OAuthBearer => mechanism.ToUpperInvariant(),
            _ => throw Invalid(
                $"SASL mechanism '{mechanism}' is not one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER", "sasl_mechanism"),
        };
        if (IsOAuthBearer(options))
        {
            _ = !options.TlsEnabled ? throw Invalid("SASL mechanism OAUTHBEARER sends a token, and so needs TLS", "tls_enabled") : Region(options);
            return;
        }

        settings["sasl.username"] = options.SaslUsername
            ?? throw Invalid($"SASL mechanism {mechanism} needs a user name", "sasl_username");
        settings["sasl.password"] = options.SaslPassword
            ?? throw Invalid($"SASL mechanism {mechanism} needs a password", "sasl_password");
    }

    private static void AddTls(Dictionary<string, string> settings, KafkaEventOptions options)
    {
        if (!options.TlsEnabled)
        {
            return;
        }

        if (options.CertificateFile is null != options.KeyFile is null)
        {
            throw Invalid("a client certificate needs both the certificate's file and its key's", "certificate_file");
        }

        AddFile("ssl.ca.location", options.CaFile, "ca_file");
        AddFile("ssl.certificate.location", options.CertificateFile, "certificate_file");
        AddFile("ssl.key.location", options.KeyFile, "key_file");

        void AddFile(string setting, string? path, string target)
        {
            if (path is null)
            {
                return;
            }

            settings[setting] = File.Exists(path) ? path : throw Invalid($"the file '{path}' does not exist", target);
        }
    }

    private static AmpException Invalid(string why, string? setting, Exception? cause = null) =>
        new("KafkaConfigurationInvalid", AmpErrorKind.InvalidInput, $"The Kafka settings cannot be used: {why}.", cause)
        {
            RecommendedAction = "Correct worker_events.kafka in the configuration.",
            Target = setting is null ? "worker_events.kafka" : $"worker_events.kafka.{setting}",
        };
}
