using System.Globalization;
using Amp.Datasets;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Amp.MetadataDb;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.EndToEnd;

/// <summary>Workers and controllers in processes of their own that are frozen, killed and cut off from their database.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class FleetTests(PostgresFixture postgres) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly string[] Nodes = ["worker-1", "worker-2", "worker-3"];

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"amp-fleet-{Guid.NewGuid():N}");

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [ToolFact("postgres", "duckdb")]
    public async Task FrozenWorker_LosesItsJob_CommitsNothingMore_AndStaysOfUse()
    {
        const string dataset = "fleet/frozen";
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 200, TransactionsPerBlock = 4 });
        await using var gate = new GatedChain(chain.Url, 100);
        await using var deployment = await PrepareAsync(await postgres.CreateEmptyAsync(), gate.Url, dataset, "fleet/later");
        await using var controller = await ControllerHost.StartAsync(deployment.Deployment, NullLoggerFactory.Instance, CancellationToken.None);
        using var frozen = AmpdProcess.StartWorker(deployment, "worker-1");
        await RegisteredAsync(deployment, "worker-1");
        var job = await deployment.StartJobAsync(dataset, 199, "worker-1");
        await deployment.WaitForBlocksAsync(dataset, 50);
        using var other = AmpdProcess.StartWorker(deployment, "worker-2");
        await RegisteredAsync(deployment, "worker-2");

        frozen.Freeze();
        await Eventually.TrueAsync(
            async () => await deployment.Client.GetJobAsync(job.JobId, CancellationToken.None) is { NodeId: "worker-2", Status: AmpJobStatus.Running }, "moving the job", Patience);
        frozen.Thaw();
        gate.Open();
        await deployment.CompletedAsync(job);

        Assert.False(frozen.HasExited, frozen.Output);
        Assert.Contains("Gave up job", frozen.Output, StringComparison.Ordinal);
        await AssertWholeAsync(deployment, chain, dataset);
        await deployment.CompleteJobAsync("fleet/later", 199, "worker-1");
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Fleet_InChaos_CompletesEveryJobWithTheChainsRows()
    {
        var seconds = int.Parse(Environment.GetEnvironmentVariable("AMP_CHAOS_SECONDS") ?? "30", CultureInfo.InvariantCulture);
        var seed = int.Parse(Environment.GetEnvironmentVariable("AMP_CHAOS_SEED") ?? "1", CultureInfo.InvariantCulture);
        string[] datasets = [.. Enumerable.Range(0, 6).Select(i => $"fleet/chaos{i}")];
        await using var server = await ManagedPostgres.StartAsync(
            _folder, NullLoggerFactory.Instance, new Dictionary<string, string> { ["fsync"] = "off" }, CancellationToken.None);
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 4_400, TransactionsPerBlock = 1 });

        // However slow the machine, no job can end before the chaos does.
        await using var gate = new GatedChain(chain.Url, 4_380);
        await using var deployment = await PrepareAsync(server.ConnectionUrl, gate.Url, datasets);
        await using var chaos = new Chaos(deployment, seed);
        foreach (var node in Nodes)
        {
            await RegisteredAsync(deployment, node);
        }

        var jobs = new List<AmpJob>();
        foreach (var dataset in datasets)
        {
            // Half of them are shared among workers, in two parts.
            jobs.Add(await deployment.Client.StartJobAsync(
                new StartJobRequest(DatasetReference.Parse(dataset), "4399") { Workers = 1 + (jobs.Count % 2) }, CancellationToken.None));
        }

        await chaos.RunAsync(TimeSpan.FromSeconds(seconds));
        gate.Open();

        foreach (var (job, dataset) in jobs.Zip(datasets))
        {
            await Eventually.TrueAsync(
                async () =>
                {
                    chaos.Supervise();
                    return await ReadAsync(deployment, job) is { Status: AmpJobStatus.Completed or AmpJobStatus.Fatal };
                },
                $"the end of {dataset} after {chaos}", Patience);
            var ended = await deployment.Client.GetJobAsync(job.JobId, CancellationToken.None);
            Assert.True(ended.Status is AmpJobStatus.Completed, $"{dataset} ended as {ended.Status}: {ended.ErrorMessage}, after {chaos}");
        }

        foreach (var dataset in datasets)
        {
            await AssertWholeAsync(deployment, chain, dataset);
        }
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Worker_OnADatabaseThatAmpdMade_TakesAJob_AndMigratesNothing()
    {
        const string dataset = "fleet/ampd";
        await using var database = await postgres.CreateAsync();
        await database.ExecuteAsync("DROP TABLE amp_migrations");
        await database.ExecuteAsync("CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY)");
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 60, TransactionsPerBlock = 3 });
        await using var deployment = await PrepareAsync(database.Url, chain.Url, dataset);
        using var worker = AmpdProcess.StartWorker(deployment, "worker-1");
        await RegisteredAsync(deployment, "worker-1");

        await deployment.CompleteJobAsync(dataset, 59);

        await AssertWholeAsync(deployment, chain, dataset);
        Assert.Equal(
            "_sqlx_migrations dataset_manifests file_metadata footer_cache gc_manifest job_events jobs jobs_status manifest_files physical_table_revisions physical_tables tags workers",
            await database.ScalarAsync<string>("SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM information_schema.tables WHERE table_schema = 'public'"));
    }

    private static async Task<AmpJob?> ReadAsync(TestDeployment deployment, AmpJob job)
    {
        try
        {
            return await deployment.Client.GetJobAsync(job.JobId, CancellationToken.None);
        }
        catch (AmpException e) when (e.IsTransient)
        {
            return null;
        }
    }

    /// <summary>The rows are the chain's; once a job has looked, nothing is left over on disk.</summary>
    private static async Task AssertWholeAsync(TestDeployment deployment, DevChain chain, string dataset)
    {
        await deployment.CompleteJobAsync(dataset, chain.Head);
        await (await NodeRows.AskAsync(chain.Url, chain.Head)).AssertAreOfAsync(deployment, dataset);
        foreach (var table in new[] { "blocks", "transactions", "logs" })
        {
            var test = await deployment.Deployment.Tables.TestAsync(await deployment.TableAsync(dataset, table), CancellationToken.None);
            Assert.True(test.Success, string.Join("; ", test.Problems));
            Assert.Equal(0, test.OrphanedFilesCount);
        }
    }

    private static async Task<TestDeployment> PrepareAsync(string databaseUrl, Uri chain, params string[] datasets)
    {
        var deployment = await TestDeployment.CreateAsync(databaseUrl, ("controller.failover_after", "5"), ("controller.max_retry_delay", "2"),
            ("admin_api_addr", $"127.0.0.1:{TestTools.FreePort()}"));
        await deployment.RegisterProviderAsync(chain);
        foreach (var dataset in datasets)
        {
            await deployment.RegisterDatasetAsync(dataset);
        }

        return deployment;
    }

    private static Task RegisteredAsync(TestDeployment deployment, string nodeId) => Eventually.TrueAsync(
        async () => await deployment.Database.Workers.GetAsync(nodeId) is { IsActive: true }, $"registering {nodeId}", Patience);

    /// <summary>Three workers and two controllers to which seeded things happen. Disposing it kills them.</summary>
    private sealed class Chaos : IAsyncDisposable
    {
        private readonly TestDeployment _deployment;
        private readonly Random _random;
        private readonly int _seed;
        private readonly Func<AmpdProcess>[] _starts;
        private readonly AmpdProcess[] _processes;
        private readonly List<string> _happened = [];
        private readonly int[] _ports = [TestTools.FreePort(), TestTools.FreePort()];

        public Chaos(TestDeployment deployment, int seed)
        {
            _deployment = deployment;
            _seed = seed;
            _random = new Random(seed);
            _starts =
            [
                .. Nodes.Select(node => (Func<AmpdProcess>)(() => AmpdProcess.StartWorker(deployment, node))),
                () => AmpdProcess.StartController(deployment, _ports[0]),
                () => AmpdProcess.StartController(deployment, _ports[1]),
            ];
            _processes = [.. _starts.Select(start => start())];
        }

        /// <summary>Lets things happen for a while; in the end everybody runs.</summary>
        public async Task RunAsync(TimeSpan duration)
        {
            using var time = new CancellationTokenSource(duration);
            while (!time.IsCancellationRequested)
            {
                await Task.Delay(_random.Next(100, 1_500));
                await HappenAsync();
            }
        }

        /// <summary>
        /// Starts again what ended, as a service manager does: who finds no database at the start is refused. Who had started does not
        /// end by itself, whatever happens.
        /// </summary>
        public void Supervise()
        {
            for (var i = 0; i < _processes.Length; i++)
            {
                if (_processes[i].HasExited)
                {
                    var output = _processes[i].Output;
                    Assert.False(
                        output.Contains("Started worker", StringComparison.Ordinal) || output.Contains("Controller leads", StringComparison.Ordinal)
                        || output.Contains("Controller waits", StringComparison.Ordinal),
                        $"{i} ended by itself after {this}: {output}");
                    _happened.Add($"started {i} again");
                    _processes[i].Dispose();
                    _processes[i] = _starts[i]();
                }
            }
        }

        public override string ToString() => $"seed {_seed}: {string.Join(", ", _happened)}";

        public ValueTask DisposeAsync()
        {
            foreach (var process in _processes)
            {
                process.Dispose();
            }

            return ValueTask.CompletedTask;
        }

        private async Task HappenAsync()
        {
            Supervise();
            var i = _random.Next(_processes.Length);
            switch (_random.Next(6))
            {
                case 0 or 1:
                    _happened.Add($"killed {i}");
                    await _processes[i].KillAsync();
                    await Task.Delay(_random.Next(2) == 0 ? 0 : _random.Next(7_000));
                    _processes[i].Dispose();
                    _processes[i] = _starts[i]();
                    break;
                case 2 or 3 when !_processes[i].HasExited:
                    _happened.Add($"froze {i}");
                    _processes[i].Freeze();
                    await Task.Delay(_random.Next(8_000));
                    _processes[i].Thaw();
                    break;
                case 4:
                    // PostgreSQL ends all sessions and recovers when one of its processes dies.
                    _happened.Add("crashed the database");
                    await TryAsync(async connection => AmpdProcess.Kill((int)await connection.ScalarAsync<long>("SELECT pg_backend_pid()::bigint", [], CancellationToken.None)));
                    break;
                case 5:
                    _happened.Add("cut all connections");
                    await TryAsync(connection => connection.ExecuteAsync(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()", [], CancellationToken.None));
                    break;
            }
        }

        private async Task TryAsync(Func<Npgsql.NpgsqlConnection, Task> work)
        {
            try
            {
                await _deployment.Database.RunAsync(
                    "making trouble", async connection =>
                    {
                        await work(connection);
                        return true;
                    },
                    null, CancellationToken.None);
            }
            catch (AmpException e) when (e.IsTransient)
            {
                // It is still down from the last time.
            }
        }
    }
}
