namespace Amp.Events;

/// <summary>Events for tests.</summary>
internal static class EventSamples
{
    public static readonly string Hash = string.Concat(Enumerable.Repeat("2dbf16e8", 8));

    public static SyncTable Table(string name) => new("ethereum", "mainnet", Hash, name);

    public static SyncStarted Started(string table, long job = 1) => new(job, Table(table), 15_000_000, 15_001_000);

    public static SyncProgress Progress(string table, ulong block, long job = 1) =>
        new(job, Table(table), 15_000_000, block, 15_001_000, 3, 4096);

    public static SyncCompleted Completed(string table, long job = 1) =>
        new(job, Table(table), 15_001_000, TimeSpan.FromMilliseconds(12_345));

    public static SyncFailed Failed(string table, long job = 1) => new(job, Table(table), "the node said no", "RpcFailed");

    public static KafkaEventOptions Kafka(string brokers, string topic = "amp.worker.events", int partitions = 16) =>
        new() { Brokers = [brokers], Topic = topic, Partitions = partitions };
}
