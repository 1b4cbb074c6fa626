using Amp.Support;

namespace Amp.MetadataDb;

[Collection(PostgresFixture.Collection)]
public sealed class JobSchedulerTests(PostgresFixture postgres)
{
    [ToolFact("postgres")]
    public async Task Schedule_WithoutASelector_TakesTheLeastLoadedActiveWorker()
    {
        await using var test = await CreateAsync("eu-1", "eu-2", "us-1", "stale-1");
        await test.ExecuteAsync("UPDATE workers SET heartbeat_at = now() - interval '6 seconds' WHERE node_id = 'stale-1'");
        var scheduler = new JobScheduler(test.Database);

        for (var i = 0; i < 6; i++)
        {
            await scheduler.ScheduleAsync(TestData.Descriptor($"d{i}"));
        }

        Assert.Equal([("eu-1", 2), ("eu-2", 2), ("stale-1", 0), ("us-1", 2)],
            (await test.Database.Workers.ListAsync()).Select(w => (w.NodeId, w.ActiveJobs)));
    }

    [ToolFact("postgres")]
    public async Task Schedule_WithANameOrPattern_ObeysIt()
    {
        await using var test = await CreateAsync("eu-1", "eu-2", "us-1");
        var scheduler = new JobScheduler(test.Database);

        var exact = await scheduler.ScheduleAsync(TestData.Descriptor("a"), "us-1");
        var glob = await scheduler.ScheduleAsync(TestData.Descriptor("b"), "eu-*");
        var again = await scheduler.ScheduleAsync(TestData.Descriptor("b"), "us-1");

        Assert.Equal("us-1", (await test.Database.Jobs.GetAsync(exact.JobId)).NodeId);
        Assert.StartsWith("eu-", (await test.Database.Jobs.GetAsync(glob.JobId)).NodeId, StringComparison.Ordinal);
        Assert.Equal(new ScheduledJob(glob.JobId, IsNew: false), again);
    }

    [ToolFact("postgres")]
    public async Task Schedule_WithoutAFittingWorker_IsRefused()
    {
        await using var test = await CreateAsync("eu-1");
        await test.ExecuteAsync("UPDATE workers SET heartbeat_at = now() - interval '1 hour'");
        var scheduler = new JobScheduler(test.Database);

        foreach (var (selector, code) in new[] { (null, "NoActiveWorker"), ("eu-1", "NoActiveWorker"), ("eu-*", "NoActiveWorker"), ("us-1", "WorkerNotFound") })
        {
            var e = await Assert.ThrowsAsync<AmpException>(() => scheduler.ScheduleAsync(TestData.Descriptor(), selector));
            Assert.Equal(code, e.ErrorCode);
        }

        Assert.Empty(await test.Database.Jobs.ListAsync());
    }

    [ToolFact("postgres")]
    public async Task List_WithPatterns_FindsByWildcardInAnyCase()
    {
        await using var test = await CreateAsync("eu-1", "eu-2", "us.1", "usx1");

        Assert.Equal(["eu-1", "eu-2"], await NamesAsync("EU-*"));
        Assert.Equal(["eu-2", "us.1"], await NamesAsync("eu-[2-9]", "us.1"));
        Assert.Equal(["us.1", "usx1"], await NamesAsync("us?1"));
        Assert.Empty(await NamesAsync("nobody", "[", "a(b", "[z-a]x"));
        Assert.Empty(await test.Database.Workers.ListAsync([]));
        Assert.Null(await test.Database.Workers.GetAsync("EU-1"));

        async Task<IEnumerable<string>> NamesAsync(params string[] patterns) =>
            (await test.Database.Workers.ListAsync(patterns)).Select(w => w.NodeId);
    }

    [Fact]
    public void IdempotencyKey_IsTheHashThatAmpdComputes() =>
        Assert.Equal(
            Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(
                System.Text.Encoding.UTF8.GetBytes($"materialize-raw:ethereum/mainnet@{TestData.ManifestHash}"))),
            JobScheduler.IdempotencyKey(TestData.Descriptor()));

    private async Task<TestDatabase> CreateAsync(params string[] workers)
    {
        var test = await postgres.CreateAsync();
        foreach (var worker in workers)
        {
            await test.Database.Workers.RegisterAsync(worker, TestData.Build, default);
        }

        return test;
    }
}
