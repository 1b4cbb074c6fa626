using System.Collections.Concurrent;
using Amp.Events;
using Amp.MetadataDb;
using Amp.Support;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Amp.BackgroundJobs;

/// <summary>Workers on a real PostgreSQL and a development broker. After each test the queue, its log and its counters are held against each other.</summary>
[Collection(PostgresFixture.Collection)]
public sealed class JobWorkerTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Guid Tenant = Guid.NewGuid();

    private readonly RecordingLogger _logger = new();
    private readonly Handler _handler = new();
    private readonly JobHandlers _handlers = new();
    private TestDatabase _test = null!;
    private JobQueue _queue = null!;
    private DevBroker _broker = null!;

    private KafkaEventOptions Kafka => new() { Brokers = [_broker.BootstrapServers], Topic = JobTopics.Work };

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync(poolSize: 30);
        _queue = new JobQueue(_test.Database, JobTopics.Work);
        await _queue.InitializeAsync(autoMigrate: true, None);
        _handlers.Set("job.*", _handler);
        _broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [.. JobTopics.Events.Append(JobTopics.Work).Select(topic => new DevBrokerTopic(topic, 4))] });
    }

    public async Task DisposeAsync()
    {
        await _broker.DisposeAsync();
        await _test.DisposeAsync();
    }

    [ToolFact("postgres")]
    public async Task WithoutKafka_JobsAreTakenFromTheQueue()
    {
        await using var worker = NewWorker(withFeed: false);
        await SubmitAsync(50);

        await CompletedAsync(50);
        Assert.Equal(50, _handler.Begun.Distinct().Count());
        await JobInvariants.AssertAsync(_test);
    }

    [KafkaFact("postgres")]
    public async Task WithKafka_MessagesBringJobs()
    {
        await using var relay = NewRelay();
        await using var worker = NewWorker();
        await SubmitAsync(200);

        await CompletedAsync(200);
        Assert.Equal(200, _handler.Begun.Count);
    }

    private JobWorker NewWorker(bool withFeed = true, JobWorkerOptions? options = null) => new(
        _test.Database, _queue, withFeed ? NewFeed() : null, JobTopics.Work, _handlers, options ?? new JobWorkerOptions(), TimeProvider.System, _logger);

    private JobFeed NewFeed() => new(
        Kafka, "job-workers",
        (read, error) => _queue.ParkMessageAsync(read.Topic, read.Partition.Value, read.Offset.Value, read.Message.Value, error.Message, None), TimeProvider.System, _logger);

    private OutboxRelay NewRelay() => new(new OutboxTable(_test.Database), Kafka, TimeProvider.System, _logger);

    private async Task<IReadOnlyList<Guid>> SubmitAsync(int count) =>
        [.. (await _queue.SubmitAsync([.. Enumerable.Range(0, count).Select(i => new JobSubmission(Tenant, "job.test", $$"""{"n":{{i}}}"""))], None)).Select(job => job.Id)];

    private Task CompletedAsync(int count) => Eventually.TrueAsync(
        async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'completed'") == count, $"{count} completed jobs", Patience);

    private sealed class Handler : IJobHandler
    {
        public ConcurrentQueue<Guid> Begun { get; } = new();

        public Func<JobContext, CancellationToken, Task<AmpJobAnswer>> Work { get; set; } = (_, _) => Task.FromResult(AmpJobAnswer.Complete());

        public Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken)
        {
            Begun.Enqueue(context.Job.JobId);
            return Work(context, cancellationToken);
        }
    }
}
