using System.Net;
using System.Net.Sockets;
using Amp.Configuration;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.EndToEnd;

/// <summary>What cannot work is refused with an error that says why, and changes nothing.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class RefusalTests(PostgresFixture postgres)
{
    private const string Dataset = "test/refused";
    private const int InvalidInput = 2;
    private const int NotFound = 3;
    private const int Conflict = 4;
    private const int Unavailable = 5;
    private const int Denied = 6;

    [Fact]
    public async Task Ampd_WithoutConfiguration_SaysWhereItLooked()
    {
        var folder = Directory.CreateTempSubdirectory("amp-e2e-").FullName;

        var (code, output) = await AmpdProcess.RunAsync(folder, "worker", "--node-id", "worker-01");

        Assert.Equal(NotFound, code);
        Assert.Contains(Path.Combine(folder, ".amp", "config.toml"), output, StringComparison.Ordinal);
        Assert.Contains("--config", output, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
        Assert.Equal("ConfigurationNotFound", Assert.Throws<AmpException>(() => AmpDeployment.FindConfiguration("none.toml", folder)).ErrorCode);
        Directory.Delete(folder);
    }

    [ToolFact("postgres")]
    public async Task Ampd_WithAnInvalidNodeId_TouchesNoDatabase()
    {
        var url = await postgres.CreateEmptyAsync();
        var folder = Directory.CreateTempSubdirectory("amp-e2e-").FullName;
        var config = TestDeployment.WriteConfiguration(folder, new Dictionary<string, string> { ["metadata_db.url"] = url });

        foreach (var nodeId in new[] { "1-worker", "worker@01", "worker#01" })
        {
            var (code, output) = await AmpdProcess.RunAsync(folder, "worker", "--config", config, "--node-id", nodeId);

            Assert.Equal(InvalidInput, code);
            Assert.Contains($"'{nodeId}'", output, StringComparison.Ordinal);
            Assert.Equal("InvalidNodeId", Assert.Throws<AmpException>(() => WorkerHost.RequireNodeId(nodeId)).ErrorCode);
        }

        var (unnamed, _) = await AmpdProcess.RunAsync(folder, "worker", "--config", config);
        Assert.Equal(InvalidInput, unnamed);
        await using var database = await MetadataDb.MetadataDatabase.ConnectAsync(url, 1, NullLoggerFactory.Instance);
        Assert.Equal(0, await database.RunAsync(
            "counting tables",
            connection => MetadataDb.Sql.ScalarAsync<int>(
                connection, "SELECT count(*)::int FROM information_schema.tables WHERE table_schema = 'public'", [], CancellationToken.None),
            null, CancellationToken.None));
        Assert.Equal([config], Directory.EnumerateFileSystemEntries(folder));
        Directory.Delete(folder, recursive: true);
    }

    [ToolFact("postgres")]
    public async Task Ampd_WithANodeIdInUse_LeavesItsOwnerAlone()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        using var owner = AmpdProcess.StartWorker(deployment, "worker-01");
        await Eventually.TrueAsync(async () => await RegistrationAsync(deployment) is not null, "the owner's registration");
        var before = await RegistrationAsync(deployment);

        var (code, output) = await AmpdProcess.RunAsync(deployment.Folder, "worker", "--config", deployment.ConfigPath, "--node-id", "worker-01");
        var refused = await Assert.ThrowsAsync<AmpException>(() => deployment.StartWorkerAsync("worker-01"));

        Assert.Equal(Conflict, code);
        Assert.Contains("worker-01", output, StringComparison.Ordinal);
        Assert.Equal("NodeIdInUse", refused.ErrorCode);
        Assert.False(owner.HasExited);
        Assert.Equal(before, await RegistrationAsync(deployment));
        owner.Terminate();
        Assert.Equal(0, await owner.WaitForExitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Ampd_WhenTheDatabaseDoesNotAnswer_EndsSoonAndShowsNoPassword()
    {
        var folder = Directory.CreateTempSubdirectory("amp-e2e-").FullName;
        var config = TestDeployment.WriteConfiguration(
            folder, new Dictionary<string, string> { ["metadata_db.url"] = $"postgresql://amp:tiptop-secret@127.0.0.1:{ClosedPort()}/amp" });

        var (code, output) = await AmpdProcess.RunAsync(folder, "worker", "--config", config, "--node-id", "worker-01");
        var refused = await Assert.ThrowsAsync<AmpException>(
            () => AmpDeployment.OpenAsync(AmpConfiguration.Load(config), NullLoggerFactory.Instance, CancellationToken.None));

        Assert.Equal(Unavailable, code);
        Assert.Contains("127.0.0.1", output, StringComparison.Ordinal);
        Assert.DoesNotContain("tiptop", output, StringComparison.Ordinal);
        Assert.Equal("DatabaseUnavailable", refused.ErrorCode);
        Assert.True(refused.IsTransient);
        Assert.Equal([config], Directory.EnumerateFileSystemEntries(folder));
        Directory.Delete(folder, recursive: true);
    }

    [ToolFact("postgres")]
    public async Task Job_WhenNothingListensAtTheProvidersUrl_FailsForNow()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await deployment.RegisterProviderAsync(new Uri($"http://127.0.0.1:{ClosedPort()}/"));
        await deployment.RegisterDatasetAsync(Dataset);
        await using var worker = await deployment.StartWorkerAsync();

        var test = await deployment.Client.TestProviderAsync(TestDeployment.Network, CancellationToken.None);
        var job = await deployment.WaitAsync(await deployment.StartJobAsync(Dataset, 10));

        Assert.False(test.Success);
        Assert.Contains("127.0.0.1", test.ErrorMessage, StringComparison.Ordinal);
        Assert.Equal(AmpJobStatus.Error, job.Status);
        Assert.NotNull(job.ErrorCode);
        Assert.Contains("127.0.0.1", job.ErrorMessage, StringComparison.Ordinal);
        await AssertNothingWrittenAsync(deployment);
    }

    [ToolFact("postgres")]
    public async Task StartJob_OfWhatCannotBe_StoresNoJob()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 20 });
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await deployment.RegisterDatasetAsync(Dataset, startBlock: 100);
        await deployment.RegisterDatasetAsync("test/elsewhere", "othernet");

        Assert.Equal("DatasetNotFound", await RefusalAsync("test/unknown", "10"));
        Assert.Equal("EndBlockBeforeStart", await RefusalAsync(Dataset, "99"));
        Assert.Equal("InvalidEndBlock", await RefusalAsync(Dataset, "soon"));
        Assert.Equal("ProviderNotFound", await RefusalAsync(Dataset, "200"));
        await deployment.RegisterProviderAsync(chain.Url);
        Assert.Equal("ProviderNotFound", await RefusalAsync("test/elsewhere", "10"));
        Assert.Equal("NoActiveWorker", await RefusalAsync(Dataset, "200"));
        await using (await deployment.StartWorkerAsync())
        {
            Assert.Equal("WorkerNotFound", await RefusalAsync(Dataset, "200", "worker-77"));
        }

        Assert.Empty(await deployment.Client.GetJobsAsync(new JobQuery(), CancellationToken.None).ToListAsync());
        await AssertNothingWrittenAsync(deployment);

        async Task<string> RefusalAsync(string dataset, string end, string? worker = null) =>
            (await Assert.ThrowsAsync<AmpException>(() => deployment.StartJobAsync(dataset, end, worker))).ErrorCode;
    }

    [ToolFact("postgres")]
    public async Task Job_OnAnotherNetworksNode_FailsForGood()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 20, ChainId = 10 });
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await deployment.RegisterProviderAsync(chain.Url, "mainnet");
        await deployment.RegisterDatasetAsync(Dataset, "mainnet");
        await using var worker = await deployment.StartWorkerAsync();

        var job = await deployment.WaitAsync(await deployment.StartJobAsync(Dataset, 10));

        Assert.Equal((AmpJobStatus.Fatal, "PROVIDER_WRONG_NETWORK"), (job.Status, job.ErrorCode));
        Assert.Contains("chain id 10", job.ErrorMessage, StringComparison.Ordinal);
        Assert.False((await deployment.Client.TestProviderAsync("mainnet", CancellationToken.None)).Success);
        await AssertNothingWrittenAsync(deployment);
    }

    [ToolFact("postgres")]
    public async Task Job_WhoseEndMeansABlockBeforeItsStart_FailsForGood()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 20 });
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await deployment.RegisterProviderAsync(chain.Url);
        await deployment.RegisterDatasetAsync(Dataset, startBlock: 15);
        await using var worker = await deployment.StartWorkerAsync();

        var job = await deployment.WaitAsync(await deployment.StartJobAsync(Dataset, "-5"));

        Assert.Equal((AmpJobStatus.Fatal, "END_BLOCK_BEFORE_START"), (job.Status, job.ErrorCode));
        await AssertNothingWrittenAsync(deployment);
    }

    [ToolFact("postgres")]
    public async Task Ampd_WhenAFileStandsWhereItsDataFolderShould_DoesNotRegister()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await File.WriteAllTextAsync(deployment.DataDir, "in the way");

        await AssertNotWritableAsync(deployment);

        Assert.Equal("in the way", await File.ReadAllTextAsync(deployment.DataDir));
    }

    [VolumeFact("postgres")]
    public async Task Ampd_OnAReadOnlyVolume_DoesNotRegister()
    {
        using var volume = TmpfsVolume.Mount(64);
        volume.SetReadOnly(true);
        await using var deployment = await TestDeployment.CreateAsync(postgres, ("data_dir", Path.Combine(volume.Folder, "data")));

        await AssertNotWritableAsync(deployment);

        Assert.Empty(Directory.EnumerateFileSystemEntries(volume.Folder));
    }

    [VolumeFact("postgres", "duckdb")]
    public async Task Job_WhenItsVolumeBecomesReadOnly_FailsWithoutAPartlyCommittedSegment()
    {
        using var volume = TmpfsVolume.Mount(64 << 10);
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 200 });
        await using var gate = new GatedChain(chain.Url, 100);
        await using var deployment = await PrepareAsync(gate.Url, ("data_dir", volume.Folder));
        await using var worker = await deployment.StartWorkerAsync();
        await deployment.CompleteJobAsync(Dataset, 20);
        volume.SetReadOnly(true);

        var job = await deployment.WaitAsync(await deployment.StartJobAsync(Dataset, 199));

        Assert.Equal((AmpJobStatus.Fatal, "STORAGE_NOT_WRITABLE"), (job.Status, job.ErrorCode));
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        volume.SetReadOnly(false);
        gate.Open();
        await deployment.CompleteJobAsync(Dataset, 199);
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
    }

    // Small segments fill the volume with committed files first; the large one does not fit at all.
    [VolumeFact("postgres", "duckdb")]
    public Task Job_OnAVolumeThatFillsUp_FailsAndFinishesOnceThereIsSpace() => FillAsync("10000");

    [VolumeFact("postgres", "duckdb")]
    public Task Job_WithASegmentThatDoesNotFit_FailsAndFinishesOnceThereIsSpace() => FillAsync("1000000000");

    private async Task FillAsync(string segmentBytes)
    {
        using var volume = TmpfsVolume.Mount(1 << 10);
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 400, Seed = 9 });
        await using var deployment = await PrepareAsync(
            chain.Url, ("data_dir", volume.Folder), ("writer.bytes", segmentBytes), ("writer.segment_flush_interval_secs", "600"));
        await using var worker = await deployment.StartWorkerAsync();

        var job = await deployment.WaitAsync(await deployment.StartJobAsync(Dataset, 399));

        Assert.Equal((AmpJobStatus.Error, "STORAGE_FULL"), (job.Status, job.ErrorCode));
        Assert.Contains(volume.Folder, job.ErrorMessage, StringComparison.Ordinal);
        await TableChecks.AssertConsistentAsync(deployment.Deployment);

        volume.Resize(64 << 10);
        var again = await deployment.CompleteJobAsync(Dataset, 399);

        Assert.Equal(job.JobId, again.JobId);
        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        await deployment.RegisterDatasetAsync("test/untouched");
        await deployment.CompleteJobAsync("test/untouched", 399);
        foreach (var table in new[] { "blocks", "transactions", "logs" })
        {
            await TableRows.AssertSameAsync(deployment, "test/untouched", Dataset, table);
        }
    }

    private async Task<TestDeployment> PrepareAsync(Uri chain, params (string Key, string Value)[] settings)
    {
        var deployment = await TestDeployment.CreateAsync(postgres, settings);
        await deployment.RegisterProviderAsync(chain);
        await deployment.RegisterDatasetAsync(Dataset);
        return deployment;
    }

    private static async Task AssertNotWritableAsync(TestDeployment deployment)
    {
        var (code, output) = await AmpdProcess.RunAsync(deployment.Folder, "worker", "--config", deployment.ConfigPath, "--node-id", "worker-01");
        var refused = await Assert.ThrowsAsync<AmpException>(() => deployment.StartWorkerAsync("worker-01"));

        Assert.Equal(Denied, code);
        Assert.Contains(deployment.DataDir, output, StringComparison.Ordinal);
        Assert.Equal("StorageNotWritable", refused.ErrorCode);
        Assert.Null(await RegistrationAsync(deployment));
    }

    private static async Task AssertNothingWrittenAsync(TestDeployment deployment)
    {
        Assert.Empty(await deployment.Client.GetTablesAsync(CancellationToken.None).ToListAsync());
        Assert.True(!Directory.Exists(deployment.DataDir) || !Directory.EnumerateFileSystemEntries(deployment.DataDir).Any());
    }

    private static async Task<DateTimeOffset?> RegistrationAsync(TestDeployment deployment) =>
        (await deployment.Database.Workers.GetAsync("worker-01", CancellationToken.None))?.RegisteredAt;

    private static int ClosedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
