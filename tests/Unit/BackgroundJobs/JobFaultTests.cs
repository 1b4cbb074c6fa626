using Amp.Events;
using Amp.MetadataDb;
using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>Worker processes that are killed and frozen under load. Afterwards the jobs, the log and all topics are held against each other.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class JobFaultTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int Partitions = 4;

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly Guid[] _tenants = [.. Enumerable.Range(0, 5).Select(_ => Guid.NewGuid())];
    private readonly List<HelperProcess> _started = [];
    private TestDatabase _test = null!;
    private JobQueue _queue = null!;
    private DevBroker _broker = null!;

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync(poolSize: 20);
        _queue = new JobQueue(_test.Database, JobTopics.Work);
        await _queue.InitializeAsync(autoMigrate: true, None);
        await JobWorkerProcess.CreateTablesAsync(_test);
        _broker = await JobBroker.StartAsync(Partitions);
    }

    public async Task DisposeAsync()
    {
        // Also those of a test that failed.
        _started.ForEach(process => process.Dispose());
        await _broker.DisposeAsync();
        await _test.DisposeAsync();
    }

    [KafkaFact("postgres")]
    public async Task WorkersThatAreKilled_LoseNoJob_AndCompleteNoneTwice()
    {
        var random = new Random(1);
        var workers = Enumerable.Range(0, 3).Select(_ => Start()).ToList();
        foreach (var worker in workers)
        {
            await worker.ReadyAsync();
        }

        var (submitted, killed) = (new List<Guid>(), new List<int>());
        for (var round = 0; round < 5; round++)
        {
            submitted.AddRange(await SubmitAsync(40, random, milliseconds: 400));

            // One that has jobs.
            var victim = 0;
            await Eventually.TrueAsync(
                async () => (victim = await _test.ScalarAsync<int>(
                    "SELECT pid FROM amp_jobs.job_worker w WHERE EXISTS (SELECT 1 FROM amp_jobs.job j WHERE j.worker_id = w.worker_id AND state = 'running') AND pid <> ALL($1) LIMIT 1",
                    killed.ToArray())) != 0,
                "a worker with jobs", Patience);
            await Task.Delay(random.Next(200));
            AmpdProcess.Kill(victim);
            killed.Add(victim);
            workers.Add(Start());
        }

        // What the last one had is missed after 15 seconds.
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state IN ('queued', 'running', 'retrying')") == 0, "the end of all jobs", Patience);
        await SentAsync();
        workers.ForEach(worker => worker.Kill());

        await AssertWholeAsync(submitted);
        Assert.True(await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_error WHERE kind = 'LeaseExpired'") > 0, "nobody was killed with a job");
    }

    [KafkaFact("postgres")]
    public async Task WorkerThatIsFrozen_IsReplaced_AndWhatItStillDoesDoesNotCount()
    {
        var frozen = Start();
        await frozen.ReadyAsync();
        var submitted = await SubmitAsync(60, new Random(1), milliseconds: 300);
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'running'") > 5, "jobs that run", Patience);
        frozen.Freeze();
        var other = Start();
        await other.ReadyAsync();

        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state IN ('queued', 'running', 'retrying')") == 0, "the end of all jobs", Patience);
        frozen.Thaw();
        await Task.Delay(TimeSpan.FromSeconds(3));
        await SentAsync();
        frozen.Kill();

        await AssertWholeAsync(submitted);
        Assert.True(await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_error WHERE kind = 'LeaseExpired'") > 5);
    }

    private HelperProcess Start()
    {
        var process = HelperProcess.Start("job-worker", _test.Url, _broker.BootstrapServers);
        _started.Add(process);
        return process;
    }

    private async Task<List<Guid>> SubmitAsync(int count, Random random, int milliseconds = 60) =>
        [.. (await _queue.SubmitAsync(
            [.. Enumerable.Range(0, count).Select(n => new JobSubmission(_tenants[n % _tenants.Length], n % 2 == 0 ? "job.plain" : "job.tx", $$"""{"ms":{{random.Next(milliseconds)}}}""")
            {
                MaxAttempts = 20,
                Key = n % 5 == 0 ? "in order" : null,
            })],
            None)).Select(job => job.Id)];

    private Task SentAsync() => Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" """) == 0, "sending the outbox", Patience);

    private async Task AssertWholeAsync(List<Guid> submitted)
    {
        // Every job is completed, once; its rows were written once, however often it was tried; attempts are those that were counted.
        Assert.Equal(submitted.Count, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'completed'"));
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM (SELECT job FROM effect GROUP BY job HAVING count(*) > 1) d"));
        Assert.Equal(submitted.Count / 2, await _test.ScalarAsync<long>("SELECT count(*) FROM effect"));
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM (SELECT job, attempt FROM run GROUP BY job, attempt HAVING count(*) > 1) d"));
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_tenant WHERE queued <> 0 OR running <> 0"));

        var events = await Task.Run(() => ToldEvent.ReadAll(_broker.BootstrapServers, Partitions));
        await JobInvariants.AssertAsync(_test, events);
        Assert.Equal(submitted.Count, events.Where(told => told.Name == "completed").Select(told => told.Job).Distinct().Count());
    }
}
