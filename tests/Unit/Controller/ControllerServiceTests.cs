using Amp.MetadataDb;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Controller;

[Collection(PostgresFixture.Collection)]
public sealed class ControllerServiceTests(PostgresFixture postgres)
{
    private static readonly ControllerOptions Fast = new()
    {
        Interval = TimeSpan.FromMilliseconds(20),
        LeaderPatience = TimeSpan.FromMilliseconds(300),
    };

    [ToolFact("postgres")]
    public async Task FailedJob_IsDueAfterTwoToThePowerOfItsFailures_AndNoLaterThanTheLimit()
    {
        await using var test = await CreateAsync("a");
        var job = await test.Database.Jobs.ScheduleAsync("a", TestData.Descriptor(), "key");
        await test.Database.Jobs.FailAsync(job.JobId, "a", fatal: false, "{}", CancellationToken.None);

        Assert.False(await IsDueAsync(secondsAgo: 1.5));
        Assert.True(await IsDueAsync(secondsAgo: 2.5));

        for (var failures = 2; failures <= 5; failures++)
        {
            await test.Database.Jobs.RescheduleAsync(job.JobId);
            await test.Database.Jobs.FailAsync(job.JobId, "a", fatal: false, "{}", CancellationToken.None);
        }

        Assert.False(await IsDueAsync(secondsAgo: 31));
        Assert.True(await IsDueAsync(secondsAgo: 33));
        Assert.True(await IsDueAsync(secondsAgo: 11, maxDelay: 10));

        async Task<bool> IsDueAsync(double secondsAgo, double maxDelay = 600)
        {
            await test.ExecuteAsync("UPDATE jobs_status SET updated_at = clock_timestamp() - $1", TimeSpan.FromSeconds(secondsAgo));
            await using var transaction = await test.Database.BeginAsync(CancellationToken.None);
            await using var connection = transaction.Connection!;
            return (await test.Database.Jobs.ListRetryableAsync(TimeSpan.FromSeconds(maxDelay), transaction, CancellationToken.None)).Count == 1;
        }
    }

    [ToolFact("postgres")]
    public async Task Leader_SchedulesFailedJobsAgain_OnTheirWorkerOrAnother_ButNotFatalOnes()
    {
        await using var test = await CreateAsync("a", "b");
        await test.ExecuteAsync("UPDATE workers SET heartbeat_at = now() - interval '1 hour' WHERE node_id = 'b'");
        var own = await FailedAsync(test, "a", "own", fatal: false);
        var orphan = await FailedAsync(test, "b", "orphan", fatal: false);
        var fatal = await FailedAsync(test, "a", "fatal", fatal: true);
        await test.ExecuteAsync("UPDATE jobs_status SET updated_at = now() - interval '10 seconds'");

        await using var controller = await StartAsync(test);
        await Eventually.TrueAsync(async () => (await StateAsync(test, own), await StateAsync(test, orphan)) == (("SCHEDULED", "a"), ("SCHEDULED", "a")), "scheduling both again");

        Assert.Equal(("FATAL", "a"), await StateAsync(test, fatal));
        Assert.Equal(2, (await test.Database.Jobs.GetAsync(own)).Attempts);
        Assert.Equal(TestData.Descriptor("orphan"), (await test.Database.Jobs.GetAsync(orphan)).Descriptor);
    }

    [ToolFact("postgres")]
    public async Task Leader_MovesJobsOfASilentWorker_AndFencesItsCommits()
    {
        await using var test = await CreateAsync("silent", "alive");
        var running = (await test.Database.Jobs.ScheduleAsync("silent", TestData.Descriptor("running"), "running")).JobId;
        await test.Database.Jobs.MarkRunningAsync(running, "silent", CancellationToken.None);
        var stopping = (await test.Database.Jobs.ScheduleAsync("silent", TestData.Descriptor("stopping"), "stopping")).JobId;
        await test.Database.Jobs.RequestStopAsync(stopping);
        var location = (await test.Database.PhysicalTables.GetOrCreateAsync("ethereum", "running", TestData.ManifestHash, "logs", null, CancellationToken.None)).LocationId;
        await test.Database.Files.CommitSegmentsAsync(running, "silent", [TestData.File(location, 0, 9)], null, CancellationToken.None);
        await test.ExecuteAsync("UPDATE workers SET heartbeat_at = clock_timestamp() - interval '31 seconds' WHERE node_id = 'silent'");

        await using var controller = await StartAsync(test);
        await Eventually.TrueAsync(async () => await StateAsync(test, running) == ("SCHEDULED", "alive"), "moving the job");
        await Eventually.TrueAsync(async () => await StateAsync(test, stopping) == ("STOPPED", "silent"), "ending the other");

        var refused = await Assert.ThrowsAsync<AmpException>(
            () => test.Database.Files.CommitSegmentsAsync(running, "silent", [TestData.File(location, 10, 19)], null, CancellationToken.None));
        Assert.Equal("JobLeaseLost", refused.ErrorCode);
        Assert.Single(await test.Database.Files.ListAsync(location, CancellationToken.None));
    }

