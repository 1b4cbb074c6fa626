using System.Buffers;
using System.Text.Json;
using Amp.Extraction.Crypto;

namespace Amp.Extraction.DevChains;

public sealed class GeneratedBlocksTests
{
    [Fact]
    public void Blocks_OfSameSeed_AreTheSameBytes()
    {
        var first = Chain(new DevChainOptions { Seed = 5 }, 30).SelectMany(block => block.Text).ToArray();
        var second = Chain(new DevChainOptions { Seed = 5 }, 30).SelectMany(block => block.Text).ToArray();

        Assert.Equal(first, second);
    }

    [Fact]
    public void Blocks_OfOtherSeed_AreOthers()
    {
        var first = Chain(new DevChainOptions { Seed = 5 }, 30);
        var second = Chain(new DevChainOptions { Seed = 6 }, 30);

        Assert.Empty(first.Select(block => block.Link.Hash).Intersect(second.Select(block => block.Link.Hash)));
    }

    [Fact]
    public void Blocks_OfAnyMachineAndVersion_HaveTheseHashes()
    {
        var chain = Chain(new DevChainOptions(), 11);

        Assert.Equal("0xd7ef3ef733e001818762772f1d41bbddde6a45cc1ea5440766b96d937662d81a", chain[0].Link.Hash.ToString());
        Assert.Equal("0x14fcc2a6c0a62c0231281727920786c5342a994b4b655361f86463dd976b9253", chain[10].Link.Hash.ToString());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(200_000)]
    public void Block_MadeAgainAfterItLeftTheCache_IsTheSame(int cacheBytes)
    {
        var maker = new GeneratedBlocks(new DevChainOptions(), cacheBytes);

        foreach (var (link, _, text) in Chain(new DevChainOptions(), 30))
        {
            Assert.Equal(link.Hash, maker.HashOf(link.Number, link.ParentHash, link.Branch));
            Assert.Equal(text, TextOf(maker, link));
        }

        foreach (var (link, _, text) in Chain(new DevChainOptions(), 30).AsEnumerable().Reverse())
        {
            Assert.Equal(text, TextOf(maker, link));
            Assert.Equal(text, TextOf(maker, link));
        }
    }

    [Theory]
    [InlineData(1, 12)]
    [InlineData(2, 12)]
    [InlineData(3, 0)]
    [InlineData(4, 150)]
    public void EachBlock_RecomputedFromItsJson_HasItsHashesRootsAndBlooms(ulong seed, int transactionsPerBlock)
    {
        foreach (var (link, json, _) in Chain(new DevChainOptions { Seed = seed, TransactionsPerBlock = transactionsPerBlock }, 40))
        {
            AssertField("number", RpcClient.Hex(link.Number));
            AssertField("parentHash", link.ParentHash.ToString());
            AssertField("hash", link.Hash.ToString());
            AssertField("hash", json.Hash());
            AssertField("transactionsRoot", json.TransactionsRoot());
            AssertField("receiptsRoot", json.ReceiptsRoot());
            AssertField("withdrawalsRoot", json.WithdrawalsRoot());
            AssertField("logsBloom", JsonBlock.Bloom(json.Receipts));
            AssertField("size", RpcClient.Hex((ulong)json.Size()));
            AssertField("timestamp", RpcClient.Hex(1_735_689_600 + (link.Number * 12)));

            void AssertField(string name, string expected) => Assert.Equal(expected, json.Block.GetProperty(name).GetString());
        }
    }

