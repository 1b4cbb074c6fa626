using Amp.Extraction.DevChains;
using Amp.Extraction.EvmRpc;

namespace Amp.Support;

/// <summary>The rows that the tables must have, from what a node itself answers, in the form of <see cref="EvmOracle"/>.</summary>
internal sealed record NodeRows(List<string> Blocks, List<string> Transactions, List<string> Logs)
{
    /// <summary>Asks a node for its blocks from 0 to <paramref name="lastBlock"/>.</summary>
    public static async Task<NodeRows> AskAsync(Uri node, ulong lastBlock)
    {
        using var client = new RpcClient(node);
        var rows = new NodeRows([], [], []);
        for (var number = 0ul; number <= lastBlock; number++)
        {
            var block = await client.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), true);
            var receipts = await client.CallAsync("eth_getBlockReceipts", RpcClient.Hex(number));
            Assert.Equal(block.GetProperty("transactions").GetArrayLength(), receipts.GetArrayLength());
            rows.Blocks.AddRange(EvmOracle.Blocks(block));
            rows.Transactions.AddRange(EvmOracle.Transactions(block, receipts));
            rows.Logs.AddRange(EvmOracle.Logs(block, receipts));
        }

        return rows;
    }

    /// <summary>Asserts that a dataset's canonical rows, as DuckDB reads them, are these, value for value.</summary>
    public async Task AssertAreOfAsync(TestDeployment deployment, string dataset)
    {
        Assert.Equal(Blocks, await TableRows.ReadAsync(deployment, dataset, "blocks"));
        Assert.Equal(Transactions, await TableRows.ReadAsync(deployment, dataset, "transactions"));
        Assert.Equal(Logs, await TableRows.ReadAsync(deployment, dataset, "logs"));
    }
}
