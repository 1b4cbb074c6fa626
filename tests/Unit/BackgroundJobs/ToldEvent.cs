using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;

namespace Amp.BackgroundJobs;

/// <summary>An event as it was read from its topic.</summary>
internal sealed record ToldEvent(string Topic, int Partition, string Key, string ContentType, JsonElement Json)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public string Id => Json.Text("id");

    public Guid Tenant => Guid.Parse(Json.Text("subject"));

    public long Number => long.Parse(Json.Text("tenantseq"), CultureInfo.InvariantCulture);

    /// <summary>The job; null for events of quotas.</summary>
    public string? Job => Json.GetProperty("data").TryGetProperty("jobId", out var job) ? job.GetString() : null;

    public string Name => Topic["eventzr.jobs.".Length..^".v1".Length];

    /// <summary>All messages of all topics of events, in the order of each partition.</summary>
    public static List<ToldEvent> ReadAll(string brokers, int partitions)
    {
        using var consumer = new ConsumerBuilder<string, byte[]>(new Dictionary<string, string>
        {
            ["bootstrap.servers"] = brokers, ["group.id"] = "test", ["enable.partition.eof"] = "true", ["auto.offset.reset"] = "earliest",
        }).Build();
        TopicPartition[] all = [.. JobTopics.Events.SelectMany(topic => Enumerable.Range(0, partitions).Select(partition => new TopicPartition(topic, partition)))];
        consumer.Assign(all.Select(partition => new TopicPartitionOffset(partition, Offset.Beginning)));
        var events = new List<ToldEvent>();
        for (var open = all.Length; open > 0;)
        {
            var read = consumer.Consume(Patience) ?? throw new TimeoutException();
            if (read.IsPartitionEOF)
            {
                open--;
            }
            else
            {
                events.Add(new ToldEvent(
                    read.Topic, read.Partition.Value, read.Message.Key, Encoding.UTF8.GetString(read.Message.Headers.GetLastBytes("content-type")),
                    JsonDocument.Parse(read.Message.Value).RootElement));
            }
        }

        return events;
    }

    /// <summary>
    /// What was read more than once was sent again as a whole: from a row that was not deleted yet, in order, to the end. Each fault may
    /// begin that once.
    /// </summary>
    public static void AssertRepeats(IReadOnlyCollection<ToldEvent> events, int faults)
    {
        foreach (var partition in events.GroupBy(told => (told.Topic, told.Partition, told.Tenant)))
        {
            var places = partition.DistinctBy(told => told.Id).Select((told, place) => (told.Id, place)).ToDictionary(pair => pair.Id, pair => pair.place);
            var read = partition.Select(told => places[told.Id]).ToList();
            var steps = read.Zip(read.Skip(1), (one, next) => next - one).ToList();
            Assert.DoesNotContain(steps, step => step > 1);
            Assert.InRange(steps.Count(step => step < 1), 0, faults);
            Assert.Equal(places.Count - 1, read[^1]);
        }
    }
}
