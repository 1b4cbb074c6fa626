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
    /// Every event of every tenant is there, numbered without gap; but for repeats, a partition has a tenant's in their order; and each job's
    /// are a path that a job may take.
    /// </summary>
    public static async Task AssertWholeAsync(Support.TestDatabase test, IReadOnlyCollection<ToldEvent> events)
    {
        var first = events.DistinctBy(told => told.Id).ToList();
        foreach (var tenant in first.GroupBy(told => told.Tenant))
        {
            Assert.Equal(await test.ScalarAsync<long>("SELECT event_seq FROM amp_jobs.job_tenant WHERE tenant_id = $1", tenant.Key), tenant.Count());
            Assert.Equal(Enumerable.Range(1, tenant.Count()).Select(number => (long)number), tenant.Select(told => told.Number).Order());
        }

        foreach (var partition in first.GroupBy(told => (told.Topic, told.Partition, told.Tenant)))
        {
            Assert.Equal(partition.Select(told => told.Number).Order(), partition.Select(told => told.Number));
        }

        foreach (var job in first.Where(told => told.Job is not null).GroupBy(told => told.Job))
        {
            JobInvariants.AssertPath([.. job.OrderBy(told => told.Number).Select(told => told.Name)]);
        }
    }
}
