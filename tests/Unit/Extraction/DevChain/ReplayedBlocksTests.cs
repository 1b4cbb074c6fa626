using System.Text.Json;
using System.Text.Json.Nodes;
using Amp.Support;

namespace Amp.Extraction.DevChains;

public sealed class ReplayedBlocksTests : IDisposable
{
    private static readonly string Mainnet = Path.Combine(TestTools.Fixtures, "evm", "mainnet-15000000.block.json");

    // What a replay writes anew; everything else is the recording's.
    private static readonly string[] Renewed = ["number", "blockNumber", "hash", "blockHash", "parentHash", "timestamp", "blockTimestamp"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("amp-replay-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Block_ReplayedUnvaried_EqualsTheRecordingButForNumberTimeAndLinks()
    {
        await using var chain = await DevChain.StartAsync(Options() with { VaryReplay = false });
        using var client = new RpcClient(chain.Url);

        var block = JsonNode.Parse((await client.CallAsync("eth_getBlockByNumber", "latest", true)).GetRawText())!;
        var receipts = JsonNode.Parse((await client.CallAsync("eth_getBlockReceipts", "latest")).GetRawText())!;

        var recorded = JsonNode.Parse(File.ReadAllText(Mainnet))!;
        Assert.Equal(1UL, chain.ChainId);
        foreach (var name in (string[])["number", "hash", "parentHash", "timestamp"])
        {
            recorded[name] = block[name]!.DeepClone();
        }

        foreach (var transaction in recorded["transactions"]!.AsArray())
        {
            transaction!["blockHash"] = block["hash"]!.DeepClone();
            transaction["blockNumber"] = block["number"]!.DeepClone();
        }

        Assert.Equal(recorded.ToJsonString(), block.ToJsonString());
        var recordedReceipts = JsonNode.Parse(File.ReadAllText(Mainnet.Replace(".block.", ".receipts.", StringComparison.Ordinal)))!;
        foreach (var item in recordedReceipts.AsArray().SelectMany(receipt => receipt!["logs"]!.AsArray().Append(receipt)))
        {
            item!["blockHash"] = block["hash"]!.DeepClone();
            item["blockNumber"] = block["number"]!.DeepClone();
            if (item["blockTimestamp"] is not null)
            {
                item["blockTimestamp"] = block["timestamp"]!.DeepClone();
            }
        }

        Assert.Equal(recordedReceipts.ToJsonString(), receipts.ToJsonString());
    }

    [Fact]
    public async Task Blocks_ReplayedVaried_AreLinkedAndReferToThemselves()
    {
        // From block 14, so that the numbers' digits change in length on the way.
        await using var chain = await DevChain.StartAsync(Options() with { FirstBlock = 14, BlockCount = 4 });
        using var client = new RpcClient(chain.Url);
        var parentHash = "0x" + new string('0', 64);
        var transactionHashes = new HashSet<string>();
        for (var number = 14UL; number <= chain.Head; number++)
        {
            var block = await client.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), true);
            var receipts = (await client.CallAsync("eth_getBlockReceipts", RpcClient.Hex(number))).EnumerateArray().ToArray();

            var hash = Text(block, "hash");
            Assert.Equal(RpcClient.Hex(number), Text(block, "number"));
            Assert.Equal(parentHash, Text(block, "parentHash"));
            Assert.Equal(RpcClient.Hex(1_735_689_600 + (number * 12)), Text(block, "timestamp"));
            var transactions = block.GetProperty("transactions").EnumerateArray().ToArray();
            Assert.Equal(348, transactions.Length);
            Assert.Equal(348, receipts.Length);
            foreach (var (transaction, receipt) in transactions.Zip(receipts))
            {
                Assert.True(transactionHashes.Add(Text(transaction, "hash")), "a transaction's hash repeats");
                Assert.Equal(Text(transaction, "hash"), Text(receipt, "transactionHash"));
                Assert.Equal(Text(transaction, "from"), Text(receipt, "from"));
                Assert.Equal(transaction.GetProperty("to").GetString(), receipt.GetProperty("to").GetString());
                foreach (var item in receipt.GetProperty("logs").EnumerateArray().Append(transaction).Append(receipt))
                {
                    Assert.Equal(hash, Text(item, "blockHash"));
                    Assert.Equal(RpcClient.Hex(number), Text(item, "blockNumber"));
                }

                Assert.All(receipt.GetProperty("logs").EnumerateArray(), log => Assert.Equal(Text(transaction, "hash"), Text(log, "transactionHash")));
            }

            parentHash = hash;
        }
    }

