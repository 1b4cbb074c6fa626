using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Amp.Extraction.Crypto;
using Amp.Extraction.DevChains;
using Amp.Extraction.EvmRpc;
using Amp.Parquet;
using Amp.Support;

namespace Amp.Extraction.Verification;

public sealed class BlockVerifierTests
{
    [Fact]
    public void Verify_OfMainnetBlock_Passes()
    {
        using var batch = Batches.Mainnet();

        new BlockVerifier().Verify(batch);
    }

    [Theory]
    [InlineData(1, 12, 300)]
    [InlineData(2, 0, 50)]
    [InlineData(3, 1, 300)]
    [InlineData(4, 150, 30)]
    public void Verify_OfGeneratedBlocksOfAllTypes_Passes(ulong seed, int transactionsPerBlock, int count)
    {
        using var batch = Batches.Decode(Batches.Generate(new DevChainOptions { Seed = seed, TransactionsPerBlock = transactionsPerBlock }, count));
        var verifier = new BlockVerifier();

        verifier.Verify(batch);
        verifier.Verify(batch);

        Assert.Equal(count, batch.Blocks.Count);
    }

    /// <summary>Mainnet's first blocks, as everybody knows their hashes.</summary>
    [Theory]
    [InlineData("0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
        """{"number":"0x0","parentHash":"0x0000000000000000000000000000000000000000000000000000000000000000","miner":"0x0000000000000000000000000000000000000000","stateRoot":"0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544","difficulty":"0x400000000","timestamp":"0x0","extraData":"0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa","mixHash":"0x0000000000000000000000000000000000000000000000000000000000000000","nonce":"0x0000000000000042"}""")]
    [InlineData("0x88e96d4537bea4d9c05d12549907b32561d3bf31f45aae734cdc119f13406cb6",
        """{"number":"0x1","parentHash":"0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3","miner":"0x05a56e2d52c817161883f50c441c3228cfe54d9f","stateRoot":"0xd67e4d450343046425ae4271474353857ab860dbc0a1dde64b41b5cd3a532bf3","difficulty":"0x3ff800000","timestamp":"0x55ba4224","extraData":"0x476574682f76312e302e302f6c696e75782f676f312e342e32","mixHash":"0x969b900de27b6ac6a67742365dd65f55a0526c41fd18e1b16f1a1215c2e66f59","nonce":"0x539bd4979fef1ec4"}""")]
    public void Verify_OfFrontierHeaders_Passes(string hash, string fields)
    {
        var block = JsonNode.Parse(fields)!.AsObject();
        block["hash"] = hash;
        block["sha3Uncles"] = BlockSealer.NoUnclesHash.ToString();
        block["transactionsRoot"] = MerklePatriciaTrie.EmptyRoot.ToString();
        block["receiptsRoot"] = MerklePatriciaTrie.EmptyRoot.ToString();
        block["logsBloom"] = $"0x{new string('0', 512)}";
        block["gasLimit"] = "0x1388";
        block["gasUsed"] = "0x0";
        block["transactions"] = new JsonArray();
        using var batch = Batches.Decode(block, new JsonArray());

        new BlockVerifier().Verify(batch);
    }

    [Fact]
    public void Verify_OfTheFirstTransactionOnMainnet_PassesWithItsStateRoot()
    {
        var (block, receipts) = FirstTransaction();
        using var batch = Batches.Decode(block, receipts);

        new BlockVerifier().Verify(batch);
    }

    [Fact]
    public void Verify_OfAnyByteFlippedInAnyColumn_NamesBlockAndField()
    {
        var (early, earlyReceipts) = FirstTransaction();
        using var frontier = Batches.Decode(early, earlyReceipts);
        using var mainnet = Batches.Mainnet();
        using var generated = Batches.Decode(Batches.Generate(new DevChainOptions { Seed = 9, FirstBlock = 70 }, 25));
        var flipped = new HashSet<string>();
        foreach (var batch in new[] { frontier, mainnet, generated })
        {
            AssertEveryFlipIsRefused(batch, flipped);
        }

        // Not one column was left out.
        Assert.Equal(AllColumns(), flipped.Union(Corruption.NotVerifiable).Order());
    }