    [ToolFact("postgres")]
    public async Task Leader_WithoutAnActiveWorker_WaitsForOne()
    {
        await using var test = await CreateAsync("silent");
        var job = (await test.Database.Jobs.ScheduleAsync("silent", TestData.Descriptor(), "key")).JobId;
        await test.ExecuteAsync("UPDATE workers SET heartbeat_at = now() - interval '1 hour'");
        var log = new RecordingLogger();
        await using var controller = new ControllerService(test.Database, Fast, log);
        await controller.StartAsync();
        await Eventually.TrueAsync(() => log.Entries.Any(entry => entry.Event == "NoWorker"), "noticing that there is no worker");
        Assert.Equal(("SCHEDULED", "silent"), await StateAsync(test, job));

        await test.Database.Workers.RegisterAsync("late", TestData.Build, CancellationToken.None);

        await Eventually.TrueAsync(async () => await StateAsync(test, job) == ("SCHEDULED", "late"), "moving the job");
    }

    [ToolFact("postgres")]
    public async Task Controllers_OfOneDatabase_HaveOneLeader_AndAnotherTakesOver()
    {
        await using var test = await CreateAsync("a");
        var first = await StartAsync(test);
        await using var second = await StartAsync(test);
        Assert.Equal((ControllerState.Leading, ControllerState.Waiting), (first.State, second.State));

        await first.DisposeAsync();

        await Eventually.TrueAsync(() => second.State is ControllerState.Leading, "taking over");
        Assert.Equal(ControllerState.Stopped, first.State);
    }

    [ToolFact("postgres")]
    public async Task Start_ASecondTime_IsRefused_AndTheControllerGoesOn()
    {
        await using var test = await CreateAsync("a");
        await using var controller = await StartAsync(test);

        var e = await Assert.ThrowsAsync<AmpException>(() => controller.StartAsync());

        Assert.Equal(("ControllerAlreadyStarted", ControllerState.Leading), (e.ErrorCode, controller.State));
    }

    [ToolFact("postgres")]
    public async Task Leader_WhoseConnectionIsCut_StandsAgain()
    {
        await using var test = await CreateAsync("a");
        var log = new RecordingLogger();
        await using var controller = new ControllerService(test.Database, Fast, log);
        await controller.StartAsync();

        await test.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");

        await Eventually.TrueAsync(() => log.Entries.Any(entry => entry.Event == "LostDatabase"), "losing the connection");
        await Eventually.TrueAsync(() => controller is { State: ControllerState.Leading, LastError: null }, "leading again");
    }

    [ToolFact("postgres")]
    public async Task Leader_ThatIsFrozen_IsPutOut()
    {
        await using var test = await CreateAsync("a");
        await using var frozen = new LeaderLock(test.Database, Fast.LeaderPatience);
        Assert.True(await frozen.TryTakeAsync(CancellationToken.None));

        // It holds its connection and does nothing with it.
        await using var other = await StartAsync(test);

        await Eventually.TrueAsync(() => other.State is ControllerState.Leading, "putting out the frozen leader");
        await Assert.ThrowsAnyAsync<Exception>(() => frozen.TryTakeAsync(CancellationToken.None));
    }

    private static async Task<ControllerService> StartAsync(TestDatabase test)
    {
        var controller = new ControllerService(test.Database, Fast, NullLogger.Instance);
        await controller.StartAsync();
        return controller;
    }

    private async Task<TestDatabase> CreateAsync(params string[] workers)
    {
        var test = await postgres.CreateAsync();
        foreach (var worker in workers)
        {
            await test.Database.Workers.RegisterAsync(worker, TestData.Build, CancellationToken.None);
        }

        return test;
    }

    private static async Task<long> FailedAsync(TestDatabase test, string nodeId, string name, bool fatal)
    {
        var job = await test.Database.Jobs.ScheduleAsync(nodeId, TestData.Descriptor(name), name);
        await test.Database.Jobs.FailAsync(job.JobId, nodeId, fatal, "{}", CancellationToken.None);
        return job.JobId;
    }

    private static async Task<(string Status, string NodeId)> StateAsync(TestDatabase test, long jobId)
    {
        var job = await test.Database.Jobs.GetAsync(jobId);
        return (job.Status.ToText(), job.NodeId);
    }
}