    [Fact]
    public async Task Block_ReplayedVaried_DiffersFromTheRecordingByOnePermutationOfLongHexOnly()
    {
        await using var chain = await DevChain.StartAsync(Options() with { BlockCount = 2 });
        using var client = new RpcClient(chain.Url);

        foreach (var number in (string[])["0x0", "0x1"])
        {
            var permutation = new Dictionary<char, char>();
            Compare(JsonDocument.Parse(File.ReadAllBytes(Mainnet)).RootElement, await client.CallAsync("eth_getBlockByNumber", number, true), null);
            Compare(
                JsonDocument.Parse(File.ReadAllBytes(Mainnet.Replace(".block.", ".receipts.", StringComparison.Ordinal))).RootElement,
                await client.CallAsync("eth_getBlockReceipts", number), null);

            Assert.Equal(16, permutation.Count);
            Assert.Equal(16, permutation.Values.Distinct().Count());
            Assert.Equal('0', permutation['0']);
            Assert.Contains(permutation, pair => pair.Key != pair.Value);

            void Compare(JsonElement recorded, JsonElement replayed, string? name)
            {
                Assert.Equal(recorded.ValueKind, replayed.ValueKind);
                switch (recorded.ValueKind)
                {
                    case JsonValueKind.Object:
                        foreach (var (first, second) in recorded.EnumerateObject().Zip(replayed.EnumerateObject()))
                        {
                            Assert.Equal(first.Name, second.Name);
                            var isTransactionHash = first.Name == "hash" && recorded.TryGetProperty("blockHash", out _);
                            Compare(first.Value, second.Value, isTransactionHash ? null : first.Name);
                        }

                        Assert.Equal(recorded.EnumerateObject().Count(), replayed.EnumerateObject().Count());
                        break;
                    case JsonValueKind.Array:
                        Assert.Equal(recorded.GetArrayLength(), replayed.GetArrayLength());
                        foreach (var (first, second) in recorded.EnumerateArray().Zip(replayed.EnumerateArray()))
                        {
                            Compare(first, second, null);
                        }

                        break;
                    case JsonValueKind.String when Renewed.Contains(name):
                        break;
                    case JsonValueKind.String when recorded.GetString()!.Length >= 42:
                        foreach (var (first, second) in recorded.GetString()!.Skip(2).Zip(replayed.GetString()!.Skip(2)))
                        {
                            Assert.Equal(second, permutation.TryGetValue(first, out var known) ? known : permutation[first] = second);
                        }

                        break;
                    default:
                        Assert.Equal(recorded.GetRawText(), replayed.GetRawText());
                        break;
                }
            }
        }
    }

    [Fact]
    public async Task Calls_ForPartsOfReplayedBlock_AnswerWhatTheWholeHas()
    {
        await using var chain = await DevChain.StartAsync(Options() with { BlockCount = 3 });
        using var client = new RpcClient(chain.Url);
        var block = await client.CallAsync("eth_getBlockByNumber", "0x2", true);
        var receipts = (await client.CallAsync("eth_getBlockReceipts", "0x2")).EnumerateArray().ToArray();
        var transactions = block.GetProperty("transactions").EnumerateArray().ToArray();

        var light = await client.CallAsync("eth_getBlockByNumber", "0x2", false);

        Assert.Equal(transactions.Select(t => Text(t, "hash")), light.GetProperty("transactions").EnumerateArray().Select(h => h.GetString()));
        Assert.Equal(Text(block, "logsBloom"), Text(light, "logsBloom"));
        foreach (var index in (int[])[0, 1, 100, 347])
        {
            var hash = Text(transactions[index], "hash");
            Assert.Equal(transactions[index].GetRawText(), (await client.CallAsync("eth_getTransactionByHash", hash)).GetRawText());
            Assert.Equal(receipts[index].GetRawText(), (await client.CallAsync("eth_getTransactionReceipt", hash)).GetRawText());
        }
    }

    [Fact]
    public async Task Replay_OfSameSeed_IsTheSameBytes()
    {
        await using var first = await DevChain.StartAsync(Options() with { BlockCount = 2, Seed = 3 });
        await using var second = await DevChain.StartAsync(Options() with { BlockCount = 2, Seed = 3 });
        await using var other = await DevChain.StartAsync(Options() with { BlockCount = 2, Seed = 4 });

        var texts = new List<string>();
        foreach (var chain in (DevChain[])[first, second, other])
        {
            using var client = new RpcClient(chain.Url);
            texts.Add((await client.CallAsync("eth_getBlockByNumber", "0x1", true)).GetRawText());
        }

        Assert.Equal(texts[0], texts[1]);
        Assert.NotEqual(texts[0], texts[2]);
    }