    [Fact]
    public void Verify_OfAnyNullThatShouldBeAValueOrTheOtherWayRound_NamesBlockAndField()
    {
        var (early, earlyReceipts) = FirstTransaction();
        using var frontier = Batches.Decode(early, earlyReceipts);
        using var mainnet = Batches.Mainnet();
        using var generated = Batches.Decode(Batches.Generate(new DevChainOptions { Seed = 9 }, 25));
        var verifier = new BlockVerifier();
        foreach (var batch in new[] { frontier, mainnet, generated })
        {
            foreach (var table in batch.Tables.Where(table => table.RowCount > 0))
            {
                foreach (var column in table.Columns.Where(c => c.Leaf is { MaxDefinition: 1, MaxRepetition: 0, DottedPath: not "total_difficulty" }))
                {
                    foreach (var row in new[] { 0, table.RowCount / 3, table.RowCount / 2, table.RowCount - 1 }.Distinct())
                    {
                        table.Columns[column.Leaf.Index] = Corruption.WithNullToggled(column, row);
                        AssertRefused(verifier, batch, table, column, row);
                        table.Columns[column.Leaf.Index] = column;
                    }
                }
            }

            verifier.Verify(batch);
        }
    }

    /// <summary>Changes of a block's lists, which change more than one value of a column.</summary>
    [Theory]
    [InlineData("accessList", "tx_hash of transaction")]
    [InlineData("storageKeys", "tx_hash of transaction")]
    [InlineData("blobVersionedHashes", "tx_hash of transaction")]
    [InlineData("authorizationList", "tx_hash of transaction")]
    [InlineData("topics", "logs_bloom is|receipt_root is")]
    public void Verify_OfListsWithAnElementLostOrDoubledOrMoved_IsRefused(string list, string field)
    {
        var cases = 0;
        foreach (var (block, receipts) in Batches.Generate(new DevChainOptions { Seed = 5 }, 20))
        {
            for (var change = 0; change < 3; change++)
            {
                var (blockNode, receiptNodes) = (JsonNode.Parse(block)!, JsonNode.Parse(receipts)!);
                if (Lists(blockNode, list).Concat(Lists(receiptNodes, list)).FirstOrDefault(l => l.Count > 1) is not { } elements)
                {
                    continue;
                }

                var moved = elements[0]!;
                elements.RemoveAt(0);
                if (change > 0)
                {
                    elements.Add(moved);
                }

                if (change == 1)
                {
                    elements.Insert(0, moved.DeepClone());
                    if (elements.Count > 4 && list == "topics")
                    {
                        continue;
                    }
                }

                if (change == 2 && elements.All(element => JsonNode.DeepEquals(element, moved)))
                {
                    continue;
                }

                using var batch = Batches.Decode(blockNode, receiptNodes);
                AssertRefused(new BlockVerifier(), batch, batch.Blocks[0].Number, field.Split('|'));
                cases++;
            }
        }

        Assert.True(cases >= 6, $"only {cases} cases");
    }