    [Fact]
    public void Receipts_OfEachBlock_MatchItsTransactions()
    {
        foreach (var (_, json, _) in Chain(new DevChainOptions(), 60))
        {
            Assert.Equal(json.Transactions.Length, json.Receipts.Length);
            var cumulativeGas = 0UL;
            var logIndex = 0UL;
            for (var i = 0; i < json.Receipts.Length; i++)
            {
                var (transaction, receipt) = (json.Transactions[i], json.Receipts[i]);
                Assert.Equal(JsonBlock.TransactionHash(transaction), Text(transaction, "hash"));
                Assert.Equal(Text(transaction, "hash"), Text(receipt, "transactionHash"));
                Assert.Equal((ulong)i, Number(transaction, "transactionIndex"));
                Assert.Equal((ulong)i, Number(receipt, "transactionIndex"));
                Assert.All((string[])["from", "to", "type", "blockHash", "blockNumber"], name => Assert.Equal(Text(transaction, name), Text(receipt, name)));
                Assert.Equal(Text(json.Block, "hash"), Text(receipt, "blockHash"));
                Assert.Equal(Text(json.Block, "number"), Text(receipt, "blockNumber"));
                Assert.Equal(Text(receipt, "to") is null, Text(receipt, "contractAddress") is not null);
                Assert.Equal(JsonBlock.Bloom([receipt]), Text(receipt, "logsBloom"));
                Assert.True(Number(receipt, "gasUsed") <= Number(transaction, "gas"));
                cumulativeGas += Number(receipt, "gasUsed");
                Assert.Equal(cumulativeGas, Number(receipt, "cumulativeGasUsed"));
                foreach (var log in receipt.GetProperty("logs").EnumerateArray())
                {
                    Assert.Equal(logIndex++, Number(log, "logIndex"));
                    Assert.Equal(Text(receipt, "transactionHash"), Text(log, "transactionHash"));
                    Assert.Equal(Text(receipt, "transactionIndex"), Text(log, "transactionIndex"));
                    Assert.Equal(Text(json.Block, "hash"), Text(log, "blockHash"));
                    Assert.Equal(Text(json.Block, "number"), Text(log, "blockNumber"));
                    Assert.Equal(Text(json.Block, "timestamp"), Text(log, "blockTimestamp"));
                }
            }

            Assert.Equal(cumulativeGas, Number(json.Block, "gasUsed"));
            Assert.True(cumulativeGas <= Number(json.Block, "gasLimit"));
            Assert.Equal(
                json.Receipts.Where(receipt => receipt.TryGetProperty("blobGasUsed", out _)).Sum(receipt => (long)Number(receipt, "blobGasUsed")),
                (long)Number(json.Block, "blobGasUsed"));
        }
    }

    [Fact]
    public void FirstHundredBlocks_OfDefaultSeed_HaveEveryKindOfTransactionAndLog()
    {
        var chain = Chain(new DevChainOptions(), 100);

        var transactions = chain.SelectMany(block => block.Json.Transactions).ToList();
        var receipts = chain.SelectMany(block => block.Json.Receipts).ToList();
        Assert.Equal(["0x0", "0x1", "0x2", "0x3", "0x4"], transactions.Select(t => Text(t, "type")).Distinct().Order());
        Assert.InRange(transactions.Count / 100.0, 9, 15);
        Assert.Contains(transactions, t => Text(t, "type") == "0x0" && !t.TryGetProperty("chainId", out _) && Number(t, "v") is 27 or 28);
        Assert.Contains(transactions, t => Text(t, "type") == "0x0" && Number(t, "v") >= 35 + (2 * 31337));
        Assert.Contains(transactions, t => Text(t, "to") is null);
        Assert.Contains(transactions, t => Text(t, "value")!.Length > 18);
        Assert.Contains(transactions, t => Text(t, "r")!.Length < 66);
        Assert.Contains(transactions, t => t.TryGetProperty("accessList", out var list) && list.EnumerateArray().Any(a => a.GetProperty("storageKeys").GetArrayLength() > 1));
        Assert.Contains(transactions, t => t.TryGetProperty("blobVersionedHashes", out var hashes) && hashes.GetArrayLength() > 1);
        Assert.Contains(transactions, t => t.TryGetProperty("authorizationList", out var list) && list.GetArrayLength() > 1);
        Assert.Contains(receipts, r => Text(r, "status") == "0x0" && r.GetProperty("logs").GetArrayLength() == 0);
        Assert.Equal(
            [0, 1, 2, 3, 4],
            receipts.SelectMany(r => r.GetProperty("logs").EnumerateArray()).Select(l => l.GetProperty("topics").GetArrayLength()).Distinct().Order());
        Assert.Contains(chain.Skip(1), block => block.Json.Transactions.Length == 0);
    }

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();

    private static ulong Number(JsonElement element, string name) => Convert.ToUInt64(Text(element, name)![2..], 16);

    private static List<(DevLink Link, JsonBlock Json, byte[] Text)> Chain(DevChainOptions options, int count)
    {
        var maker = new GeneratedBlocks(options);
        var chain = new List<(DevLink, JsonBlock, byte[])>();
        var parentHash = default(Hash32);
        for (var number = 0UL; number < (ulong)count; number++)
        {
            var link = new DevLink(number, maker.HashOf(number, parentHash, 0), parentHash, 0);
            var block = Written(output => maker.WriteBlock(link, true, output));
            var receipts = Written(output => maker.WriteReceipts(link, output));
            chain.Add((link, new JsonBlock(JsonDocument.Parse(block).RootElement, JsonDocument.Parse(receipts).RootElement), [.. block, .. receipts]));
            parentHash = link.Hash;
        }

        return chain;
    }

    private static byte[] TextOf(GeneratedBlocks maker, DevLink link) =>
        [.. Written(output => maker.WriteBlock(link, true, output)), .. Written(output => maker.WriteReceipts(link, output))];

    private static byte[] Written(Action<IBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        return output.WrittenSpan.ToArray();
    }
}
