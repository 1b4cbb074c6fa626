using System.Globalization;
using Amp.Datasets;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>A worker whose heap may not grow beyond its budget and a fixed allowance: one byte more, and it dies.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class MemoryBudgetTests(PostgresFixture postgres)
{
    private const string Dataset = "test/budget";
    private const int Transactions = 120_000;
    private const long BudgetMb = 32;

    /// <summary>For all that is not blocks on their way: the runtime, the database driver, buffers of connections, pools.</summary>
    private const long AllowanceMb = 64;

    [ToolTheory("postgres")]
    [InlineData("zstd(12)", 400, 1)]
    [InlineData("zstd(12)", 8_000, 4)]
    [InlineData("uncompressed", 400, 1)]
    public async Task Job_WithAFastNodeAndASlowCompressor_StaysWithinItsBudget(string compression, int blocks, int writers)
    {
        await using var chain = await StartChainAsync(blocks);
        await using var deployment = await PrepareAsync(chain, compression, BudgetMb);
        using var worker = AmpdProcess.StartWorker(deployment, "worker-01", HeapLimit(BudgetMb + AllowanceMb));
        await Eventually.TrueAsync(async () => await deployment.Database.Workers.GetAsync("worker-01") is not null, "registering");

        var job = await deployment.Client.StartJobAsync(
            new StartJobRequest(DatasetReference.Parse(Dataset), chain.Head.ToString(CultureInfo.InvariantCulture)) { MaxWriters = writers, Verify = true },
            CancellationToken.None);
        await deployment.CompletedAsync(job);

        Assert.False(worker.HasExited, worker.Output);
        Assert.Equal(new(0, chain.Head), await deployment.CommittedAsync(Dataset));
    }

    [ToolFact("postgres")]
    public async Task Job_WithABudgetBeyondTheHeap_ShowsThatTheLimitHolds()
    {
        await using var chain = await StartChainAsync(blocks: 400);
        await using var deployment = await PrepareAsync(chain, "uncompressed", budgetMb: 4096);
        using var worker = AmpdProcess.StartWorker(deployment, "worker-01", HeapLimit(BudgetMb + AllowanceMb));
        await Eventually.TrueAsync(async () => await deployment.Database.Workers.GetAsync("worker-01") is not null, "registering");

        var job = await deployment.StartJobAsync(Dataset, chain.Head);
        await Eventually.TrueAsync(
            async () => worker.HasExited || (await deployment.Client.GetJobAsync(job.JobId, CancellationToken.None)).IsTerminal, "running out of memory", TimeSpan.FromMinutes(2));

        Assert.NotEqual(AmpJobStatus.Completed, (await deployment.Client.GetJobAsync(job.JobId, CancellationToken.None)).Status);
    }

    private static Task<DevChain> StartChainAsync(int blocks) =>
        DevChain.StartAsync(new DevChainOptions { BlockCount = blocks, TransactionsPerBlock = Transactions / blocks });

    // Pools keep memory for each core: two of them, on any machine.
    private static (string, string)[] HeapLimit(long megabytes) => [("DOTNET_GCHeapHardLimit", $"0x{megabytes << 20:x}"), ("DOTNET_PROCESSOR_COUNT", "2")];

    private async Task<TestDeployment> PrepareAsync(DevChain chain, string compression, long budgetMb)
    {
        var deployment = await TestDeployment.CreateAsync(
            postgres,
            ("writer.compression", compression), ("writer.bytes", "2147483648"), ("writer.segment_flush_interval_secs", "600"),
            ("extraction.memory_budget_mb", budgetMb.ToString(CultureInfo.InvariantCulture)));
        await deployment.RegisterProviderAsync(chain.Url);
        await deployment.RegisterDatasetAsync(Dataset);
        return deployment;
    }
}
