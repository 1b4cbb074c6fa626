using Amp.Support;

namespace Amp.MetadataDb;

[Collection(PostgresFixture.Collection)]
public sealed class FilesTableTests(PostgresFixture postgres)
{
    private const string Node = "worker-01";

    [ToolFact("postgres")]
    public async Task GetOrCreate_ByManyAtOnce_GivesOneRevision()
    {
        await using var test = await postgres.CreateAsync();

        var tables = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(() => TableAsync(test, "logs"))));

        var table = Assert.Single(tables.Distinct());
        Assert.Matches(@"^mainnet/logs/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$", table.Path);
        Assert.Equal(1L, await test.ScalarAsync<long>("SELECT count(*) FROM physical_table_revisions"));
    }

    [ToolFact("postgres")]
    public async Task Commit_ByTheJobsWorker_StoresFilesFootersAndNotifiesOncePerTable()
    {
        await using var test = await postgres.CreateAsync();
        var (jobId, registeredAt) = await RunningJobAsync(test);
        var (logs, blocks) = (await TableAsync(test, "logs"), await TableAsync(test, "blocks"));
        await using var listener = await test.Database.OpenDedicatedAsync("listening", default);
        await listener.ExecuteAsync("LISTEN \"change-tracking\"", [], default);
        var payloads = new List<string>();
        listener.Notification += (_, e) => payloads.Add(e.Payload);

        await test.Database.Files.CommitSegmentsAsync(jobId, Node,
            [TestData.File(logs.LocationId, 0, 9), TestData.File(logs.LocationId, 10, 19), TestData.File(blocks.LocationId, 0, 9)],
            registeredAt, default);

        var files = await test.Database.Files.ListAsync(logs.LocationId, default);
        Assert.Equal(["000000000-0000000000000000.parquet", "000000010-0000000000000000.parquet"], files.Select(f => f.FileName));
        Assert.Equal(3L, await test.ScalarAsync<long>("SELECT count(*) FROM footer_cache WHERE footer = '\\x010203'"));
        await listener.ExecuteAsync("SELECT 1", [], default);
        Assert.Equal(new[] { logs.LocationId, blocks.LocationId }.Order().Select(id => $"{id}"), payloads.Order(StringComparer.Ordinal));
    }

    [ToolFact("postgres")]
    public async Task Commit_Repeated_IsTheSameAsOnce_ButAnotherFileOfTheNameIsRefused()
    {
        await using var test = await postgres.CreateAsync();
        var (jobId, registeredAt) = await RunningJobAsync(test);
        var table = await TableAsync(test, "logs");
        var file = TestData.File(table.LocationId, 0, 9);
        await test.Database.Files.CommitSegmentsAsync(jobId, Node, [file], registeredAt, default);

        await test.Database.Files.CommitSegmentsAsync(jobId, Node, [file], registeredAt, default);
        var e = await Assert.ThrowsAsync<AmpException>(() => test.Database.Files.CommitSegmentsAsync(
            jobId, Node, [file with { Size = 1001 }], registeredAt, default));

        Assert.Equal("FileAlreadyRegistered", e.ErrorCode);
        Assert.Single(await test.Database.Files.ListAsync(table.LocationId, default));
    }

    [ToolFact("postgres")]
    public async Task Commit_OfAJobThatIsNoLongerOurs_IsRefusedAndStoresNothing()
    {
        await using var test = await postgres.CreateAsync();
        var (jobId, registeredAt) = await RunningJobAsync(test);
        await test.Database.Workers.RegisterAsync("worker-02", TestData.Build, default);
        var table = await TableAsync(test, "logs");
        foreach (var takeAway in new[]
        {
            "UPDATE jobs_status SET node_id = 'worker-02'",
            "UPDATE jobs_status SET status = 'SCHEDULED'",
            "UPDATE jobs_status SET status = 'STOPPED'",
            "UPDATE jobs_status SET status = 'ERROR'",
            "UPDATE workers SET registered_at = now() + interval '1 second' WHERE node_id = 'worker-01'",
            "DELETE FROM jobs",
        })
        {
            await test.ExecuteAsync("UPDATE jobs_status SET node_id = 'worker-01', status = 'RUNNING'");
            await test.ExecuteAsync("UPDATE workers SET registered_at = $1 WHERE node_id = 'worker-01'", Sql.Time(registeredAt));
            await test.ExecuteAsync(takeAway);

            var e = await Record.ExceptionAsync(() => test.Database.Files.CommitSegmentsAsync(
                jobId, Node, [TestData.File(table.LocationId, 0, 9)], registeredAt, default));

            Assert.True(e is AmpException { ErrorCode: "JobLeaseLost" }, $"after {takeAway}: {e}");
            Assert.Empty(await test.Database.Files.ListAsync(table.LocationId, default));
        }
    }

    [ToolFact("postgres")]
    public async Task Commit_WhileAnotherTransactionReassignsTheJob_WaitsAndIsRefused()
    {
        await using var test = await postgres.CreateAsync();
        var (jobId, registeredAt) = await RunningJobAsync(test);
        var table = await TableAsync(test, "logs");
        await using var transaction = await test.Database.BeginAsync(default);
        await using var connection = transaction.Connection!;
        await connection.ExecuteAsync("UPDATE jobs_status SET node_id = 'worker-02' WHERE job_id = $1", [jobId], default);

        var commit = test.Database.Files.CommitSegmentsAsync(jobId, Node, [TestData.File(table.LocationId, 0, 9)], registeredAt, default);
        await Eventually.TrueAsync(async () => await test.ScalarAsync<bool>("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)"), "the commit to wait");
        await transaction.CommitAsync();

        Assert.Equal("JobLeaseLost", (await Assert.ThrowsAsync<AmpException>(() => commit)).ErrorCode);
        Assert.Empty(await test.Database.Files.ListAsync(table.LocationId, default));
    }

    [ToolFact("postgres")]
    public async Task Progress_ShowsTheCanonicalRangeOfEachTable()
    {
        await using var test = await postgres.CreateAsync();
        var (jobId, registeredAt) = await RunningJobAsync(test);
        var (blocks, logs) = (await TableAsync(test, "blocks"), await TableAsync(test, "logs"));
        await test.Database.PhysicalTables.SetWriterAsync([blocks.LocationId, logs.LocationId], jobId, null, default);
        await test.Database.Files.CommitSegmentsAsync(jobId, Node,
            [
                TestData.File(blocks.LocationId, 0, 9), TestData.File(blocks.LocationId, 10, 24),
                TestData.File(blocks.LocationId, 40, 49), TestData.File(blocks.LocationId, 10, 24, branch: 1, createdAt: 1),
            ], registeredAt, default);

        var progress = await test.Database.Jobs.ProgressAsync(jobId);

        Assert.Equal((AmpJobStatus.Running, "ethereum/mainnet", (ulong?)100), (progress.Status, progress.Dataset, progress.EndBlock));
        Assert.Equal(["blocks", "logs"], progress.Tables.Select(t => t.Table));
        var (first, second) = (progress.Tables[0], progress.Tables[1]);
        Assert.Equal(((ulong?)0, (ulong?)24, 2L, 2000L), (first.StartBlock, first.CurrentBlock, first.FilesCount, first.TotalSizeBytes));
        Assert.Equal(35UL, first.BlocksCount);
        Assert.Equal(35 / 101.0 * 100, first.PercentComplete!.Value, 9);
        Assert.Equal((null, (ulong?)null, 0L), (second.StartBlock, second.CurrentBlock, second.FilesCount));
        var table = Assert.Single(await test.Database.PhysicalTables.ListAsync("ethereum", "mainnet"), t => t.Table == "blocks");
        Assert.Equal(jobId, table.JobId);
        Assert.Equal([true, true, false, false], (await test.Database.Files.ListAsync(table)).OrderByDescending(f => f.IsCanonical).Select(f => f.IsCanonical));
    }

    [ToolFact("postgres")]
    public async Task Summaries_OfRandomFiles_AreThoseOfTheirChains()
    {
        await using var test = await postgres.CreateAsync();
        var (jobId, registeredAt) = await RunningJobAsync(test);
        var random = new Random(1);
        var locations = new List<long> { (await TableAsync(test, "empty")).LocationId };
        for (var i = 0; i < 60; i++)
        {
            var location = (await TableAsync(test, $"table{i}")).LocationId;
            locations.Add(location);
            var (files, start) = (new Dictionary<string, NewFile>(), (ulong)random.Next(3));
            for (var count = random.Next(1, 6); count > 0; count--)
            {
                var end = start + (ulong)random.Next(3);
                var file = TestData.File(location, start, end, branch: random.Next(10) / 9, createdAt: random.Next(3));
                files[file.FileName] = file;
                start = random.Next(12) == 0 ? (ulong)random.Next(10) : end + 1;
            }

            await test.Database.Files.CommitSegmentsAsync(jobId, Node, [.. files.Values], registeredAt, default);
        }

        var summaries = await test.Database.Files.SummariesAsync(locations, default);

        var segments = await test.Database.Files.SegmentsAsync(locations, default);
        var chains = locations.ConvertAll(location => CanonicalChain.Build(segments[location]));
        Assert.Equal(chains.ConvertAll(ChainSummary.Of), locations.ConvertAll(location => summaries[location]));
        Assert.InRange(chains.Count(chain => chain.Orphaned.Count > 0), 10, 50);
    }

    [ToolFact("postgres")]
    public async Task Summaries_OfAFileWithTwoRanges_SayWhichItIs()
    {
        await using var test = await postgres.CreateAsync();
        var (jobId, registeredAt) = await RunningJobAsync(test);
        var table = await TableAsync(test, "logs");
        await test.Database.Files.CommitSegmentsAsync(jobId, Node, [TestData.File(table.LocationId, 0, 9)], registeredAt, default);
        await test.ExecuteAsync("UPDATE file_metadata SET metadata = jsonb_set(metadata, '{ranges,1}', metadata#>'{ranges,0}')");

        var e = await Assert.ThrowsAsync<AmpException>(() => test.Database.Files.SummariesAsync([table.LocationId], default));

        Assert.Equal(("SegmentMetadataInvalid", "000000000-0000000000000000.parquet"), (e.ErrorCode, e.Target));
    }

    private static Task<PhysicalTable> TableAsync(TestDatabase test, string table) =>
        test.Database.PhysicalTables.GetOrCreateAsync("ethereum", "mainnet", TestData.ManifestHash, table, null, default);

    private static async Task<(long JobId, DateTimeOffset RegisteredAt)> RunningJobAsync(TestDatabase test)
    {
        var registeredAt = await test.Database.Workers.RegisterAsync(Node, TestData.Build, default);
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        await test.Database.Jobs.MarkRunningAsync(jobId, Node, default);
        return (jobId, registeredAt);
    }
}
