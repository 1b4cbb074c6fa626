using System.Globalization;
using Amp.Datasets;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.EndToEnd;

/// <summary>One job that several workers share. Blocks are kept back until the test has seen who works on what.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class SharedJobTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Dataset = "shared/devnet";
    private const ulong End = 8_499;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly CancellationToken None = CancellationToken.None;

    private DevChain _chain = null!;
    private GatedChain _gate = null!;
    private TestDeployment _deployment = null!;
    private List<WorkerHost> _workers = null!;

    public async Task InitializeAsync()
    {
        _chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)End + 1, Seed = 6, TransactionsPerBlock = 1 });
        _gate = KeepBackAllBlocks(_chain);
        _deployment = await TestDeployment.CreateAsync(postgres, ("writer.bytes", "100000"), ("controller.failover_after", "5"), ("admin_api_addr", $"127.0.0.1:{TestTools.FreePort()}"));
        await _deployment.RegisterProviderAsync(_gate.Url);
        await _deployment.RegisterDatasetAsync(Dataset);
        _workers = [await _deployment.StartWorkerAsync("worker-1"), await _deployment.StartWorkerAsync("worker-2"), await _deployment.StartWorkerAsync("worker-3")];
    }

    public async Task DisposeAsync()
    {
        _gate.Open();
        foreach (var worker in _workers)
        {
            await worker.DisposeAsync();
        }

        await _deployment.DisposeAsync();
        await _gate.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Job_ForThreeWorkers_GivesEachAPart_AndHasTheChainsRows()
    {
        var job = await StartAsync(workers: 3);
        var parts = await PartsAsync(job, 3);

        Assert.Equal(["worker-1", "worker-2", "worker-3"], parts.Select(part => part.NodeId).Order(StringComparer.Ordinal));
        Assert.All(parts, part => Assert.Equal((Dataset, "materialize-raw-part"), (part.Dataset, part.Descriptor!.Kind)));
        _gate.Open();

        await CompletesAsync(job);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Job_WithAPattern_GivesPartsToWorkersThatFitIt()
    {
        var job = await StartAsync(workers: 3, "worker-[12]");

        var parts = await PartsAsync(job, 2);

        Assert.Equal(["worker-1", "worker-2"], parts.Select(part => part.NodeId).Order(StringComparer.Ordinal));
        _gate.Open();
        await CompletesAsync(job);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Progress_OfASharedJob_IsThatOfTheWhole()
    {
        // The first part is kept back, the others are not.
        var job = await StartAsync(workers: 3);
        var parts = await PartsAsync(job, 3);
        _gate.KeepBack(new(0, 1_000));
        await Eventually.TrueAsync(async () => (await BlocksAsync(job)).BlocksCount > End / 2, "the other parts", Patience);

        var table = await BlocksAsync(job);
        Assert.True(table.PercentComplete is > 45 and < 100, $"{table.PercentComplete} % at {table.BlocksCount} blocks");
        Assert.Equal(job.JobId, table.JobId);
        _gate.Open();
        await CompletesAsync(job);
        Assert.Equal((End + 1, 100.0), ((await BlocksAsync(job)).BlocksCount, (await BlocksAsync(job)).PercentComplete!.Value));
        Assert.NotEmpty(parts);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Stop_OfASharedJob_StopsItsParts_AndRestartGoesOn()
    {
        var job = await StartAsync(workers: 3);
        var parts = await PartsAsync(job, 3);

        await _deployment.Client.StopJobAsync(job.JobId, None);

        Assert.Equal(AmpJobStatus.Stopped, (await _deployment.WaitAsync(job)).Status);
        foreach (var part in parts)
        {
            Assert.Equal(AmpJobStatus.Stopped, (await _deployment.WaitAsync(part)).Status);
        }

        _gate.Open();
        await _deployment.Client.RestartJobAsync(job.JobId, null, None);
        await CompletesAsync(job);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task WorkerOfTheWholeJob_ThatEnds_LeavesItsParts_AndTakesThemOverAgain()
    {
        var job = await StartAsync(workers: 2, "worker-[12]");
        var parts = await PartsAsync(job, 2);
        var leader = _workers.Single(worker => worker.NodeId == job.NodeId);

        await leader.DisposeAsync();
        var other = parts.Single(part => part.NodeId != job.NodeId);
        Assert.Equal(AmpJobStatus.Running, (await _deployment.Client.GetJobAsync(other.JobId, None)).Status);
        _workers[_workers.IndexOf(leader)] = await _deployment.StartWorkerAsync(job.NodeId);
        _gate.Open();

        await CompletesAsync(job);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task WorkerOfAPart_ThatIsKilled_LosesThePartToAnother()
    {
        await using var controller = await ControllerHost.StartAsync(_deployment.Deployment, NullLoggerFactory.Instance, None);
        using var doomed = AmpdProcess.StartWorker(_deployment, "doomed-1");
        await Eventually.TrueAsync(async () => await _deployment.Database.Workers.GetAsync("doomed-1") is { IsActive: true }, "registering", Patience);
        var job = await StartAsync(workers: 4, "*");
        var lost = (await PartsAsync(job, 4)).Single(part => part.NodeId == "doomed-1");
        if (job.NodeId != "doomed-1")
        {
            await Eventually.TrueAsync(async () => (await _deployment.Client.GetJobAsync(lost.JobId, None)).Status is AmpJobStatus.Running, "running the part", Patience);
        }

        await doomed.KillAsync();
        await Eventually.TrueAsync(
            async () => await _deployment.Client.GetJobAsync(lost.JobId, None) is { NodeId: not "doomed-1" }, "moving the part", Patience);
        _gate.Open();

        await CompletesAsync(job);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Part_ThatFailsForGood_IsDoneByTheWholeJob()
    {
        var job = await StartAsync(workers: 3);
        var part = (await PartsAsync(job, 3))[0];

        await _deployment.Database.Jobs.FailAsync(part.JobId, part.NodeId, fatal: true, """{"error_code":"BROKEN","error_message":"broken"}""", None);
        _gate.Open();

        await CompletesAsync(job);
    }

    [ToolFact("postgres")]
    public async Task Job_WithoutEnd_IsNotShared()
    {
        var error = await Assert.ThrowsAsync<AmpException>(
            () => _deployment.Client.StartJobAsync(new StartJobRequest(DatasetReference.Parse(Dataset), null) { Workers = 2 }, None));

        Assert.Equal(("WorkersNeedEndBlock", AmpErrorKind.InvalidInput), (error.ErrorCode, error.Kind));
        Assert.Empty(await _deployment.Client.GetJobsAsync(new JobQuery(), None).ToListAsync());
    }

    private static GatedChain KeepBackAllBlocks(DevChain chain) => new(chain.Url, 0);

    private async Task<AmpJob> StartAsync(int workers, string? worker = null) => await _deployment.Client.StartJobAsync(
        new StartJobRequest(DatasetReference.Parse(Dataset), End.ToString(CultureInfo.InvariantCulture)) { Workers = workers, Worker = worker, Verify = true }, None);

    /// <summary>Waits until so many parts are running and gives them.</summary>
    private async Task<List<AmpJob>> PartsAsync(AmpJob job, int count)
    {
        List<AmpJob> parts = [];
        await Eventually.TrueAsync(
            async () =>
            {
                parts = await _deployment.Client.GetJobsAsync(new JobQuery { Status = [AmpJobStatus.Running] }, None).Where(part => part.PartOf == job.JobId).ToListAsync();
                return parts.Count == count;
            },
            $"{count} parts", Patience);
        return parts;
    }

    private async Task<AmpTableProgress> BlocksAsync(AmpJob job) =>
        (await _deployment.Client.GetJobProgressAsync(job.JobId, None)).Tables.SingleOrDefault(table => table.Table == "blocks")
        ?? new AmpTableProgress { JobId = job.JobId, Status = job.Status, Table = "blocks", FilesCount = 0, TotalSizeBytes = 0 };

    /// <summary>The job completes, no part is left, no block is there twice, and the rows are the chain's.</summary>
    private async Task CompletesAsync(AmpJob job)
    {
        await _deployment.CompletedAsync(job);
        Assert.Equal([job.JobId], await _deployment.Client.GetJobsAsync(new JobQuery(), None).Select(left => left.JobId).ToListAsync());
        await TableChecks.AssertConsistentAsync(_deployment.Deployment);
        await (await NodeRows.AskAsync(_chain.Url, _chain.Head)).AssertAreOfAsync(_deployment, Dataset);
        foreach (var table in new[] { "blocks", "transactions", "logs" })
        {
            var test = await _deployment.Deployment.Tables.TestAsync(await _deployment.TableAsync(Dataset, table), None);
            Assert.True(test.Success && test.OrphanedFilesCount == 0, string.Join("; ", test.Problems));
            Assert.Equal(job.JobId, (await _deployment.TableAsync(Dataset, table)).JobId);
        }
    }
}
