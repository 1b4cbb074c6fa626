using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Amp.Extraction.DevChains;
using Amp.Extraction.EvmRpc;
using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>The recorded mainnet block, replayed as a chain, against the recording.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class MainnetReplayTests(PostgresFixture postgres)
{
    private const string Dataset = "ethereum/mainnet";
    private const string Network = "mainnet";
    private const int BlockCount = 5;

    // The third block is the recorded one's number, where a new file has to begin.
    private const ulong First = MainnetBlock.Number - 2;
    private const ulong Last = First + BlockCount - 1;

    private static readonly string Recording = Path.Combine(TestTools.Fixtures, "evm", "mainnet-15000000.block.json");

    [ToolFact("postgres", "duckdb")]
    public async Task Job_OnTheReplayedBlock_WritesEveryValueOfTheRecording()
    {
        await using var chain = await StartChainAsync(vary: false);
        await using var deployment = await ExtractAsync(chain);

        var (blocks, transactions, logs) = (new List<string>(), new List<string>(), new List<string>());
        for (var number = First; number <= Last; number++)
        {
            var (block, receipts) = await RecordedAsAsync(chain, number);
            Add(block, receipts, blocks, transactions, logs);
        }

        Assert.Equal((BlockCount, 348 * BlockCount, 719 * BlockCount), (blocks.Count, transactions.Count, logs.Count));
        Assert.Equal(blocks, await TableRows.ReadAsync(deployment, Dataset, "blocks"));
        Assert.Equal(transactions, await TableRows.ReadAsync(deployment, Dataset, "transactions"));
        Assert.Equal(logs, await TableRows.ReadAsync(deployment, Dataset, "logs"));
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Job_OnTheReplayedBlock_FollowsTheRulesOfItsColumns()
    {
        await using var chain = await StartChainAsync(vary: false);
        await using var deployment = await ExtractAsync(chain);
        var recorded = MainnetBlock.BlockNode()["transactions"]!.AsArray();
        var withoutChainId = recorded.Count(tx => tx!["chainId"] is null && Number(tx["v"]!) is 27 or 28);
        var types = recorded.CountBy(tx => (int)Number(tx!["type"]!)).ToDictionary();

        var rows = await DuckDb.QueryAsync(
            $"""
            SELECT block_num, count(*)::INT AS rows, count(DISTINCT tx_hash)::INT AS hashes, sum(gas_used)::VARCHAR AS gas_used,
              count(*) FILTER (chain_id IS NULL)::INT AS without_chain_id,
              count(*) FILTER (type = 0)::INT AS legacy, count(*) FILTER (type = 1)::INT AS listed, count(*) FILTER (type = 2)::INT AS dynamic,
              count(*) FILTER (type = 2 AND gas_price IS NULL AND max_fee_per_gas IS NOT NULL AND max_priority_fee_per_gas IS NOT NULL)::INT AS dynamic_right,
              count(*) FILTER (type < 2 AND max_fee_per_gas = gas_price AND max_priority_fee_per_gas IS NULL)::INT AS others_right,
              count(*) FILTER ((type = 0) = (access_list IS NULL))::INT AS lists_right,
              any_value(b.gas_used)::VARCHAR AS block_gas_used
            FROM {await TableRows.SourceAsync(deployment, Dataset, "transactions")} AS t
            JOIN (SELECT block_num AS n, gas_used FROM {await TableRows.SourceAsync(deployment, Dataset, "blocks")}) AS b ON b.n = t.block_num
            GROUP BY block_num ORDER BY block_num
            """.Replace("sum(gas_used)", "sum(t.gas_used)", StringComparison.Ordinal));

        Assert.Equal(Enumerable.Range(0, BlockCount).Select(i => (First + (ulong)i).ToString(CultureInfo.InvariantCulture)), rows.Select(r => r.GetProperty("block_num").GetString()));
        Assert.True(withoutChainId > 0);
        foreach (var row in rows)
        {
            Assert.Equal((348, 348), (Int("rows"), Int("hashes")));
            Assert.Equal((types.GetValueOrDefault(0), types.GetValueOrDefault(1), types.GetValueOrDefault(2)), (Int("legacy"), Int("listed"), Int("dynamic")));
            Assert.Equal(types.GetValueOrDefault(2), Int("dynamic_right"));
            Assert.Equal(348 - types.GetValueOrDefault(2), Int("others_right"));
            Assert.Equal(348, Int("lists_right"));
            Assert.Equal(withoutChainId, Int("without_chain_id"));
            Assert.Equal("29998802", row.GetProperty("gas_used").GetString());
            Assert.Equal("29998802", row.GetProperty("block_gas_used").GetString());

            int Int(string name) => row.GetProperty(name).GetInt32();
        }

        Assert.All(await deployment.FilesAsync(Dataset, "blocks"), file => Assert.True(file.EndBlock < MainnetBlock.Number || file.StartBlock >= MainnetBlock.Number));
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Job_OnVariedReplays_WritesEveryValueThatTheChainAnswers()
    {
        await using var chain = await StartChainAsync(vary: true);
        await using var deployment = await ExtractAsync(chain);

        using var client = new RpcClient(chain.Url);
        var (blocks, transactions, logs) = (new List<string>(), new List<string>(), new List<string>());
        for (var number = First; number <= Last; number++)
        {
            Add(
                await client.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), true),
                await client.CallAsync("eth_getBlockReceipts", RpcClient.Hex(number)), blocks, transactions, logs);
        }

        Assert.Equal((BlockCount, 348 * BlockCount, 719 * BlockCount), (blocks.Count, transactions.Count, logs.Count));
        Assert.Equal(blocks, await TableRows.ReadAsync(deployment, Dataset, "blocks"));
        Assert.Equal(transactions, await TableRows.ReadAsync(deployment, Dataset, "transactions"));
        Assert.Equal(logs, await TableRows.ReadAsync(deployment, Dataset, "logs"));
    }

    private static Task<DevChain> StartChainAsync(bool vary) => DevChain.StartAsync(
        new DevChainOptions { ReplayPath = Recording, FirstBlock = First, BlockCount = BlockCount, VaryReplay = vary, Seed = 15 });

    private async Task<TestDeployment> ExtractAsync(DevChain chain)
    {
        var deployment = await TestDeployment.CreateAsync(postgres, ("writer.bytes", "1000000000"), ("writer.segment_flush_interval_secs", "600"));
        await deployment.RegisterProviderAsync(chain.Url, Network);
        await deployment.RegisterDatasetAsync(Dataset, Network, First);
        await using (await deployment.StartWorkerAsync())
        {
            await deployment.CompleteJobAsync(Dataset, Last);
        }

        await TableChecks.AssertConsistentAsync(deployment.Deployment);
        return deployment;
    }

    /// <summary>The recording with what a replay has to change: number, hash, parent's hash, timestamp.</summary>
    private static async Task<(JsonElement Block, JsonElement Receipts)> RecordedAsAsync(DevChain chain, ulong number)
    {
        using var client = new RpcClient(chain.Url);
        var header = await client.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), false);
        var (block, receipts) = (MainnetBlock.BlockNode(), MainnetBlock.ReceiptNodes());
        foreach (var name in new[] { "hash", "parentHash", "timestamp" })
        {
            block[name] = header.GetProperty(name).GetString();
        }

        block["number"] = RpcClient.Hex(number);
        foreach (var item in block["transactions"]!.AsArray().Concat(receipts).Concat(receipts.SelectMany(receipt => receipt!["logs"]!.AsArray())))
        {
            item!["blockNumber"] = RpcClient.Hex(number);
            item["blockHash"] = header.GetProperty("hash").GetString();
        }

        return (Element(block), Element(receipts));
    }

    private static void Add(JsonElement block, JsonElement receipts, List<string> blocks, List<string> transactions, List<string> logs)
    {
        blocks.AddRange(EvmOracle.Blocks(block));
        transactions.AddRange(EvmOracle.Transactions(block, receipts));
        logs.AddRange(EvmOracle.Logs(block, receipts));
    }

    private static JsonElement Element(JsonNode node)
    {
        using var document = JsonDocument.Parse(Encoding.UTF8.GetBytes(node.ToJsonString()));
        return document.RootElement.Clone();
    }

    private static ulong Number(JsonNode hex) => ulong.Parse(hex.GetValue<string>().AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