    [Fact]
    public void Verify_OfMissingOrSwappedRows_IsRefused()
    {
        var random = new Random(3);
        var cases = 0;
        foreach (var (block, receipts) in Batches.Generate(new DevChainOptions { Seed = 6 }, 30))
        {
            var number = Convert.ToUInt64(JsonNode.Parse(block)!["number"]!.GetValue<string>()[2..], 16);
            var count = JsonNode.Parse(receipts)!.AsArray().Count;
            if (count == 0)
            {
                continue;
            }

            // The last transaction with its receipt and logs is lost.
            Check("transactions_root is", (transactions, outcomes) =>
            {
                transactions.RemoveAt(count - 1);
                outcomes.RemoveAt(count - 1);
                return true;
            });

            // All logs of one receipt are lost, or its last, or two change places.
            Check("receipt_root is|logs_bloom is|log_index of log", (_, outcomes) => LogsOf(outcomes) is { Count: > 0 } logs && Do(logs.Clear));
            Check("receipt_root is|logs_bloom is|log_index of log", (_, outcomes) => LogsOf(outcomes) is { Count: > 0 } logs && Do(() => logs.RemoveAt(logs.Count - 1)));
            Check("receipt_root is", (_, outcomes) => LogsOf(outcomes) is { Count: > 1 } logs && Do(() =>
            {
                var (first, second) = (logs[0]!, logs[1]!);
                (first["logIndex"], second["logIndex"]) = (second["logIndex"]!.DeepClone(), first["logIndex"]!.DeepClone());
                logs.RemoveAt(0);
                logs.Insert(1, first);
            }));

            void Check(string fields, Func<JsonArray, JsonArray, bool> change)
            {
                var (blockNode, receiptNodes) = (JsonNode.Parse(block)!, JsonNode.Parse(receipts)!.AsArray());
                if (change(blockNode["transactions"]!.AsArray(), receiptNodes))
                {
                    using var batch = Batches.Decode(blockNode, receiptNodes);
                    AssertRefused(new BlockVerifier(), batch, number, fields.Split('|'));
                    cases++;
                }
            }
        }

        Assert.True(cases > 50, $"only {cases} cases");

        JsonArray? LogsOf(JsonArray receipts) =>
            receipts.Select(receipt => receipt!["logs"]!.AsArray()).Where(logs => logs.Count > 0).OrderBy(_ => random.Next()).FirstOrDefault();

        static bool Do(Action action)
        {
            action();
            return true;
        }
    }

    [Fact]
    public void Verify_OfRowsThatBelongToNoBlock_IsRefused()
    {
        using var batch = Batches.Decode(Batches.Generate(new DevChainOptions { FirstBlock = 40 }, 3));
        using var other = Batches.Decode(Batches.Generate(new DevChainOptions { FirstBlock = 50 }, 3));
        for (var i = 1; i < batch.Tables.Length; i++)
        {
            batch.Tables[i].Append(other.Tables[i]);
        }

        AssertRefused(new BlockVerifier(), batch, 42, ["transactions has a row that belongs to none"]);
    }

