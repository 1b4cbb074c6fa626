using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Amp.Events;
using Amp.MetadataDb;
using Amp.Support;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Amp.BackgroundJobs;

/// <summary>
/// Workers that come and go, brokers that are away, connections that are cut and messages that are delivered again, all under load and at
/// random; and a group that never comes to rest. <c>AMP_CHAOS_SECONDS</c> for longer, <c>AMP_CHAOS_SEED</c> for others. Afterwards everything
/// that is promised is looked at.
/// </summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class JobChaosTests(PostgresFixture postgres, ITestOutputHelper output) : IAsyncLifetime, IJobHandler
{
    private const int Partitions = 4;

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Duration = Seconds(15);
    private static readonly TimeSpan StormDuration = Seconds(6);

    private readonly Guid[] _tenants = [.. Enumerable.Range(0, 4).Select(_ => Guid.NewGuid())];
    private readonly RecordingLogger _logger = new();
    private readonly ConcurrentDictionary<(Guid, string), int> _running = new();
    private readonly ConcurrentQueue<(Guid Tenant, string Key, long Number)> _begun = new();
    private TestDatabase _test = null!;
    private MetadataDatabase _killer = null!;
    private JobQueue _queue = null!;
    private DevBroker _broker = null!;
    private int _overlaps;

    private KafkaEventOptions Kafka => new() { Brokers = [_broker.BootstrapServers], Topic = JobTopics.Work };

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync(poolSize: 60);
        _killer = await MetadataDatabase.ConnectAsync(_test.Url, 1, NullLoggerFactory.Instance);
        _queue = new JobQueue(_test.Database, JobTopics.Work);
        await _queue.InitializeAsync(autoMigrate: true, None);
        await _test.ExecuteAsync("CREATE TABLE effect (job UUID)");
        _broker = await JobBroker.StartAsync(Partitions);
    }

    public async Task DisposeAsync()
    {
        await _broker.DisposeAsync();
        await _killer.DisposeAsync();
        await _test.DisposeAsync();
    }

    [KafkaFact("postgres")]
    public async Task WhateverHappens_EveryJobEndsOnce_InItsOrder_AndAllIsTold()
    {
        var random = new Random(int.Parse(Environment.GetEnvironmentVariable("AMP_CHAOS_SEED") ?? "1", CultureInfo.InvariantCulture));
        var workers = new List<JobWorker> { NewWorker(), NewWorker(), NewWorker() };
        var (submitted, number) = (new List<Guid>(), 0);
        var clock = Stopwatch.StartNew();
        await using (new OutboxRelay(new OutboxTable(_test.Database), Kafka, TimeProvider.System, NullLogger.Instance))
        await using (new JobSweeper(_queue, new TenantsTable(_test.Database, JobTopics.Work), TimeProvider.System, NullLogger.Instance))
        {
            while (clock.Elapsed < Duration)
            {
                switch (random.Next(8))
                {
                    case 0:
                        var leaving = workers[random.Next(workers.Count)];
                        workers.Remove(leaving);
                        await leaving.DisposeAsync();
                        workers.Add(NewWorker());
                        break;
                    case 1:
                        _broker.SetDown();
                        await Task.Delay(random.Next(1_500));
                        _broker.SetUp();
                        break;
                    case 2:
                        await _killer.RunAsync(
                            "cutting connections",
                            c => c.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", [], None),
                            null, None);
                        break;
                    case 3:
                        await DeliverAgainAsync(submitted, random);
                        break;
                    default:
                        JobSubmission[] jobs = [.. Enumerable.Range(0, random.Next(1, 30)).Select(_ => NewJob(random, number++))];
                        submitted.AddRange(jobs.Select(job => job.Id));
                        await RetryAsync(() => _queue.SubmitAsync(jobs, None));
                        break;
                }

                await Task.Delay(random.Next(100));
            }

            await EndedAsync();
        }

        await Task.WhenAll(workers.Select(worker => worker.DisposeAsync().AsTask()));
        await AssertWholeAsync(submitted);
    }

    [KafkaFact("postgres")]
    public async Task WorkersThatJoinAndLeaveAllTheTime_LoseNoJob_NoOrder_AndDoNoneTwice()
    {
        // The mock cluster shares out partitions as long after a change as a member may be silent, less a second: so short that it really does.
        await using var gate = new KafkaGate(_broker);
        var random = new Random(1);
        var workers = new List<JobWorker> { NewStorm(), NewStorm(), NewStorm() };
        var (submitted, left) = (new List<Guid>(), new List<Task>());
        var clock = Stopwatch.StartNew();
        await using (new OutboxRelay(new OutboxTable(_test.Database), Kafka, TimeProvider.System, NullLogger.Instance))
        await using (new JobSweeper(_queue, new TenantsTable(_test.Database, JobTopics.Work), TimeProvider.System, NullLogger.Instance))
        {
            while (clock.Elapsed < StormDuration)
            {
                var pause = Task.Delay(500);
                JobSubmission[] jobs = [.. Enumerable.Range(submitted.Count, 50).Select(number => NewJob(random, number))];
                await _queue.SubmitAsync(jobs, None);
                submitted.AddRange(jobs.Select(job => job.Id));
                var leaving = workers[random.Next(workers.Count)];
                workers.Remove(leaving);
                workers.Add(NewStorm());
                left.Add(leaving.DisposeAsync().AsTask());
                await pause;
            }

            await EndedAsync();
        }

        await Task.WhenAll([.. left, .. workers.Select(worker => worker.DisposeAsync().AsTask())]);
        var shared = _logger.Entries.Count(entry => entry.Event == nameof(Log.PartitionsChanged));
        output.WriteLine($"{submitted.Count} jobs, {left.Count} workers left; partitions changed hands {shared} times in {clock.Elapsed.TotalSeconds:0} s");
        await AssertWholeAsync(submitted);
        Assert.InRange(shared, left.Count / 2, int.MaxValue);

        JobWorker NewStorm() => NewWorker(membership: (TimeSpan.FromSeconds(1.25), TimeSpan.FromMilliseconds(50)));
    }

    private async Task EndedAsync()
    {
        await Eventually.TrueAsync(
            async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE finished_at IS NULL") == 0, "the end of all jobs", Patience);
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" """) == 0, "sending the outbox", Patience);
    }

    /// <summary>Every job that was accepted is there and completed; its rows were written once; nobody used more attempts than were lost; keys kept their order.</summary>
    private async Task AssertWholeAsync(List<Guid> submitted)
    {
        Assert.Equal(submitted.Count, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'completed'"));
        Assert.Equal(submitted.Count, await _test.ScalarAsync<long>("SELECT count(DISTINCT job) FROM effect"));
        Assert.Equal(submitted.Count, await _test.ScalarAsync<long>("SELECT count(*) FROM effect"));
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job j WHERE attempt <> 1 + (SELECT count(*) FROM amp_jobs.job_error e WHERE e.job_id = j.id)"));
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_tenant WHERE queued <> 0 OR running <> 0"));
        Assert.DoesNotContain(_logger.Entries, entry => entry.Event == nameof(Log.FeedEnded));
        Assert.Equal(0, _overlaps);
        Assert.All(
            _begun.DistinctBy(begun => (begun.Tenant, begun.Number)).GroupBy(begun => (begun.Tenant, begun.Key)),
            key => Assert.Equal(key.Select(begun => begun.Number).Order(), key.Select(begun => begun.Number)));

        await JobInvariants.AssertAsync(_test, await Task.Run(() => ToldEvent.ReadAll(_broker.BootstrapServers, Partitions)));
    }

    /// <summary>Notes that it began, works for a moment, and writes a row in the job's transaction.</summary>
    public async Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken)
    {
        var job = context.Job;
        var key = (job.TenantId, job.Key ?? "");
        var isInside = job.Key is not null;
        if (isInside)
        {
            _begun.Enqueue((job.TenantId, job.Key!, (long)job.Payload["n"]!));
            if (_running.AddOrUpdate(key, 1, (_, count) => count + 1) > 1)
            {
                Interlocked.Increment(ref _overlaps);
            }
        }

        try
        {
            await Task.Delay((int)(long)job.Payload["ms"]!, cancellationToken);
            return await context.CompleteInTransactionAsync(
                async connection =>
                {
                    await connection.ExecuteAsync("INSERT INTO effect VALUES ($1)", [job.JobId], cancellationToken);

                    // The next of its key may begin at the commit, before this handler hears of it.
                    Leave();
                    return null;
                },
                cancellationToken);
        }
        finally
        {
            Leave();
        }

        void Leave()
        {
            if (isInside)
            {
                isInside = false;
                _running.AddOrUpdate(key, 0, (_, count) => count - 1);
            }
        }
    }

    private JobSubmission NewJob(Random random, int number) => new(_tenants[random.Next(_tenants.Length)], "job.test", $$"""{"n":{{number}},"ms":{{random.Next(30)}}}""")
    {
        Key = random.Next(3) == 0 ? $"key-{random.Next(3)}" : null,
        Priority = (short)random.Next(10),
        MaxAttempts = 50,
    };

    private static TimeSpan Seconds(int ordinary) =>
        TimeSpan.FromSeconds(int.Parse(Environment.GetEnvironmentVariable("AMP_CHAOS_SECONDS") ?? $"{ordinary}", CultureInfo.InvariantCulture));

    private JobWorker NewWorker((TimeSpan, TimeSpan)? membership = null)
    {
        var handlers = new JobHandlers();
        handlers.Set("job.*", this, new JobHandlerOptions { Backoff = [TimeSpan.FromSeconds(0.1)] });
        var feed = new JobFeed(Kafka, "job-workers", new InboxTable(_test.Database), TimeProvider.System, _logger, membership: membership);
        return new JobWorker(_test.Database, _queue, feed, JobTopics.Work, handlers, new JobWorkerOptions { DrainTimeout = TimeSpan.FromSeconds(0.1) }, TimeProvider.System, NullLogger.Instance);
    }

    /// <summary>Messages of jobs that may be done, under way or waiting.</summary>
    private async Task DeliverAgainAsync(List<Guid> submitted, Random random)
    {
        using var producer = new ProducerBuilder<string, byte[]>(new Dictionary<string, string> { ["bootstrap.servers"] = _broker.BootstrapServers }).Build();
        foreach (var id in submitted.TakeLast(100).Where(_ => random.Next(3) == 0))
        {
            var headers = new Headers { { JobMessage.QueuedHeader, System.Text.Encoding.UTF8.GetBytes(id.ToString()) } };
            await producer.ProduceAsync(JobTopics.Work, new Message<string, byte[]> { Key = id.ToString(), Value = "{}"u8.ToArray(), Headers = headers });
        }
    }

    /// <summary>A commit whose answer was lost is repeated: the jobs have numbers, so none is queued twice.</summary>
    private static async Task RetryAsync(Func<Task> work)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await work();
                return;
            }
            catch (AmpException) when (attempt < 20)
            {
            }
        }
    }
}
