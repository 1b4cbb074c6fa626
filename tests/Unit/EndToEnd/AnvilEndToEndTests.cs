using System.Text.Json.Nodes;
using Amp.Datasets;
using Amp.Hosting;
using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>A real node's chain through a worker into Parquet files, read by DuckDB, against what the node itself answers.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class AnvilEndToEndTests(PostgresFixture postgres)
{
    private const int Blocks = 510;
    private const string Dataset = "anvil/chain";

    [ToolFact("anvil", "postgres", "duckdb")]
    public async Task Job_OnARealNode_WritesEveryValueThatTheNodeAnswers()
    {
        await using var node = await AnvilNode.StartAsync();
        await node.MineAsync(Blocks);
        await using var deployment = await TestDeployment.CreateAsync(postgres, ("writer.bytes", "100000"));
        await deployment.RegisterProviderAsync(node.Url);
        await deployment.RegisterDatasetAsync(Dataset);

        await using (await deployment.StartWorkerAsync())
        {
            await deployment.CompleteJobAsync(Dataset, Blocks);
        }

        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        var expected = await NodeRows.AskAsync(node.Url, Blocks);
        await expected.AssertAreOfAsync(deployment, Dataset);

        Assert.Equal(Blocks + 1, expected.Blocks.Count);
        foreach (var kind in new[] { "type=0", "type=1", "type=2", "status=true", "status=false", "to=null" })
        {
            Assert.True(expected.Transactions.Count(row => row.Contains($"\n{kind}\n", StringComparison.Ordinal)) > 100, $"few transactions have {kind}");
        }

        for (var topics = 0; topics <= 4; topics++)
        {
            Assert.True(expected.Logs.Count(row => 4 - row.Split("=null\n").Length + 1 == topics) > 400, $"few logs have {topics} topics");
        }

        Assert.True((await deployment.FilesAsync(Dataset, "blocks")).Count > 1);
    }

    [ToolFact("anvil", "postgres", "duckdb")]
    public async Task Job_WithoutEnd_ThroughRealReorgs_EndsWithTheNodesOwnRows()
    {
        await using var node = await AnvilNode.StartAsync();
        await node.MineAsync(80);
        await using var deployment = await TestDeployment.CreateAsync(
            postgres, ("poll_interval_secs", "0.05"), ("writer.segment_flush_interval_secs", "0.2"));
        await deployment.RegisterProviderAsync(node.Url);
        await deployment.RegisterDatasetAsync(Dataset);
        await using (await deployment.StartWorkerAsync())
        {
            var job = await deployment.Client.StartJobAsync(
                new StartJobRequest(DatasetReference.Parse(Dataset), null), CancellationToken.None);

            foreach (var depth in new[] { 1, 2, 64, 3, 5, 8, 1, 33, 13, 21, 40, 64 })
            {
                await node.MineAsync(6);
                await CommittedAsync(deployment, node);
                await node.CallAsync("anvil_reorg", depth, new JsonArray());
            }

            // A shorter chain: everything since the snapshot is gone.
            var snapshot = await node.CallAsync("evm_snapshot");
            await node.MineAsync(12);
            await CommittedAsync(deployment, node);
            await node.CallAsync("evm_revert", snapshot!.GetValue<string>());
            await CommittedAsync(deployment, node);

            await deployment.Client.StopJobAsync(job.JobId, CancellationToken.None);
            Assert.Equal(AmpJobStatus.Stopped, (await deployment.WaitAsync(job)).Status);
        }

        var head = await HeadAsync(node);
        await (await NodeRows.AskAsync(node.Url, head.Number)).AssertAreOfAsync(deployment, Dataset);
    }

    /// <summary>Waits until the canonical chain ends with the node's newest block.</summary>
    private static async Task CommittedAsync(TestDeployment deployment, AnvilNode node)
    {
        var head = await HeadAsync(node);
        await Eventually.TrueAsync(
            async () => await deployment.CommittedAsync(Dataset) is { } range && range.End == head.Number
                && (await deployment.FilesAsync(Dataset, "logs")).Last(file => file.IsCanonical).Hash == head.Hash,
            $"committing block {head.Number} {head.Hash}");
    }

    private static async Task<(ulong Number, string Hash)> HeadAsync(AnvilNode node)
    {
        var block = await node.CallAsync("eth_getBlockByNumber", "latest", false);
        return (Convert.ToUInt64(block!["number"]!.GetValue<string>(), 16), block["hash"]!.GetValue<string>());
    }
}
