using Amp.Events;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.BackgroundJobs;

/// <summary>A worker, a sweep and a relay whose clock is wrong, beside those whose clock is right: all go by the database's.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class ClockFaultTests(PostgresFixture postgres) : IAsyncLifetime, IJobHandler
{
    private const int Partitions = 4;

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Guid Tenant = Guid.NewGuid();

    private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);
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
        await _broker.DisposeAsync();
        await _test.DisposeAsync();
    }

    [KafkaTheory("postgres", "faketime")]
    [InlineData("+10m")]
    [InlineData("-10m")]
    public async Task WorkerWhoseClockIsWrong_TakesNothingEarly_AndMissesNothing(string offset)
    {
        var handlers = new JobHandlers();
        handlers.Set("held.*", this);
        await using var relay = new OutboxRelay(
            new OutboxTable(_test.Database), new KafkaEventOptions { Brokers = [_broker.BootstrapServers] }, TimeProvider.System, NullLogger.Instance);
        await using var sweeper = new JobSweeper(_queue, new TenantsTable(_test.Database, JobTopics.Work), TimeProvider.System, NullLogger.Instance);
        await using var right = new JobWorker(_test.Database, _queue, null, JobTopics.Work, handlers, new JobWorkerOptions(), TimeProvider.System, NullLogger.Instance);
        var held = new JobSubmission(Tenant, "held.test", "{}");
        await _queue.SubmitAsync([held], None);
        await Eventually.TrueAsync(
            async () => await _test.ScalarAsync<bool>("SELECT (SELECT count(*) = 16 FROM amp_jobs.outbox_shard WHERE epoch = 1) AND (SELECT state = 'running' FROM amp_jobs.job)"), "owners", Patience);

        // Neither has a Kafka client, whose threads do not bear the library that shifts the clock: the relay has nothing to send.
        (string, string)[] clock = [("LD_PRELOAD", TestTools.Require("faketime")), ("FAKETIME", offset)];
        using var wrong = HelperProcess.Start(clock, "job-worker", _test.Url);
        using var wrongRelay = HelperProcess.Start(clock, "job-relay", _test.Url, _broker.BootstrapServers);
        await wrong.ReadyAsync();
        await wrongRelay.ReadyAsync();
        var (fails, submits) = (Job("job.fails"), Job("job.submits"));
        var soon = await _test.ScalarAsync<DateTime>("SELECT now() + interval '5 minutes'");
        await _queue.SubmitAsync(
            [fails, submits, Job("job.plain", 3_000), Job("job.plain") with { RunAt = soon }, Job("job.plain") with { Delay = TimeSpan.FromMinutes(5) }, .. Enumerable.Repeat(0, 20).Select(_ => Job("job.plain"))],
            None);

        // All but the two whose time has not come, the one that is held, and with the one that another submits.
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'completed'") == 24, "the end of all others", Patience);
        Assert.True(
            await _test.ScalarAsync<bool>("SELECT abs(extract(epoch FROM (result->>'clock')::timestamptz - finished_at)) > 540 FROM amp_jobs.job WHERE id = $1", submits.Id), "its clock is right");
        Assert.Equal(2, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'queued' AND attempt = 0 AND run_at - created_at BETWEEN '4 minutes' AND '6 minutes'"));

        // A delay, a pause and a day are the database's.
        Assert.True(await _test.ScalarAsync<bool>(
            """
            SELECT run_at = created_at + interval '1 second' AND started_at BETWEEN run_at AND run_at + interval '30 seconds'
            FROM amp_jobs.job WHERE id = (SELECT (result->>'next')::uuid FROM amp_jobs.job WHERE id = $1)
            """, submits.Id));
        Assert.True(await _test.ScalarAsync<bool>("SELECT started_at - at BETWEEN '0.1 seconds' AND '30 seconds' FROM amp_jobs.job JOIN amp_jobs.job_error ON job_id = id WHERE id = $1", fails.Id));
        Assert.Equal((27, true), (
            await _test.ScalarAsync<int>("SELECT used_today FROM amp_jobs.job_tenant"), await _test.ScalarAsync<bool>("SELECT day = (now() AT TIME ZONE 'UTC')::date FROM amp_jobs.job_tenant")));

        // Nobody took anything from another: no job, and no shard.
        Assert.Equal(1, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_error"));
        Assert.Equal(("running", 1), (
            await _test.ScalarAsync<string>("SELECT state FROM amp_jobs.job WHERE id = $1", held.Id), await _test.ScalarAsync<int>("SELECT attempt FROM amp_jobs.job WHERE id = $1", held.Id)));
        Assert.Equal(16, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.outbox_shard WHERE epoch = 1"));

        _release.SetResult();
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<string>("SELECT state FROM amp_jobs.job WHERE id = $1", held.Id) == "completed", "the end of the held job", Patience);
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" """) == 0, "sending the outbox", Patience);
        await wrong.KillAsync();
        var read = await Task.Run(() => ToldEvent.ReadAll(_broker.BootstrapServers, Partitions));
        Assert.DoesNotContain(read, told => told.Topic == JobTopics.QuotaReset);
        await JobInvariants.AssertAsync(_test, read);
    }

    /// <summary>Holds a job until the test lets it go.</summary>
    public async Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken)
    {
        await _release.Task.WaitAsync(cancellationToken);
        return AmpJobAnswer.Complete();
    }

    private static JobSubmission Job(string type, int milliseconds = 0) => new(Tenant, type, $$"""{"ms":{{milliseconds}}}""");
}