    [Fact]
    public async Task Replay_OfFolder_TakesItsBlocksInTurnInOrderOfNumbers()
    {
        // A generated chain's own answers, recorded whole and indented, the later block first by name.
        await using (var source = await DevChain.StartAsync(new DevChainOptions { BlockCount = 20 }))
        {
            using var client = new RpcClient(source.Url);
            foreach (var (name, number) in (ValueTuple<string, string>[])[("a", "0x9"), ("b", "0x3")])
            {
                await RecordAsync(client, name, number);
            }
        }

        await using var chain = await DevChain.StartAsync(new DevChainOptions { ReplayPath = _folder.FullName, BlockCount = 5, VaryReplay = false });
        using var replayed = new RpcClient(chain.Url);

        var roots = new List<string>();
        for (var number = 0UL; number < 5; number++)
        {
            var block = await replayed.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), true);
            var receipts = await replayed.CallAsync("eth_getBlockReceipts", RpcClient.Hex(number));
            roots.Add(Text(block, "stateRoot"));
            Assert.All(
                receipts.EnumerateArray().SelectMany(receipt => receipt.GetProperty("logs").EnumerateArray()),
                log => Assert.Equal(Text(block, "timestamp"), Text(log, "blockTimestamp")));
        }

        Assert.Equal(31337UL, chain.ChainId);
        Assert.Equal(2, roots.Distinct().Count());
        Assert.Equal([roots[0], roots[1], roots[0], roots[1], roots[0]], roots);
        Assert.Contains(roots[1], File.ReadAllText(Path.Combine(_folder.FullName, "a.block.json")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replay_OfWhatIsNotThere_IsRefused()
    {
        var error = await Assert.ThrowsAsync<AmpException>(
            () => DevChain.StartAsync(new DevChainOptions { ReplayPath = Path.Combine(_folder.FullName, "none") }));

        Assert.Equal("ReplayNotFound", error.ErrorCode);
    }

    [Theory]
    [InlineData("{", "[]")]
    [InlineData("[]", "[]")]
    [InlineData("null", "[]")]
    [InlineData("""{"number":"0x1","transactions":["0x12"]}""", "[]")]
    [InlineData("""{"number":"0x1","transactions":[]}""", "{}")]
    [InlineData("""{"number":"0x1","transactions":[]}""", "[]")]
    [InlineData("""{"number":"1","transactions":[]}""", "[]")]
    [InlineData("""{"number":"0x1","transactions":[]}""", null)]
    public async Task Replay_OfMalformedRecording_IsRefusedWithItsPath(string block, string? receipts)
    {
        var path = Path.Combine(_folder.FullName, "x.block.json");
        File.WriteAllText(path, block);
        if (receipts is not null)
        {
            File.WriteAllText(Path.Combine(_folder.FullName, "x.receipts.json"), receipts);
        }

        var error = await Assert.ThrowsAsync<AmpException>(() => DevChain.StartAsync(new DevChainOptions { ReplayPath = path }));

        Assert.Equal("ReplayInvalid", error.ErrorCode);
        Assert.Contains(_folder.FullName, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replay_OfReceiptsOfAnotherBlock_IsRefused()
    {
        await using (var source = await DevChain.StartAsync(new DevChainOptions { BlockCount = 20 }))
        {
            using var client = new RpcClient(source.Url);
            await RecordAsync(client, "a", "0x9");
            File.WriteAllText(Path.Combine(_folder.FullName, "a.receipts.json"), (await client.CallAsync("eth_getBlockReceipts", "0x3")).GetRawText());
        }

        var error = await Assert.ThrowsAsync<AmpException>(() => DevChain.StartAsync(new DevChainOptions { ReplayPath = _folder.FullName }));

        Assert.Equal("ReplayInvalid", error.ErrorCode);
    }

    private static DevChainOptions Options() => new() { ReplayPath = Mainnet, BlockCount = 1 };

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private async Task RecordAsync(RpcClient client, string name, string number)
    {
        foreach (var (part, body) in (ValueTuple<string, string>[])
            [("block", $$"""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["{{number}}",true]}"""),
            ("receipts", $$"""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockReceipts","params":["{{number}}"]}""")])
        {
            var answer = JsonNode.Parse(await client.PostTextAsync(body))!;
            File.WriteAllText(
                Path.Combine(_folder.FullName, $"{name}.{part}.json"), answer.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        }
    }
}
