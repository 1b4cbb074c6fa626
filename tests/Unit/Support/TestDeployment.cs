using System.Globalization;
using Amp.Configuration;
using Amp.Datasets;
using Amp.Extraction;
using Amp.Hosting;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Support;

/// <summary>A deployment of one test's own: a folder with a configuration, and a database. Disposing it removes the folder.</summary>
internal sealed class TestDeployment : IAsyncDisposable
{
    public const string Network = "devnet";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private TestDeployment(string folder, string configPath, AmpDeployment deployment)
    {
        Folder = folder;
        ConfigPath = configPath;
        Deployment = deployment;
    }

    public string Folder { get; }

    public string ConfigPath { get; }

    public AmpDeployment Deployment { get; }

    public IAmpClient Client => Deployment.Client;

    public MetadataDatabase Database => Deployment.Database;

    public string DataDir => Deployment.Configuration.DataDir;

    /// <summary>Makes a deployment with segments of a few blocks, so that there are many; settings given go before that.</summary>
    public static async Task<TestDeployment> CreateAsync(PostgresFixture postgres, params (string Key, string Value)[] settings) =>
        await CreateAsync(await postgres.CreateEmptyAsync(), settings);

    /// <summary>Makes one on an empty database.</summary>
    public static async Task<TestDeployment> CreateAsync(string databaseUrl, params (string Key, string Value)[] settings)
    {
        var folder = Path.Combine(Path.GetTempPath(), $"amp-e2e-{Guid.NewGuid():N}");
        var values = new Dictionary<string, string>
        {
            ["metadata_db.url"] = databaseUrl,
            ["writer.bytes"] = "10000",
            ["writer.segment_flush_interval_secs"] = "0.5",
        };
        foreach (var (key, value) in settings)
        {
            values[key] = value;
        }

        var config = WriteConfiguration(folder, values);
        return new TestDeployment(
            folder, config, await AmpDeployment.OpenAsync(AmpConfiguration.Load(config), NullLoggerFactory.Instance, CancellationToken.None));
    }

    /// <summary>Writes a configuration file into a folder, which is made.</summary>
    public static string WriteConfiguration(string folder, IReadOnlyDictionary<string, string> values)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, "config.toml");
        using var file = File.CreateText(path);
        AmpConfiguration.WriteTemplate(file, values);
        return path;
    }

    public Task<WorkerHost> StartWorkerAsync(string nodeId = "worker-01", ILoggerFactory? loggers = null) =>
        WorkerHost.StartAsync(Deployment, nodeId, loggers ?? NullLoggerFactory.Instance, CancellationToken.None);

    /// <summary>Registers a provider for a network, or gives the one there is another URL.</summary>
    public Task RegisterProviderAsync(Uri url, string network = Network, int batchSize = 0) => Client.RegisterProviderAsync(
        new ProviderConfig
        {
            Name = network, Kind = "evm-rpc", Network = network, Url = Secret.ForUrl(url.ToString()), RpcBatchSize = batchSize,
        },
        overwrite: true, CancellationToken.None);

    public Task<AmpDataset> RegisterDatasetAsync(string dataset, string network = Network, ulong startBlock = 0, params string[] tables) =>
        Client.RegisterDatasetAsync(
            DatasetReference.Parse(dataset),
            EvmRpcManifest.Generate(network, startBlock, tables: tables.Length == 0 ? null : tables).ToJson(),
            CancellationToken.None);

    public Task<AmpJob> StartJobAsync(string dataset, ulong endBlock, string? worker = null) => StartJobAsync(
        dataset, endBlock.ToString(CultureInfo.InvariantCulture), worker);

    public Task<AmpJob> StartJobAsync(string dataset, string endBlock, string? worker = null) => Client.StartJobAsync(
        new StartJobRequest(DatasetReference.Parse(dataset), endBlock) { Worker = worker }, CancellationToken.None);

    /// <summary>Waits until a job has ended.</summary>
    public async Task<AmpJob> WaitAsync(AmpJob job)
    {
        using var limit = new CancellationTokenSource(Patience);
        return await JobWatch.WaitAsync(Client, job.JobId, TimeProvider.System, limit.Token);
    }

    /// <summary>Runs a job that has to complete.</summary>
    public async Task<AmpJob> CompleteJobAsync(string dataset, ulong endBlock, string? worker = null) =>
        await CompletedAsync(await StartJobAsync(dataset, endBlock, worker));

    /// <summary>Waits until a job has ended, which must be by completing.</summary>
    public async Task<AmpJob> CompletedAsync(AmpJob job)
    {
        var ended = await WaitAsync(job);
        Assert.True(ended.Status == AmpJobStatus.Completed, $"the job ended as {ended.Status}: {ended.ErrorCode} {ended.ErrorMessage}");
        return ended;
    }

    /// <summary>A table that a job has begun.</summary>
    public async Task<AmpTable> TableAsync(string dataset, string table) =>
        await Client.GetTablesAsync(CancellationToken.None).SingleAsync(t => t.Dataset == dataset && t.Table == table);

    /// <summary>Files of a table, by block.</summary>
    public async Task<List<AmpFile>> FilesAsync(string dataset, string table) =>
        await Deployment.Tables.GetFilesAsync(await TableAsync(dataset, table), CancellationToken.None).ToListAsync();

    /// <summary>The blocks of a dataset's table that are committed; null before the first.</summary>
    internal async Task<BlockRange?> CommittedAsync(string dataset, string table = "blocks") =>
        await Client.GetTablesAsync(CancellationToken.None).FirstOrDefaultAsync(t => t.Dataset == dataset && t.Table == table)
            is { StartBlock: { } start, CurrentBlock: { } end } ? new BlockRange(start, end) : null;

    /// <summary>Waits until so many blocks of a dataset are committed.</summary>
    public Task WaitForBlocksAsync(string dataset, ulong count) => Eventually.TrueAsync(
        async () => await CommittedAsync(dataset) is { } range && range.End - range.Start + 1 >= count,
        $"committing {count} blocks of {dataset}", Patience);

    public async ValueTask DisposeAsync()
    {
        await Deployment.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
