using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Extraction.EvmRpc;

public sealed class EvmRpcBlockSourceAnvilTests
{
    [ToolFact("anvil")]
    public async Task ReadAsync_FromARealNode_GivesWhatTheNodeAnswers()
    {
        await using var node = await AnvilNode.StartAsync();
        await node.MineAsync(60);
        var expected = await AskAsync(node, 60);

        foreach (var (batchSize, perTransaction) in new[] { (0, false), (10, false), (0, true), (7, true) })
        {
            await using var source = new EvmRpcBlockSource(
                new EvmRpcOptions { Url = node.Url, RpcBatchSize = batchSize, FetchReceiptsPerTx = perTransaction },
                TimeProvider.System,
                NullLogger<EvmRpcBlockSource>.Instance);
            var rows = new List<string>[] { [], [], [] };
            var blocks = new List<BlockLink>();

            await foreach (var batch in source.ReadAsync(new BlockRange(0, 60), CancellationToken.None))
            {
                using (batch)
                {
                    blocks.AddRange(batch.Blocks);
                    for (var i = 0; i < rows.Length; i++)
                    {
                        rows[i].AddRange(BatchRows.Read(batch.Tables[i]));
                    }
                }
            }

            Assert.Equal(Enumerable.Range(0, 61).Select(i => (ulong)i), blocks.Select(block => block.Number));
            Assert.Equal(expected.Blocks, rows[0]);
            Assert.Equal(expected.Transactions, rows[1]);
            Assert.Equal(expected.Logs, rows[2]);
        }

        foreach (var kind in new[] { "type=0", "type=1", "type=2", "status=false", "to=null" })
        {
            Assert.True(expected.Transactions.Exists(row => row.Contains($"\n{kind}\n", StringComparison.Ordinal)), $"no transaction has {kind}");
        }

        Assert.True(expected.Logs.Count > 100);
    }

    [ToolFact("anvil")]
    public async Task ProbeAsync_OfARealNode_TellsWhatItIs()
    {
        await using var node = await AnvilNode.StartAsync("--chain-id", "4242");
        await node.MineAsync(3);
        await using var source = new EvmRpcBlockSource(
            new EvmRpcOptions { Url = node.Url }, TimeProvider.System, NullLogger<EvmRpcBlockSource>.Instance);

        var status = await source.ProbeAsync(CancellationToken.None);

        Assert.Equal(4242ul, status.ChainId);
        Assert.Equal(3ul, status.Head);
        Assert.StartsWith("anvil/", status.ClientVersion, StringComparison.Ordinal);
        Assert.True(status.HasBlockReceipts);
        Assert.True(status.Latency > TimeSpan.Zero);
        Assert.Equal(4242ul, await source.GetChainIdAsync(CancellationToken.None));
        Assert.Equal(3ul, await source.GetHeadAsync(finalized: false, CancellationToken.None));
    }

    private static async Task<(List<string> Blocks, List<string> Transactions, List<string> Logs)> AskAsync(AnvilNode node, int last)
    {
        var (blocks, transactions, logs) = (new List<string>(), new List<string>(), new List<string>());
        for (var number = 0; number <= last; number++)
        {
            using var block = Parse(await node.CallAsync("eth_getBlockByNumber", $"0x{number:x}", true));
            using var receipts = Parse(await node.CallAsync("eth_getBlockReceipts", $"0x{number:x}"));
            blocks.AddRange(EvmOracle.Blocks(block.RootElement));
            transactions.AddRange(EvmOracle.Transactions(block.RootElement, receipts.RootElement));
            logs.AddRange(EvmOracle.Logs(block.RootElement, receipts.RootElement));
        }

        return (blocks, transactions, logs);
    }

    private static JsonDocument Parse(JsonNode? node) => JsonDocument.Parse(Encoding.UTF8.GetBytes(node!.ToJsonString()));
}