    [Fact]
    public void Verify_OfATransactionTypeOfAnotherChain_SaysThatItCannot()
    {
        var (block, receipts) = Batches.Generate(new DevChainOptions(), 20).Last(b => JsonNode.Parse(b.Receipts)!.AsArray().Count > 1);
        var (blockNode, receiptNodes) = (JsonNode.Parse(block)!, JsonNode.Parse(receipts)!);
        blockNode["transactions"]![1]!["type"] = "0x7e";
        using var batch = Batches.Decode(blockNode, receiptNodes);

        var error = Assert.Throws<AmpException>(() => new BlockVerifier().Verify(batch));

        Assert.Equal("BlockNotVerifiable", error.ErrorCode);
        Assert.False(error.IsTransient);
        Assert.Contains("transaction 1 has type 0x7e", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_OfATransactionTypeOfAnotherChainBehindAWrongHeader_NamesTheHash()
    {
        var (block, receipts) = Batches.Generate(new DevChainOptions(), 20).Last(b => JsonNode.Parse(b.Receipts)!.AsArray().Count > 1);
        var (blockNode, receiptNodes) = (JsonNode.Parse(block)!, JsonNode.Parse(receipts)!);
        blockNode["transactions"]![1]!["type"] = "0x7e";
        blockNode["gasUsed"] = "0x1";
        using var batch = Batches.Decode(blockNode, receiptNodes);

        AssertRefused(new BlockVerifier(), batch, batch.Blocks[0].Number, ["hash is"]);
    }

    [ToolFact("anvil")]
    public async Task Verify_OfAnvilsBlocksOfEachFork_PassesAndRefusesEachFlip()
    {
        foreach (var fork in new[] { "prague", "cancun", "shanghai", "london", "berlin", "byzantium" })
        {
            await using var node = await AnvilNode.StartAsync("--hardfork", fork);
            var hasBaseFee = fork is not ("berlin" or "byzantium");
            await (hasBaseFee ? node.MineAsync(16) : MineLegacyAsync(node, 16));
            var blocks = new List<(byte[] Block, byte[] Receipts)>();
            for (var number = 0; number <= 16; number++)
            {
                var block = await node.CallAsync("eth_getBlockByNumber", $"0x{number:x}", true);
                var receipts = await node.CallAsync("eth_getBlockReceipts", $"0x{number:x}");
                blocks.Add((Batches.Bytes(block!), Batches.Bytes(receipts!)));
                if (number > 0)
                {
                    Assert.Equal(fork is "prague", block!["requestsHash"] is not null);
                    Assert.Equal(fork is "prague" or "cancun", block["blobGasUsed"] is not null);
                    Assert.Equal(fork is "prague" or "cancun" or "shanghai", block["withdrawalsRoot"] is not null);
                    Assert.Equal(hasBaseFee, block["baseFeePerGas"] is not null);
                }
            }

            using var batch = Batches.Decode(blocks);
            new BlockVerifier().Verify(batch);
            AssertEveryFlipIsRefused(batch, []);
        }
    }

    /// <summary>
    /// The first transaction on mainnet (block 46147), long before EIP-155 and Byzantium: its hash, and the roots of the
    /// block that had nothing else, are the real ones; the rest of the header is made up.
    /// </summary>
    private static (JsonNode Block, JsonNode Receipts) FirstTransaction()
    {
        const string transactionHash = "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060";
        var block = JsonNode.Parse($$"""
            {"number":"0xb443","parentHash":"0x{{new string('5', 64)}}","sha3Uncles":"{{BlockSealer.NoUnclesHash}}","miner":"0xe6a7a1d47ff21b6321162aea7c6cb457d5476bca",
             "stateRoot":"0x{{new string('6', 64)}}","transactionsRoot":"0x4513310fcb9f6f616972a3b948dc5d547f280849a87ebb5af0191f98b87be598",
             "receiptsRoot":"0xfe2bf2a941abf41d72637e5b91750332a30283efd40c424dc522b77e6f0ed8c4","logsBloom":"0x{{new string('0', 512)}}","difficulty":"0x153886c1bbd",
             "gasLimit":"0x520b","gasUsed":"0x5208","timestamp":"0x55c42659","extraData":"0x657468706f6f6c2e6f7267","mixHash":"0x{{new string('7', 64)}}","nonce":"0xba4f8ecd18aab215",
             "transactions":[{"hash":"{{transactionHash}}","transactionIndex":"0x0","from":"0xa1e4380a3b1f749673e270229993ee55f35663b4","to":"0x5df9b87991262f6ba471f09758cde1c0fc1de734","nonce":"0x0","gas":"0x5208",
              "gasPrice":"0x2d79883d2000","value":"0x7a69","input":"0x","v":"0x1c","r":"0x88ff6cf0fefd94db46111149ae4bfc179e9b94721fffd821d38d16464b3f71d0","s":"0x45e0aff800961cfce805daef7016b9b675c137a6a41a548f7b60a3484c06a33a"}]}
            """)!;
        var hash = new JsonBlock(JsonDocument.Parse(Batches.Bytes(block)).RootElement, JsonDocument.Parse("[]").RootElement).Hash();
        block["hash"] = hash;
        var receipts = JsonNode.Parse($$"""
            [{"blockHash":"{{hash}}","transactionHash":"{{transactionHash}}","transactionIndex":"0x0","gasUsed":"0x5208","logs":[],
             "root":"0x96a8e009d2b88b1483e6941e6812e32263b05683fac202abc622a3e31aed1957"}]
            """)!;
        return (block, receipts);
    }

    private static async Task MineLegacyAsync(AnvilNode node, int blocks)
    {
        var account = (await node.CallAsync("eth_accounts"))![0]!.GetValue<string>();
        for (var i = 0; i < blocks; i++)
        {
            // Creates a contract whose constructor writes a log with one topic: PUSH1 7, PUSH1 0, PUSH1 0, LOG1.
            await node.CallAsync("eth_sendTransaction", new JsonObject
            {
                ["from"] = account, ["input"] = "0x600760006000a1", ["gas"] = "0x30d40", ["gasPrice"] = "0x77359400", ["type"] = "0x0",
            });
            await node.CallAsync("evm_mine");
        }
    }

    private static void AssertEveryFlipIsRefused(BlockBatch batch, HashSet<string> flipped)
    {
        var random = new Random(11);
        var verifier = new BlockVerifier();
        foreach (var table in batch.Tables)
        {
            foreach (var column in table.Columns.Where(column => column.Values.Length > 0))
            {
                var name = Corruption.NameOf(table, column);
                int[] positions = [0, column.Values.Length - 1, .. Enumerable.Range(0, 6).Select(_ => random.Next(column.Values.Length))];
                foreach (var position in positions.Distinct())
                {
                    var bits = (byte)(1 << random.Next(8));
                    Corruption.Flip(column, position, bits);
                    if (Corruption.NotVerifiable.Contains(name))
                    {
                        verifier.Verify(batch);
                    }
                    else
                    {
                        AssertRefused(verifier, batch, table, column, Corruption.RowOf(column, position));
                        flipped.Add(name);
                    }

                    Corruption.Flip(column, position, bits);
                }
            }
        }

        verifier.Verify(batch);
    }

    private static void AssertRefused(BlockVerifier verifier, BlockBatch batch, TableBuffer table, ColumnBuffer column, int row)
    {
        // The block is that of the row's place, whatever the row says now.
        var block = table.Schema.Name == "blocks" ? batch.Blocks[row].Number : BlockOf(batch, table, row);
        var index = table.Schema.Name == "blocks" ? 0 : Enumerable.Range(0, row).Count(earlier => BlockOf(batch, table, earlier) == block);
        string[] fields = [.. Corruption.NamedFields[Corruption.NameOf(table, column)].Select(field => field.Contains("{0}", StringComparison.Ordinal)
            ? string.Format(CultureInfo.InvariantCulture, field, index)
            : field.EndsWith("is", StringComparison.Ordinal) || table.Schema.Name == "blocks" ? field : $"{field} {index} ")];
        AssertRefused(verifier, batch, block, fields);
    }

    private static void AssertRefused(BlockVerifier verifier, BlockBatch batch, ulong block, string[] fields)
    {
        var error = Assert.Throws<AmpException>(() => verifier.Verify(batch));

        Assert.Contains($"Block {block} ", error.Message, StringComparison.Ordinal);
        Assert.True(Array.Exists(fields, field => error.Message.Contains(field, StringComparison.Ordinal)), $"{error.Message}\nnames none of {string.Join(", ", fields)}");
        Assert.Equal(block, error.Target);
        Assert.Equal(error.Message.Contains("has type", StringComparison.Ordinal) ? "BlockNotVerifiable" : "BlockVerificationFailed", error.ErrorCode);
        Assert.Equal(error.ErrorCode == "BlockVerificationFailed", error.IsTransient);
    }

    // From two of the three columns that say so, of which at most one was changed.
    private static ulong BlockOf(BlockBatch batch, TableBuffer table, int row)
    {
        var numbers = table.Columns.Where(c => c.Leaf.DottedPath is "_block_num" or "block_num")
            .Select(c => BitConverter.ToUInt64(c.Values.Slice(row * 8, 8))).ToArray();
        return numbers[0] == numbers[1]
            ? numbers[0]
            : batch.Blocks.Single(b => b.Hash == new Hash32(table.Columns.Single(c => c.Leaf.DottedPath == "block_hash").Values.Slice(row * 32, 32))).Number;
    }

    private static IEnumerable<string> AllColumns() =>
        EvmTables.All.SelectMany(table => table.Fields.Select(field => $"{table.Name}.{field.Name}")).Order();

    private static IEnumerable<JsonArray> Lists(JsonNode? node, string name) => node switch
    {
        JsonObject members => members.SelectMany(member =>
            (member.Key == name && member.Value is JsonArray list ? [list] : Array.Empty<JsonArray>()).Concat(Lists(member.Value, name))),
        JsonArray elements => elements.SelectMany(element => Lists(element, name)),
        _ => [],
    };
}
