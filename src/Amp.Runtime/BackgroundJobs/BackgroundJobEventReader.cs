using System.Globalization;
using System.IO.Enumeration;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Amp.Events;
using Confluent.Kafka;

namespace Amp.BackgroundJobs;

/// <summary>Which events of background jobs to read. The lists select: an empty one lets everything pass.</summary>
public sealed record BackgroundJobEventQuery
{
    /// <summary>Names such as <c>completed</c> or <c>dlq.*</c>, or whole types; wildcards are allowed.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>Types of jobs; wildcards are allowed.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>Tenants.</summary>
    public IReadOnlyList<Guid> TenantIds { get; init; } = [];

    /// <summary>Jobs.</summary>
    public IReadOnlyList<Guid> JobIds { get; init; } = [];

    /// <summary>Leaves out what is older than this time; null for no limit.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Whether to wait for further events at the end of the topics.</summary>
    public bool Follow { get; init; }

    /// <summary>Whether to begin with what the topics have, rather than with what comes from now on.</summary>
    public bool FromBeginning { get; init; } = true;
}

/// <summary>Reads the events of background jobs and quotas from their topics. Joins no group.</summary>
public sealed class BackgroundJobEventReader(KafkaEventOptions kafka)
{
    private const int ReadAhead = 4096;

    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Reads events: what the topics have in the order of time, what comes while following as it comes. Messages that are no events are
    /// left out.
    /// </summary>
    /// <param name="query">Which.</param>
    /// <param name="cancellationToken">Ends reading.</param>
    /// <exception cref="AmpException"><c>BrokerUnavailable</c>, <c>JobTopicsMissing</c>, <c>KafkaConfigurationInvalid</c>.</exception>
    public async IAsyncEnumerable<AmpBackgroundJobEvent> ReadAsync(BackgroundJobEventQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await JobTopics.RequireAsync(kafka, cancellationToken);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var channel = Channel.CreateBounded<AmpBackgroundJobEvent>(ReadAhead);

        // librdkafka's consumer blocks, so it gets a thread of its own.
        var reading = Task.Factory.StartNew(() => Read(query, channel.Writer, ending.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await foreach (var read in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return read;
            }
        }
        finally
        {
            await ending.CancelAsync();
            await reading;
        }
    }

    private void Read(BackgroundJobEventQuery query, ChannelWriter<AmpBackgroundJobEvent> writer, CancellationToken cancellationToken)
    {
        try
        {
            using var consumer = Build();
            var topics = JobTopics.Events.Where(topic => IsAny(query.Names, topic) || IsAny(query.Names, NameOf(topic))).ToList();
            var ends = Assign(consumer, topics, query);
            var past = new PriorityQueue<AmpBackgroundJobEvent, (DateTimeOffset, long)>();
            while (!cancellationToken.IsCancellationRequested && (query.Follow || ends.Count > 0))
            {
                var read = consumer.Consume(Slice);
                if (read is null)
                {
                    continue;
                }

                if (read.IsPartitionEOF)
                {
                    ends.Remove(read.TopicPartition);
                }
                else
                {
                    if (Understand(read) is { } told && Passes(query, told))
                    {
                        past.Enqueue(told, (told.Time, told.Sequence));
                    }

                    if (ends.TryGetValue(read.TopicPartition, out var end) && read.Offset.Value + 1 >= end)
                    {
                        ends.Remove(read.TopicPartition);
                    }
                }

                // Once all that was there has been read it is put in order; then everything is given as it comes.
                while (ends.Count == 0 && past.TryDequeue(out var next, out _))
                {
                    WaitToWrite(writer, next, cancellationToken);
                }
            }

            writer.Complete();
        }
        catch (Exception e)
        {
            writer.Complete(e is KafkaException kafkaError
                ? new AmpException("BackgroundJobEventReadFailed", AmpErrorKind.Unavailable, $"Reading events from {string.Join(',', kafka.Brokers)} failed: {kafkaError.Error.Reason}.", e)
                : e);
        }
    }

    private static void WaitToWrite(ChannelWriter<AmpBackgroundJobEvent> writer, AmpBackgroundJobEvent told, CancellationToken cancellationToken)
    {
        while (!writer.TryWrite(told))
        {
            cancellationToken.WaitHandle.WaitOne(5);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private IConsumer<Ignore, byte[]> Build()
    {
        var settings = KafkaClients.CommonSettings(kafka);
        settings["group.id"] = "amp-reader";
        settings["enable.auto.commit"] = "false";
        settings["auto.offset.reset"] = "earliest";
        settings["enable.partition.eof"] = "true";
        settings["fetch.wait.max.ms"] = "100";
        return KafkaClients.BuildConsumer(kafka, settings, builder => builder.SetLogHandler(static (_, _) => { }).SetErrorHandler(static (_, _) => { }));
    }

    /// <summary>Assigns all partitions, and gives the ends of those that have something to read first.</summary>
    private static Dictionary<TopicPartition, long> Assign(IConsumer<Ignore, byte[]> consumer, List<string> topics, BackgroundJobEventQuery query)
    {
        var patience = TimeSpan.FromSeconds(10);
        using var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        var ends = new Dictionary<TopicPartition, long>();
        var starts = new List<TopicPartitionOffset>();
        foreach (var partition in topics.SelectMany(topic => admin.GetMetadata(topic, patience).Topics.Single().Partitions.Select(p => new TopicPartition(topic, p.PartitionId))))
        {
            var bounds = consumer.QueryWatermarkOffsets(partition, patience);
            if (query.FromBeginning && bounds.Low < bounds.High)
            {
                ends[partition] = bounds.High.Value;
            }

            starts.Add(new TopicPartitionOffset(partition, query.FromBeginning ? bounds.Low : bounds.High));
        }

        consumer.Assign(starts);
        return ends;
    }

    private static bool Passes(BackgroundJobEventQuery query, AmpBackgroundJobEvent told) =>
        (query.Since is null || told.Time >= query.Since)
        && (query.TenantIds.Count == 0 || query.TenantIds.Contains(told.TenantId))
        && (query.JobIds.Count == 0 || (told.JobId is { } job && query.JobIds.Contains(job)))
        && (query.Types.Count == 0 || (told.Type is { } type && IsAny(query.Types, type)));

    private static bool IsAny(IReadOnlyList<string> patterns, string text) =>
        patterns.Count == 0 || patterns.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, text));

    /// <summary>Name of the events of a topic, such as <c>completed</c>.</summary>
    /// <param name="topic">One of <see cref="JobTopics.Events"/>.</param>
    public static string NameOf(string topic) => topic["eventzr.jobs.".Length..^".v1".Length];

    private static AmpBackgroundJobEvent? Understand(ConsumeResult<Ignore, byte[]> read)
    {
        try
        {
            using var document = JsonDocument.Parse(read.Message.Value);
            var root = document.RootElement;
            var data = root.GetProperty("data");
            return new AmpBackgroundJobEvent
            {
                EventId = root.GetProperty("id").GetString()!,
                EventType = root.GetProperty("type").GetString()!,
                Time = root.GetProperty("time").GetDateTimeOffset(),
                TenantId = root.GetProperty("subject").GetGuid(),
                Sequence = root.TryGetProperty("tenantseq", out var number) && long.TryParse(number.GetString(), CultureInfo.InvariantCulture, out var sequence) ? sequence : 0,
                JobId = data.TryGetProperty("jobId", out var job) ? job.GetGuid() : null,
                Type = data.TryGetProperty("jobId", out _) && data.TryGetProperty("type", out var type) ? type.GetString() : null,
                Status = data.TryGetProperty("status", out var status) ? status.GetString() : null,
                DataJson = data.GetRawText(),
                Partition = read.Partition.Value,
                Offset = read.Offset.Value,
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}
