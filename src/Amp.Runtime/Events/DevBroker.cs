using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Events;

/// <summary>
/// A Kafka broker inside this process, on 127.0.0.1, for the quick start and for tests: librdkafka's mock cluster. Any
/// Kafka client of this machine can use it. It keeps everything in memory, about 5 MB a partition (older messages are
/// discarded), forgets all when it ends, knows neither SASL nor TLS nor access rights, and cannot look up offsets by time.
/// </summary>
public sealed class DevBroker : IAsyncDisposable
{
    private const int BrokerId = 1;
    private const int MaxPartitions = 1000;

    /// <summary>librdkafka's 3 s would make every first reader of a group wait.</summary>
    private static readonly TimeSpan RebalanceDelay = TimeSpan.FromMilliseconds(100);

    private readonly MockClusterApi _api;
    private readonly nint _client;
    private readonly nint _cluster;
    private readonly LoopbackRelay? _relay;
    private bool _disposed;

    private DevBroker(MockClusterApi api, nint client, nint cluster, LoopbackRelay? relay, string bootstrapServers)
    {
        _api = api;
        _client = client;
        _cluster = cluster;
        _relay = relay;
        BootstrapServers = bootstrapServers;
    }

    /// <summary>Its address, <c>127.0.0.1:port</c>.</summary>
    public string BootstrapServers { get; }

    /// <summary>Starts a broker; it takes connections when this returns.</summary>
    /// <param name="options">Topics and port.</param>
    /// <param name="logger">Told when it listens; null for nobody.</param>
    /// <param name="cancellationToken">Gives up starting.</param>
    /// <exception cref="AmpException">
    /// <c>KafkaLibraryMissing</c>; <c>DevBrokerTopicInvalid</c>; <c>DevBrokerPortInUse</c>; <c>DevBrokerFailed</c>.
    /// </exception>
    public static async Task<DevBroker> StartAsync(
        DevBrokerOptions options, ILogger? logger = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        Validate(options);
        KafkaNative.EnsureLoaded();
        var relay = options.Port is { } port ? LoopbackRelay.Listen(port) : null;
        try
        {
            // Creating the cluster starts native threads and waits for them.
            var broker = await Task.Run(() => Start(options, relay), cancellationToken);
            Log.DevBrokerStarted(
                logger ?? NullLogger.Instance, broker.BootstrapServers,
                string.Join(", ", options.Topics.Select(t => $"{t.Name}: {t.Partitions} partitions")));
            return broker;
        }
        catch
        {
            if (relay is not null)
            {
                await relay.DisposeAsync();
            }

            throw;
        }
    }

    /// <summary>Ends the broker; its messages are gone.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (_relay is not null)
        {
            await _relay.DisposeAsync();
        }

        await Task.Run(() =>
        {
            _api.DestroyCluster(_cluster);
            _api.DestroyClient(_client);
        });
    }

    /// <summary>Closes all connections and takes no new ones until <see cref="SetUp"/>; keeps its messages.</summary>
    internal void SetDown() => _api.SetDown(_cluster, BrokerId);

    /// <summary>Takes connections again.</summary>
    internal void SetUp() => _api.SetUp(_cluster, BrokerId);

    /// <summary>Makes the next requests of a kind fail with Kafka's error codes; 0 lets one pass.</summary>
    internal void FailNext(short apiKey, params ReadOnlySpan<int> errors) => _api.PushErrors(_cluster, apiKey, errors);

    /// <summary>Makes a topic answer with an error of Kafka's, as one does that was deleted; 0 for none.</summary>
    internal void SetTopicError(string topic, int error) => _api.SetTopicError(_cluster, topic, error);

    /// <summary>Makes it tell its clients another port of 127.0.0.1, where something stands before it.</summary>
    internal void Advertise(int port) => _api.SetAddress(_cluster, BrokerId, "127.0.0.1", port);

    /// <summary>Creates a topic while running.</summary>
    internal void CreateTopic(DevBrokerTopic topic) => _api.CreateTopic(_cluster, topic.Name, topic.Partitions);

    private static DevBroker Start(DevBrokerOptions options, LoopbackRelay? relay)
    {
        var api = new MockClusterApi();
        var client = api.NewClient();
        nint cluster = 0;
        try
        {
            cluster = api.NewCluster(client, 1);
            api.SetRebalanceDelay(cluster, RebalanceDelay);
            foreach (var topic in options.Topics)
            {
                api.CreateTopic(cluster, topic.Name, topic.Partitions);
            }

            var address = api.Bootstraps(cluster);
            if (relay is not null)
            {
                // The mock cluster chooses its own port; clients are told the relay's.
                relay.Start(int.Parse(address.AsSpan(address.LastIndexOf(':') + 1), provider: null));
                api.SetAddress(cluster, BrokerId, "127.0.0.1", relay.Port);
                address = $"127.0.0.1:{relay.Port}";
            }

            return new DevBroker(api, client, cluster, relay, address);
        }
        catch
        {
            if (cluster != 0)
            {
                api.DestroyCluster(cluster);
            }

            api.DestroyClient(client);
            throw;
        }
    }

    private static void Validate(DevBrokerOptions options)
    {
        if (options.Port is { } port and (< 1 or > 65535))
        {
            throw new AmpException(
                "DevBrokerPortInvalid", AmpErrorKind.InvalidInput, $"Port {port} of the development broker is not 1 to 65535.")
            {
                Target = port,
            };
        }

        foreach (var topic in options.Topics)
        {
            var valid = topic.Name is { Length: > 0 and <= 249 } and not ("." or "..")
                && topic.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
            if (!valid || topic.Partitions is < 1 or > MaxPartitions)
            {
                throw new AmpException(
                    "DevBrokerTopicInvalid", AmpErrorKind.InvalidInput,
                    $"Topic '{topic.Name}' with {topic.Partitions} partitions cannot be created: a name has 1 to 249 letters, "
                    + $"digits, '.', '_' and '-', and a topic 1 to {MaxPartitions} partitions.")
                {
                    Target = topic.Name,
                    RecommendedAction = "Give a name such as amp.worker.events.",
                };
            }
        }

        if (options.Topics.GroupBy(topic => topic.Name).FirstOrDefault(same => same.Count() > 1) is { } twice)
        {
            throw new AmpException(
                "DevBrokerTopicInvalid", AmpErrorKind.InvalidInput, $"The topic '{twice.Key}' of the development broker is named twice.")
            {
                Target = twice.Key,
                RecommendedAction = "Name each topic once.",
            };
        }
    }
}
