using Amp.Extraction.DevChains;
using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>Jobs that go on where earlier ones ended.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class ResumeTests(PostgresFixture postgres)
{
    private const string Dataset = "test/resumed";
    private const string Untouched = "test/untouched";
    private static readonly string[] AllTables = ["blocks", "transactions", "logs"];

    [ToolFact("postgres", "duckdb")]
    public async Task StopJob_Midway_KeepsWhatIsCommittedAndTheNextStartFinishesIt()
    {
        await using var chain = await StartChainAsync(200);
        await using var gate = new GatedChain(chain.Url, 100);
        await using var deployment = await PrepareAsync(gate.Url);
        await using var worker = await deployment.StartWorkerAsync();
        var job = await deployment.StartJobAsync(Dataset, 199);
        await deployment.WaitForBlocksAsync(Dataset, 20);

        // While it runs, the same request is the same job, and another one for these tables is refused.
        Assert.Equal(job.JobId, (await deployment.StartJobAsync(Dataset, 199)).JobId);
        Assert.Equal("ActiveJobConflict", (await Assert.ThrowsAsync<AmpException>(() => deployment.StartJobAsync(Dataset, 150))).ErrorCode);

        await deployment.Client.StopJobAsync(job.JobId, CancellationToken.None);
        Assert.Equal(AmpJobStatus.Stopped, (await deployment.WaitAsync(job)).Status);
        Assert.Equal(0, (await TableChecks.AssertReadableAsync(deployment.Deployment)).Temporary);
        var before = await SnapshotAsync(deployment);
        Assert.InRange((await deployment.CommittedAsync(Dataset))!.Value.End, 19ul, 100ul);
        Assert.Equal("JobAlreadyTerminated", (await Assert.ThrowsAsync<AmpException>(
            () => deployment.Client.StopJobAsync(job.JobId, CancellationToken.None))).ErrorCode);

        gate.Open();
        var again = await deployment.CompleteJobAsync(Dataset, 199);

        Assert.Equal((job.JobId, 2), (again.JobId, again.Attempts));
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        AssertKept(before, await SnapshotAsync(deployment));
        Assert.Equal(
            ["SCHEDULED", "RUNNING", "STOP_REQUESTED", "STOPPING", "STOPPED", "SCHEDULED", "RUNNING", "COMPLETED"],
            (await deployment.Database.Jobs.EventsAsync(job.JobId)).Select(e => MetadataDb.JobStatusText.ToText(e.Status)));
        await AssertLikeUntouchedAsync(deployment, 199);
    }

    [ToolFact("postgres")]
    public async Task StartJob_OfWhatIsThere_FetchesAndWritesNothing()
    {
        await using var chain = await StartChainAsync(60);
        await using var gate = new GatedChain(chain.Url, ulong.MaxValue);
        await using var deployment = await PrepareAsync(gate.Url);
        await using var worker = await deployment.StartWorkerAsync();
        await deployment.CompleteJobAsync(Dataset, 59);
        var before = await SnapshotAsync(deployment);
        Assert.Equal(Enumerable.Range(0, 60).Select(n => (ulong)n), gate.TakeFetchedBlocks());

        await deployment.CompleteJobAsync(Dataset, 59);
        await deployment.CompleteJobAsync(Dataset, 20);
        await deployment.CompletedAsync(await deployment.StartJobAsync(Dataset, "latest"));

        Assert.Empty(gate.TakeFetchedBlocks());
        Assert.Equal(before, await SnapshotAsync(deployment));
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task StartJob_WithALaterEndBlock_FetchesOnlyWhatIsMissing()
    {
        await using var chain = await StartChainAsync(120);
        await using var gate = new GatedChain(chain.Url, ulong.MaxValue);
        await using var deployment = await PrepareAsync(gate.Url);
        await using var worker = await deployment.StartWorkerAsync();
        await deployment.CompleteJobAsync(Dataset, 49);
        var before = await SnapshotAsync(deployment);
        gate.TakeFetchedBlocks();

        await deployment.CompleteJobAsync(Dataset, 119);

        Assert.Equal(Enumerable.Range(50, 70).Select(n => (ulong)n), gate.TakeFetchedBlocks());
        AssertKept(before, await SnapshotAsync(deployment));
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        await AssertLikeUntouchedAsync(deployment, 119);
    }

    [ToolFact("postgres")]
    public async Task StartJob_BeyondTheHead_WaitsForTheChain()
    {
        await using var chain = await StartChainAsync(20);
        await using var deployment = await PrepareAsync(chain.Url);
        await using var worker = await deployment.StartWorkerAsync();

        var job = await deployment.StartJobAsync(Dataset, 29);
        await deployment.WaitForBlocksAsync(Dataset, 20);
        Assert.Equal(AmpJobStatus.Running, (await deployment.Client.GetJobAsync(job.JobId, CancellationToken.None)).Status);
        await chain.ExtendAsync(20);

        await deployment.CompletedAsync(job);
        Assert.Equal(new(0, 29), await deployment.CommittedAsync(Dataset));
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task StartJob_WhenOneTableLacksAPart_FillsThatPartOfThatTable()
    {
        await using var chain = await StartChainAsync(90);
        await using var gate = new GatedChain(chain.Url, ulong.MaxValue);
        await using var deployment = await PrepareAsync(gate.Url);
        await using var worker = await deployment.StartWorkerAsync();
        foreach (var end in (ulong[])[29, 59, 89])
        {
            await deployment.CompleteJobAsync(Dataset, end);
        }

        var lost = (await deployment.FilesAsync(Dataset, "logs")).Where(file => file.StartBlock is >= 30 and < 60).ToList();
        foreach (var file in lost)
        {
            await deployment.Database.RunAsync("losing a file", connection => MetadataDb.Sql.ExecuteAsync(
                connection, "DELETE FROM file_metadata WHERE id = $1", [file.FileId], CancellationToken.None), null, CancellationToken.None);
            File.Delete(file.FullName);
        }

        var before = await SnapshotAsync(deployment);
        gate.TakeFetchedBlocks();

        await deployment.CompleteJobAsync(Dataset, 89);

        Assert.Equal(Enumerable.Range(30, 30).Select(n => (ulong)n), gate.TakeFetchedBlocks());
        var after = await SnapshotAsync(deployment);
        AssertKept(before, after);
        Assert.All(after.Keys.Except(before.Keys), path => Assert.Contains("/logs/", path, StringComparison.Ordinal));
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        await AssertLikeUntouchedAsync(deployment, 89);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Worker_WithTwoDatasets_ExtractsThemSideBySide()
    {
        const string other = "test/other";
        await using var chain = await StartChainAsync(150);
        await using var second = await DevChain.StartAsync(new DevChainOptions { BlockCount = 130, Seed = 77, FirstBlock = 1_000, ChainId = 5 });
        await using var gate = new GatedChain(chain.Url, 60);
        await using var secondGate = new GatedChain(second.Url, 1_060);
        await using var deployment = await PrepareAsync(gate.Url);
        await deployment.RegisterProviderAsync(secondGate.Url, "othernet");
        await deployment.RegisterDatasetAsync(other, "othernet", 1_000);
        await using var worker = await deployment.StartWorkerAsync();

        var jobs = new[] { await deployment.StartJobAsync(Dataset, 149), await deployment.StartJobAsync(other, 1_129) };
        await deployment.WaitForBlocksAsync(Dataset, 10);
        await deployment.WaitForBlocksAsync(other, 10);
        foreach (var job in jobs)
        {
            Assert.Equal(AmpJobStatus.Running, (await deployment.Client.GetJobAsync(job.JobId, CancellationToken.None)).Status);
        }

        secondGate.Open();
        await deployment.CompletedAsync(jobs[1]);
        Assert.Equal(AmpJobStatus.Running, (await deployment.Client.GetJobAsync(jobs[0].JobId, CancellationToken.None)).Status);
        gate.Open();
        await deployment.CompletedAsync(jobs[0]);

        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        Assert.Equal(new(1_000, 1_129), await deployment.CommittedAsync(other));
        await AssertLikeUntouchedAsync(deployment, 149);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task StartJob_OfSomeTables_WritesThoseWithTheSameRows()
    {
        await using var chain = await StartChainAsync(80);
        await using var deployment = await PrepareAsync(chain.Url);
        await deployment.RegisterDatasetAsync("test/logs", tables: "logs");
        await deployment.RegisterDatasetAsync("test/pair", tables: ["transactions", "blocks"]);
        await using var worker = await deployment.StartWorkerAsync();

        await deployment.CompleteJobAsync(Dataset, 79);
        await deployment.CompleteJobAsync("test/logs", 79);
        await deployment.CompleteJobAsync("test/pair", 79);

        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        var tables = await deployment.Client.GetTablesAsync(CancellationToken.None).ToListAsync();
        Assert.Equal(["logs"], tables.Where(table => table.Dataset == "test/logs").Select(table => table.Table));
        Assert.Equal(["blocks", "transactions"], tables.Where(table => table.Dataset == "test/pair").Select(table => table.Table));
        await TableRows.AssertSameAsync(deployment, Dataset, "test/logs", "logs");
        await TableRows.AssertSameAsync(deployment, Dataset, "test/pair", "blocks");
        await TableRows.AssertSameAsync(deployment, Dataset, "test/pair", "transactions");
    }

    [ToolFact("postgres", "duckdb")]
    public async Task StopJob_WhileACommitWaits_TakesThatCommitBackWhole()
    {
        await using var chain = await StartChainAsync(90);
        await using var deployment = await PrepareAsync(chain.Url);
        await using var worker = await deployment.StartWorkerAsync();
        AmpJob job;
        await using (var hold = await CommitLock.TakeAsync(deployment))
        {
            job = await deployment.StartJobAsync(Dataset, 89);
            await Eventually.TrueAsync(() => CommitLock.IsAwaitedAsync(deployment), "a commit waits");

            await deployment.Client.StopJobAsync(job.JobId, CancellationToken.None);

            Assert.Equal(AmpJobStatus.Stopped, (await deployment.WaitAsync(job)).Status);
            Assert.False(await CommitLock.IsAwaitedAsync(deployment));
        }

        Assert.Null(await deployment.CommittedAsync(Dataset));
        await deployment.CompleteJobAsync(Dataset, 89);
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        await AssertLikeUntouchedAsync(deployment, 89);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Job_WhenTheDatabaseDropsAllItsConnections_GoesOn()
    {
        await using var chain = await StartChainAsync(120);
        await using var gate = new GatedChain(chain.Url, 60);
        await using var deployment = await PrepareAsync(gate.Url);
        await using var worker = await deployment.StartWorkerAsync();
        var job = await deployment.StartJobAsync(Dataset, 119);
        await deployment.WaitForBlocksAsync(Dataset, 20);

        await using (await CommitLock.TakeAsync(deployment))
        {
            // The commit that waits is cut off too: nobody can know whether it went through.
            gate.Open();
            await Eventually.TrueAsync(() => CommitLock.IsAwaitedAsync(deployment), "a commit waits");
            await CommitLock.DropOtherConnectionsAsync(deployment);
        }

        // Our own pooled connections were cut as well.
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    return (await deployment.Client.GetJobAsync(job.JobId, CancellationToken.None)).IsTerminal;
                }
                catch (AmpException e) when (e.IsTransient)
                {
                    return false;
                }
            },
            "the end of the job");
        Assert.Equal(1, (await deployment.CompletedAsync(job)).Attempts);
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        await AssertLikeUntouchedAsync(deployment, 119);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task StartJob_WithSeveralWriters_WritesTheSameRows()
    {
        const ulong end = 6_499;
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)end + 1, Seed = 6, TransactionsPerBlock = 1 });
        await using var deployment = await PrepareAsync(chain.Url, ("writer.bytes", "100000"));
        var dataset = await deployment.RegisterDatasetAsync(Dataset);
        await using var worker = await deployment.StartWorkerAsync();

        var scheduled = await new MetadataDb.JobScheduler(deployment.Database).ScheduleAsync(new AmpJobDescriptor
        {
            Kind = "materialize-raw", DatasetNamespace = dataset.Namespace, DatasetName = dataset.Name, ManifestHash = dataset.ManifestHash,
            EndBlock = end.ToString(System.Globalization.CultureInfo.InvariantCulture), MaxWriters = 3,
        });
        await deployment.CompletedAsync(await deployment.Client.GetJobAsync(scheduled.JobId, CancellationToken.None));

        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        await AssertLikeUntouchedAsync(deployment, end);
    }

    private static Task<DevChain> StartChainAsync(int blocks) => DevChain.StartAsync(new DevChainOptions { BlockCount = blocks, Seed = 6 });

    private async Task<TestDeployment> PrepareAsync(Uri chain, params (string Key, string Value)[] settings)
    {
        var deployment = await TestDeployment.CreateAsync(postgres, settings);
        await deployment.RegisterProviderAsync(chain);
        await deployment.RegisterDatasetAsync(Dataset);
        return deployment;
    }

    /// <summary>Every Parquet file with its size and the time when it was last written.</summary>
    private static async Task<Dictionary<string, (long, DateTime)>> SnapshotAsync(TestDeployment deployment)
    {
        var files = new Dictionary<string, (long, DateTime)>(StringComparer.Ordinal);
        foreach (var table in AllTables)
        {
            foreach (var file in await deployment.FilesAsync(Dataset, table))
            {
                files.Add(file.FullName, (file.Size, File.GetLastWriteTimeUtc(file.FullName)));
            }
        }

        return files;
    }

    private static void AssertKept(Dictionary<string, (long, DateTime)> before, Dictionary<string, (long, DateTime)> after)
    {
        Assert.NotEmpty(before);
        Assert.All(before, file => Assert.Equal(file.Value, after[file.Key]));
        Assert.True(after.Count > before.Count);
    }

    private static async Task AssertLikeUntouchedAsync(TestDeployment deployment, ulong end)
    {
        await deployment.RegisterDatasetAsync(Untouched);
        await deployment.CompleteJobAsync(Untouched, end);
        foreach (var table in AllTables)
        {
            await TableRows.AssertSameAsync(deployment, Untouched, Dataset, table);
        }
    }
}
