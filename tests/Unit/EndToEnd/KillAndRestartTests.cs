using System.Diagnostics;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Amp.Support;
using Xunit.Abstractions;

namespace Amp.EndToEnd;

/// <summary>Workers in processes of their own that are killed, at random and at the worst moments, and started again.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class KillAndRestartTests(PostgresFixture postgres, ITestOutputHelper output)
{
    private const string Dataset = "test/killed";
    private const string Untouched = "test/untouched";
    private const string Node = "worker-01";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [ToolFact("postgres", "duckdb")]
    public async Task Worker_KilledTwentyTimesAtRandom_EndsWithTheRowsOfOneNeverKilled()
    {
        const int kills = 20;
        const ulong end = 2_999;
        var random = new Random(20);
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)end + 1, TransactionsPerBlock = 6, Seed = 20 });

        // However slow the machine, the job cannot end before the last kill.
        await using var gate = new GatedChain(chain.Url, end - 100);
        await using var deployment = await PrepareAsync(gate.Url);

        AmpJob? job = null;
        var (temporary, published) = (0, 0);
        for (var kill = 0; kill < kills; kill++)
        {
            using var worker = AmpdProcess.StartWorker(deployment, Node);
            job ??= await ScheduleAsync(deployment, end);
            if (random.Next(3) == 0)
            {
                // Anywhere between the process's start and its first commits.
                await Task.Delay(random.Next(1_000));
            }
            else
            {
                // Somewhere around a commit.
                var committed = await CountBlocksAsync(deployment);
                await deployment.WaitForBlocksAsync(Dataset, Math.Min(committed + (ulong)random.Next(1, 40), end - 300));
                await Task.Delay(random.Next(30));
            }

            Assert.False(worker.HasExited, worker.Output);
            await worker.KillAsync();

            var left = await TableChecks.AssertReadableAsync(deployment.Deployment);
            temporary += left.Temporary;
            published += left.Published;
            Assert.False((await deployment.Client.GetJobAsync(job.JobId, CancellationToken.None)).IsTerminal);
        }

        output.WriteLine($"{await CountBlocksAsync(deployment)} blocks after {kills} kills, which left {temporary} temporary and {published} uncommitted files");
        gate.Open();
        using (var worker = AmpdProcess.StartWorker(deployment, Node))
        {
            await deployment.CompletedAsync(job!);
            worker.Terminate();
            Assert.Equal(0, await worker.WaitForExitAsync(Patience));
        }

        await AssertLikeUntouchedAsync(deployment, end);
        output.WriteLine($"{(await deployment.FilesAsync(Dataset, "blocks")).Count} segments in the end");
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Worker_KilledBetweenPublishAndCommit_LeavesNothingThatLaterCommits()
    {
        const ulong end = 299;
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)end + 1, Seed = 21 });
        await using var deployment = await PrepareAsync(chain.Url);
        await using var hold = await CommitLock.TakeAsync(deployment);
        string[] orphans;
        AmpJob job;
        using (var killed = AmpdProcess.StartWorker(deployment, Node))
        {
            job = await ScheduleAsync(deployment, end);

            // The first commit waits for our lock: its files are published.
            await Eventually.TrueAsync(() => CommitLock.IsAwaitedAsync(deployment), "a commit waits", Patience);
            await killed.KillAsync();
            orphans = PublishedFiles(deployment);
            Assert.Equal(3, orphans.Length);
        }

        // The server does not know that its client is gone. Its statement runs after the next worker has removed the files.
        using var next = AmpdProcess.StartWorker(deployment, Node);
        await Eventually.TrueAsync(() => !orphans.Any(File.Exists), "removing the uncommitted files", Patience);
        Assert.True(await CommitLock.IsAwaitedAsync(deployment));
        await hold.DisposeAsync();
        await deployment.CompletedAsync(job);

        await StopAsync(next);
        await AssertLikeUntouchedAsync(deployment, end);
        Assert.DoesNotContain(orphans, File.Exists);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Worker_KilledWhileACommitIsOnItsWay_KeepsWhatTheDatabaseCommits()
    {
        const ulong end = 299;
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)end + 1, Seed = 22 });
        await using var deployment = await PrepareAsync(chain.Url);
        await using var hold = await CommitLock.TakeAsync(deployment);
        AmpJob job;
        using (var killed = AmpdProcess.StartWorker(deployment, Node))
        {
            job = await ScheduleAsync(deployment, end);
            await Eventually.TrueAsync(() => CommitLock.IsAwaitedAsync(deployment), "a commit waits", Patience);
            await killed.KillAsync();
        }

        // Nobody took the job meanwhile: the commit goes through though its worker is dead.
        await hold.DisposeAsync();
        await Eventually.TrueAsync(async () => await CountBlocksAsync(deployment) > 0, "the dead worker's commit", Patience);
        var survivors = PublishedFiles(deployment);
        Assert.Equal((0, 0), await TableChecks.AssertReadableAsync(deployment.Deployment) with { Temporary = 0 });

        using var next = AmpdProcess.StartWorker(deployment, Node);
        await deployment.CompletedAsync(job);
        await StopAsync(next);
        await AssertLikeUntouchedAsync(deployment, end);
        Assert.All(survivors, file => Assert.True(File.Exists(file), $"{file} was committed and is gone"));
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Worker_StartedWithLeftoversInItsFolders_RemovesThoseOfItsTablesOnly()
    {
        const ulong end = 199;
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)end + 1, Seed = 23 });
        await using var gate = new GatedChain(chain.Url, 100);
        await using var deployment = await PrepareAsync(gate.Url);
        AmpJob job;
        await using (await deployment.StartWorkerAsync(Node))
        {
            job = await deployment.StartJobAsync(Dataset, end);
            await deployment.WaitForBlocksAsync(Dataset, 20);
        }

        var leftovers = new List<string>();
        foreach (var folder in Directory.EnumerateFiles(deployment.DataDir, "*.parquet", SearchOption.AllDirectories).Select(f => Path.GetDirectoryName(f)!).Distinct())
        {
            leftovers.Add(Path.Combine(folder, "000000100-0123456789abcdef.parquet"));
            leftovers.Add(Path.Combine(folder, "000000100-0123456789abcdef.parquet.89abcdef.tmp"));
        }

        leftovers.ForEach(file => File.WriteAllText(file, "what a crash left"));
        var foreign = Path.Combine(deployment.DataDir, "notes.txt");
        await File.WriteAllTextAsync(foreign, "not ours");
        Assert.Equal(6, leftovers.Count);

        gate.Open();
        await using (await deployment.StartWorkerAsync(Node))
        {
            await deployment.CompletedAsync(job);
        }

        Assert.DoesNotContain(leftovers, File.Exists);
        Assert.True(File.Exists(foreign));
        File.Delete(foreign);
        await AssertLikeUntouchedAsync(deployment, end);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Worker_ToldToTerminate_ExitsWithZeroAndItsJobIsResumed()
    {
        const ulong end = 399;
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)end + 1, Seed = 24 });
        await using var gate = new GatedChain(chain.Url, 200);
        await using var deployment = await PrepareAsync(gate.Url);
        AmpJob job;
        using (var worker = AmpdProcess.StartWorker(deployment, Node))
        {
            job = await ScheduleAsync(deployment, end);
            await deployment.WaitForBlocksAsync(Dataset, 20);
            var watch = Stopwatch.StartNew();
            worker.Terminate();

            Assert.Equal(0, await worker.WaitForExitAsync(TimeSpan.FromSeconds(20)));
            output.WriteLine($"ended {watch.Elapsed.TotalSeconds:0.0} s after SIGTERM");
        }

        Assert.Equal(AmpJobStatus.Running, (await deployment.Client.GetJobAsync(job.JobId, CancellationToken.None)).Status);
        var (temporary, _) = await TableChecks.AssertReadableAsync(deployment.Deployment);
        Assert.Equal(0, temporary);

        gate.Open();
        using var next = AmpdProcess.StartWorker(deployment, Node);
        Assert.Equal(1, (await deployment.CompletedAsync(job)).Attempts);
        await StopAsync(next);
        await AssertLikeUntouchedAsync(deployment, end);
    }

    private async Task<TestDeployment> PrepareAsync(Uri chain)
    {
        var deployment = await TestDeployment.CreateAsync(postgres, ("writer.segment_flush_interval_secs", "0.1"));
        await deployment.RegisterProviderAsync(chain);
        await deployment.RegisterDatasetAsync(Dataset);
        return deployment;
    }

    /// <summary>Schedules the job as soon as the worker is there to take it.</summary>
    private static async Task<AmpJob> ScheduleAsync(TestDeployment deployment, ulong end)
    {
        await Eventually.TrueAsync(
            async () => await deployment.Client.GetWorkersAsync(CancellationToken.None).AnyAsync(w => w.NodeId == Node && w.IsActive),
            "the worker's registration", Patience);
        return await deployment.StartJobAsync(Dataset, end);
    }

    private static async Task<ulong> CountBlocksAsync(TestDeployment deployment) =>
        await deployment.CommittedAsync(Dataset) is { } range ? range.End - range.Start + 1 : 0;

    private static string[] PublishedFiles(TestDeployment deployment) =>
        Directory.GetFiles(deployment.DataDir, "*.parquet", SearchOption.AllDirectories);

    private static async Task StopAsync(AmpdProcess worker)
    {
        worker.Terminate();
        Assert.Equal(0, await worker.WaitForExitAsync(Patience));
    }

    /// <summary>Extracts the same blocks once more, by a worker that nobody disturbs, and compares all rows.</summary>
    private async Task AssertLikeUntouchedAsync(TestDeployment deployment, ulong end)
    {
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        await deployment.RegisterDatasetAsync(Untouched);
        await using (await deployment.StartWorkerAsync("untouched"))
        {
            await deployment.CompleteJobAsync(Untouched, end, "untouched");
        }

        var rows = new List<long>();
        foreach (var table in new[] { "blocks", "transactions", "logs" })
        {
            rows.Add(await TableRows.AssertSameAsync(deployment, Untouched, Dataset, table));
        }

        Assert.Equal((long)end + 1, rows[0]);
        Assert.True(rows[2] > rows[1] / 2, "few logs");
        output.WriteLine($"{string.Join(", ", rows)} rows of blocks, transactions, logs");
    }
}
