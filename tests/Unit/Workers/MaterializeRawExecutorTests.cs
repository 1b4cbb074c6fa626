using Amp.Datasets;
using Amp.Extraction.DevChains;
using Amp.MetadataDb;
using Amp.Support;
using Microsoft.Extensions.Logging;

namespace Amp.Workers;

/// <summary>What the executor of extraction jobs does that no whole run shows.</summary>
[Collection(PostgresFixture.Collection)]
public sealed class MaterializeRawExecutorTests(PostgresFixture postgres)
{
    private const string Dataset = "test/raw";

    [ToolFact("postgres")]
    public async Task Execute_WhenTheManifestFileIsGone_FailsAndNamesIt()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await deployment.RegisterProviderAsync(new Uri("http://127.0.0.1:1/"));
        var dataset = await deployment.RegisterDatasetAsync(Dataset);
        await using var worker = await deployment.StartWorkerAsync();
        Directory.Delete(deployment.Deployment.Configuration.ManifestsDir, recursive: true);

        var scheduled = await new JobScheduler(deployment.Database).ScheduleAsync(new AmpJobDescriptor
        {
            Kind = "materialize-raw", DatasetNamespace = "test", DatasetName = "raw", ManifestHash = dataset.ManifestHash, EndBlock = "10",
        });
        var job = await deployment.WaitAsync(await deployment.Client.GetJobAsync(scheduled.JobId, CancellationToken.None));

        Assert.Equal(AmpJobStatus.Fatal, job.Status);
        Assert.Contains(dataset.ManifestHash, job.ErrorMessage, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Execute_OfAKindThatItDoesNotKnow_FailsForGood()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        var dataset = await deployment.RegisterDatasetAsync(Dataset);
        await using var worker = await deployment.StartWorkerAsync();

        var scheduled = await new JobScheduler(deployment.Database).ScheduleAsync(new AmpJobDescriptor
        {
            Kind = "materialize-dreams", DatasetNamespace = "test", DatasetName = "raw", ManifestHash = dataset.ManifestHash, EndBlock = "10",
        });
        var job = await deployment.WaitAsync(await deployment.Client.GetJobAsync(scheduled.JobId, CancellationToken.None));

        Assert.Equal((AmpJobStatus.Fatal, "JOB_KIND_UNKNOWN"), (job.Status, job.ErrorCode));
        Assert.Contains("materialize-dreams", job.ErrorMessage, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Wait_ForAWorkerWhoseNameWasTaken_SaysThatItEnded()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await using var worker = await deployment.StartWorkerAsync();

        // As if this process had been frozen until its lock was gone and a new run had registered.
        await deployment.Database.Workers.RegisterAsync("worker-01", TestData.Build, CancellationToken.None);

        var e = await Assert.ThrowsAsync<AmpException>(() => worker.WaitAsync(CancellationToken.None));
        Assert.Equal("WorkerEnded", e.ErrorCode);
        Assert.Equal("NodeIdInUse", (e.InnerException as AmpException)?.ErrorCode);
    }

    [ToolFact("postgres")]
    public async Task Execute_WhenFilesAreGoneOrDamaged_ReportsEachByName()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 40 });
        await using var deployment = await TestDeployment.CreateAsync(postgres, ("writer.bytes", "1"));
        await deployment.RegisterProviderAsync(chain.Url);
        await deployment.RegisterDatasetAsync(Dataset);
        var log = new RecordingLogger();
        using var loggers = new OneLogger(log);
        await using var worker = await deployment.StartWorkerAsync(loggers: loggers);
        await deployment.CompleteJobAsync(Dataset, 39);
        var files = await deployment.FilesAsync(Dataset, "logs");
        File.Delete(files[0].FullName);
        await File.AppendAllTextAsync(files[1].FullName, "more");

        await deployment.CompleteJobAsync(Dataset, 39);

        Assert.Equal([files[0].Name], Reported("FileIsMissing"));
        Assert.Equal([files[1].Name], Reported("FileHasWrongSize"));

        IEnumerable<string> Reported(string line) => log.Entries.Where(entry => entry.Event == line)
            .SelectMany(entry => files.Where(file => entry.Message.Contains(file.Name, StringComparison.Ordinal)).Select(file => file.Name));
    }

    [ToolFact("postgres")]
    public async Task Execute_WithANegativeEndBlock_EndsThatFarBehindTheHead()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 40 });
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await deployment.RegisterProviderAsync(chain.Url);
        await deployment.RegisterDatasetAsync(Dataset, startBlock: 7);
        await using var worker = await deployment.StartWorkerAsync();

        await deployment.CompletedAsync(await deployment.StartJobAsync(Dataset, "-9"));

        Assert.Equal(new(7, 30), await deployment.CommittedAsync(Dataset));
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
    }

    private sealed class OneLogger(ILogger logger) : ILoggerFactory
    {
        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public ILogger CreateLogger(string categoryName) => logger;

        public void Dispose()
        {
        }
    }
}
