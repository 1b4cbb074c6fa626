using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>Handlers that take their process with them. Whoever manages services starts it again; so does the test.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class PoisonHandlerTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Guid Tenant = Guid.NewGuid();

    // 96 MB.
    private static readonly (string, string)[] LittleMemory = [("DOTNET_GCHeapHardLimit", "6000000")];

    private TestDatabase _test = null!;
    private JobQueue _queue = null!;
    private HelperProcess _worker = null!;
    private int _ended;

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync();
        _queue = new JobQueue(_test.Database, JobTopics.Work);
        await _queue.InitializeAsync(autoMigrate: true, None);
        await JobWorkerProcess.CreateTablesAsync(_test);
        _worker = Start();
    }

    public async Task DisposeAsync()
    {
        _worker.Dispose();
        await _test.DisposeAsync();
    }

    [ToolTheory("postgres")]
    [InlineData("job.overflows")]
    [InlineData("job.fills")]
    public async Task HandlerThatKillsItsProcess_EndsInTheDeadLetters_AndAllOthersComplete(string type)
    {
        var poison = new JobSubmission(Tenant, type, """{"ms":100}""") { MaxAttempts = 2 };
        await _queue.SubmitAsync([poison, .. Others(40)], None);
        await EndedAsync();
        await _queue.SubmitAsync([.. Others(20)], None);
        await EndedAsync();

        Assert.Equal("deadlettered", await _test.ScalarAsync<string>("SELECT state FROM amp_jobs.job WHERE id = $1", poison.Id));
        Assert.Equal(2, await _test.ScalarAsync<long>("SELECT count(*) FROM run WHERE job = $1", poison.Id));
        Assert.Equal(60, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'completed'"));
        Assert.Equal(30, await _test.ScalarAsync<long>("SELECT count(DISTINCT job) FROM effect"));
        Assert.Equal(30, await _test.ScalarAsync<long>("SELECT count(*) FROM effect"));
        if (type == "job.overflows")
        {
            Assert.Equal(2, _ended);
            Assert.Equal(2, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_error WHERE job_id = $1 AND kind = 'LeaseExpired'", poison.Id));
        }

        await JobInvariants.AssertAsync(_test);
    }

    private static IEnumerable<JobSubmission> Others(int count) =>
        Enumerable.Range(0, count).Select(n => new JobSubmission(Tenant, n % 2 == 0 ? "job.plain" : "job.tx", $$"""{"ms":{{n * 10}}}"""));

    private HelperProcess Start() => HelperProcess.Start(LittleMemory, "job-worker", _test.Url);

    /// <summary>Waits for the end of all jobs, and starts the worker again when it dies.</summary>
    private async Task EndedAsync()
    {
        await Eventually.TrueAsync(LookAsync, "the end of all jobs", Patience);

        async Task<bool> LookAsync()
        {
            if (_worker.HasExited)
            {
                // It is missed at once, rather than after 15 seconds.
                await _test.ExecuteAsync("UPDATE amp_jobs.job_worker SET heartbeat_at = heartbeat_at - interval '15 seconds' WHERE pid = $1", _worker.Id);
                _worker.Dispose();
                _ended++;
                _worker = Start();
            }

            return await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE finished_at IS NULL") == 0;
        }
    }
}
