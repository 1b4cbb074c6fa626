using Amp.Configuration;
using Amp.Datasets;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>
/// Jobs that follow chains which are reorganized while their nodes misbehave: once a chain holds still and its node behaves,
/// the canonical rows are the chain's, value for value. All seeds are fixed, so a failure comes again.
/// </summary>
[Collection(EndToEndCollection.Name)]
public sealed class LiveChainTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int FirstBlocks = 40;

    private TestDeployment _deployment = null!;
    private WorkerHost _worker = null!;

    public async Task InitializeAsync()
    {
        _deployment = await TestDeployment.CreateAsync(postgres, ("poll_interval_secs", "0.05"), ("writer.segment_flush_interval_secs", "0.3"));
        _worker = await _deployment.StartWorkerAsync();
    }

    public async Task DisposeAsync()
    {
        await _worker.DisposeAsync();
        await _deployment.DisposeAsync();
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Jobs_WhoseNodesHaveOneFaultEach_EndWithTheChainsOwnRows()
    {
        var lives = Enum.GetValues<DevChainFault>().Where(fault => fault != DevChainFault.None)
            .Select(fault => new Life(fault.ToString(), DevChainFaults.Of(Chance(fault, often: 0.3), fault) with { MostPerCall = 3 }) { BatchSize = fault is DevChainFault.Shuffled ? 10 : 0 })
            .Append(new Life("WithoutBlockReceipts", new DevChainFaults { WithoutBlockReceipts = true }))
            .Append(new Life("LargestBatch", new DevChainFaults { LargestBatch = 3 }) { BatchSize = 20 })
            .Append(new Life("LargestAnswer", new DevChainFaults { LargestAnswer = 30_000, RefusesByStatus = true }) { BatchSize = 20 })
            .Append(new Life("MostAtOnce", new DevChainFaults { MostAtOnce = 3, RefusesByStatus = true }));

        await LiveAsync(lives);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Jobs_WhoseNodesHaveAllFaults_EndWithTheChainsOwnRows() => await LiveAsync(Enumerable.Range(1, 8).Select(seed =>
        new Life($"seed {seed}", new DevChainFaults
        {
            Seed = (ulong)seed,
            Chances = Enum.GetValues<DevChainFault>().Where(fault => fault != DevChainFault.None).ToDictionary(fault => fault, fault => Chance(fault, often: 0.02)),
            LargestBatch = seed % 2 == 0 ? 7 : null,
            MostAtOnce = seed % 4 == 0 ? 8 : null,
            WithoutBlockReceipts = seed % 3 == 0,
            RefusesByStatus = seed % 4 < 2,
        })
        {
            Seed = (ulong)seed,
            BatchSize = seed % 2 == 0 ? 20 : 0,
        }));

    // Each costs a second.
    private static double Chance(DevChainFault fault, double often) =>
        fault is DevChainFault.Hang or DevChainFault.TooManyRequestsRetryAfter ? often / 6 : often;

    private async Task LiveAsync(IEnumerable<Life> lives)
    {
        var index = 0;
        await Task.WhenAll(lives.Select(life => LiveAsync(life, $"live{index}", $"live/chain{index++}")).ToArray());
    }

    private async Task LiveAsync(Life life, string network, string dataset)
    {
        try
        {
            await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = FirstBlocks, TransactionsPerBlock = 3, Seed = life.Seed, Faults = life.Faults });
            await _deployment.Client.RegisterProviderAsync(
                new ProviderConfig
                {
                    Name = network, Kind = "evm-rpc", Network = network, Url = Secret.ForUrl(chain.Url.ToString()),
                    RpcBatchSize = life.BatchSize, Timeout = TimeSpan.FromSeconds(1),
                },
                overwrite: false, CancellationToken.None);
            await _deployment.RegisterDatasetAsync(dataset, network);
            var job = await StartAsync(dataset, life);

            var random = new Random((int)life.Seed);
            for (var round = 0; round < 6; round++)
            {
                await chain.ExtendAsync(random.Next(1, 12));
                var requests = chain.Answers.RequestCount;
                await Eventually.TrueAsync(
                    async () =>
                    {
                        job = await KeepRunningAsync(job, dataset, life);
                        return chain.Answers.RequestCount > requests + 5;
                    },
                    $"asking the node of {life.Name}");
                await chain.ReorganizeAsync(random.Next(1, 16), random.Next(0, 20));
            }

            chain.Answers.Faults = null;
            await Eventually.TrueAsync(
                async () =>
                {
                    job = await KeepRunningAsync(job, dataset, life);
                    return await EndsWithAsync(dataset, chain.Head);
                },
                $"committing block {chain.Head} of {life.Name}", TimeSpan.FromMinutes(2));
            await _deployment.Client.StopJobAsync(job.JobId, CancellationToken.None);
            Assert.Equal(AmpJobStatus.Stopped, (await _deployment.WaitAsync(job)).Status);

            // The last look at the chain, and the end of a job, must hold as well.
            await _deployment.CompleteJobAsync(dataset, chain.Head);
            var limited = life.Faults.Chances.Count == 0;
            Assert.True(limited || chain.Answers.Injected.Count > 0, "no fault happened");
            await (await NodeRows.AskAsync(chain.Url, chain.Head)).AssertAreOfAsync(_deployment, dataset);
            foreach (var table in new[] { "blocks", "transactions", "logs" })
            {
                var test = await _deployment.Deployment.Tables.TestAsync(await _deployment.TableAsync(dataset, table), CancellationToken.None);
                Assert.True(test.Success, string.Join("; ", test.Problems));
            }
        }
        catch (Exception e)
        {
            throw new Xunit.Sdk.XunitException($"{life.Name}: {e.Message}", e);
        }
    }

    private Task<AmpJob> StartAsync(string dataset, Life life) => _deployment.Client.StartJobAsync(
        new StartJobRequest(DatasetReference.Parse(dataset), null) { Verify = life.Verify }, CancellationToken.None);

    /// <summary>A failure that may pass is followed by another run; any other fails the test.</summary>
    private async Task<AmpJob> KeepRunningAsync(AmpJob job, string dataset, Life life)
    {
        job = await _deployment.Client.GetJobAsync(job.JobId, CancellationToken.None);
        Assert.True(job.Status is not AmpJobStatus.Fatal, $"the job ended for good: {job.ErrorCode} {job.ErrorMessage}");
        return job.Status is AmpJobStatus.Error ? await StartAsync(dataset, life) : job;
    }

    private async Task<bool> EndsWithAsync(string dataset, ulong head)
    {
        foreach (var table in new[] { "blocks", "transactions", "logs" })
        {
            if ((await _deployment.CommittedAsync(dataset, table))?.End != head)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A chain and how its node misbehaves.</summary>
    private sealed record Life(string Name, DevChainFaults Faults)
    {
        public ulong Seed { get; init; } = 1;

        public int BatchSize { get; init; }

        /// <summary>Every second one is verified.</summary>
        public bool Verify => (Name.Length + (int)Seed) % 2 == 0;
    }
}
