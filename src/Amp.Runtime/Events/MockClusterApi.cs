using System.Runtime.InteropServices;

namespace Amp.Events;

/// <summary>The few functions of librdkafka that Confluent.Kafka does not offer: its mock cluster (rdkafka_mock.h).</summary>
internal sealed unsafe class MockClusterApi
{
    private const int ErrorLength = 512;
    private const int Producer = 0;

    private static readonly TimeSpan BetweenCalls = TimeSpan.FromMilliseconds(1);

    private readonly delegate* unmanaged[Cdecl]<nint> _confNew;
    private readonly delegate* unmanaged[Cdecl]<nint, nint, void> _confSetLog;
    private readonly delegate* unmanaged[Cdecl]<int, nint, byte*, nuint, nint> _new;
    private readonly delegate* unmanaged[Cdecl]<nint, void> _destroy;
    private readonly delegate* unmanaged[Cdecl]<nint, int, nint> _clusterNew;
    private readonly delegate* unmanaged[Cdecl]<nint, void> _clusterDestroy;
    private readonly delegate* unmanaged[Cdecl]<nint, nint> _bootstraps;
    private readonly delegate* unmanaged[Cdecl]<nint, byte*, int, int, int> _topicCreate;
    private readonly delegate* unmanaged[Cdecl]<nint, byte*, int, void> _topicSetError;
    private readonly delegate* unmanaged[Cdecl]<nint, int, byte*, int, void> _setHostPort;
    private readonly delegate* unmanaged[Cdecl]<nint, int, int> _setUp;
    private readonly delegate* unmanaged[Cdecl]<nint, int, int> _setDown;
    private readonly delegate* unmanaged[Cdecl]<nint, short, nuint, int*, void> _pushErrors;
    private readonly delegate* unmanaged[Cdecl]<nint, int, void> _rebalanceDelay;

    public MockClusterApi()
    {
        _confNew = (delegate* unmanaged[Cdecl]<nint>)Export("rd_kafka_conf_new");
        _confSetLog = (delegate* unmanaged[Cdecl]<nint, nint, void>)Export("rd_kafka_conf_set_log_cb");
        _new = (delegate* unmanaged[Cdecl]<int, nint, byte*, nuint, nint>)Export("rd_kafka_new");
        _destroy = (delegate* unmanaged[Cdecl]<nint, void>)Export("rd_kafka_destroy");
        _clusterNew = (delegate* unmanaged[Cdecl]<nint, int, nint>)Export("rd_kafka_mock_cluster_new");
        _clusterDestroy = (delegate* unmanaged[Cdecl]<nint, void>)Export("rd_kafka_mock_cluster_destroy");
        _bootstraps = (delegate* unmanaged[Cdecl]<nint, nint>)Export("rd_kafka_mock_cluster_bootstraps");
        _topicCreate = (delegate* unmanaged[Cdecl]<nint, byte*, int, int, int>)Export("rd_kafka_mock_topic_create");
        _topicSetError = (delegate* unmanaged[Cdecl]<nint, byte*, int, void>)Export("rd_kafka_mock_topic_set_error");
        _setHostPort = (delegate* unmanaged[Cdecl]<nint, int, byte*, int, void>)Export("rd_kafka_mock_broker_set_host_port");
        _setUp = (delegate* unmanaged[Cdecl]<nint, int, int>)Export("rd_kafka_mock_broker_set_up");
        _setDown = (delegate* unmanaged[Cdecl]<nint, int, int>)Export("rd_kafka_mock_broker_set_down");
        _pushErrors =
            (delegate* unmanaged[Cdecl]<nint, short, nuint, int*, void>)Export("rd_kafka_mock_push_request_errors_array");
        _rebalanceDelay = (delegate* unmanaged[Cdecl]<nint, int, void>)Export("rd_kafka_mock_group_initial_rebalance_delay_ms");
    }

    /// <summary>Makes the client that a cluster lives in; it writes no log.</summary>
    public nint NewClient()
    {
        var configuration = _confNew();
        _confSetLog(configuration, 0);
        var error = stackalloc byte[ErrorLength];
        var client = _new(Producer, configuration, error, ErrorLength);
        return client != 0 ? client : throw Failed(Marshal.PtrToStringUTF8((nint)error));
    }

    public void DestroyClient(nint client) => _destroy(client);

    public nint NewCluster(nint client, int brokers)
    {
        var cluster = _clusterNew(client, brokers);
        return cluster != 0 ? cluster : throw Failed("the cluster did not start");
    }

    public void DestroyCluster(nint cluster) => _clusterDestroy(cluster);

    public string Bootstraps(nint cluster) => Marshal.PtrToStringUTF8(_bootstraps(cluster))!;

    public void CreateTopic(nint cluster, string topic, int partitions)
    {
        AwaitRest();
        fixed (byte* name = Utf8(topic))
        {
            var error = _topicCreate(cluster, name, partitions, 1);
            if (error != 0)
            {
                throw Failed($"topic '{topic}' with {partitions} partitions was refused ({error})");
            }
        }
    }

    /// <summary>Makes a topic answer with an error of Kafka's; 0 for none.</summary>
    public void SetTopicError(nint cluster, string topic, int error)
    {
        AwaitRest();
        fixed (byte* name = Utf8(topic))
        {
            _topicSetError(cluster, name, error);
        }
    }

    /// <summary>Sets the address that the broker tells its clients.</summary>
    public void SetAddress(nint cluster, int broker, string host, int port)
    {
        AwaitRest();
        fixed (byte* name = Utf8(host))
        {
            _setHostPort(cluster, broker, name, port);
        }
    }

    /// <summary>Sets how long an empty group waits, after its first consumer, for more of them.</summary>
    public void SetRebalanceDelay(nint cluster, TimeSpan delay)
    {
        AwaitRest();
        _rebalanceDelay(cluster, (int)delay.TotalMilliseconds);
    }

    public void SetUp(nint cluster, int broker)
    {
        AwaitRest();
        _ = _setUp(cluster, broker);
    }

    /// <summary>Closes the broker's connections and takes no new ones.</summary>
    public void SetDown(nint cluster, int broker)
    {
        AwaitRest();
        _ = _setDown(cluster, broker);
    }

    /// <summary>Makes the next requests of a kind fail; 0 lets one pass.</summary>
    public void PushErrors(nint cluster, short apiKey, ReadOnlySpan<int> errors)
    {
        fixed (int* codes = errors)
        {
            _pushErrors(cluster, apiKey, (nuint)errors.Length, codes);
        }
    }

    /// <summary>A call that comes while the cluster ends the one before is overlooked until it next looks around, up to a second later.</summary>
    private static void AwaitRest() => Thread.Sleep(BetweenCalls);

    private static nint Export(string name) => NativeLibrary.GetExport(KafkaNative.Handle, name);

    private static byte[] Utf8(string text) => System.Text.Encoding.UTF8.GetBytes(text + '\0');

    private static AmpException Failed(string? why) =>
        new("DevBrokerFailed", AmpErrorKind.Unavailable, $"The development broker could not be started: {why}.");
}
