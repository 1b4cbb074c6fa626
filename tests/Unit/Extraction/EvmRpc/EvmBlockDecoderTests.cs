using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Amp.Parquet;

namespace Amp.Extraction.EvmRpc;

public sealed class EvmBlockDecoderTests
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    [Fact]
    public void Decode_OfMainnetBlock_GivesEveryColumnOfEveryRow()
    {
        using var batch = Decode(MainnetBlock.Block, MainnetBlock.Receipts);

        AssertIsWhatTheOracleSays(batch, MainnetBlock.Block, MainnetBlock.Receipts);
        Assert.Equal([1, 348, 719], batch.Tables.Select(table => table.RowCount));
        var link = Assert.Single(batch.Blocks);
        Assert.Equal(15_000_000ul, link.Number);
        Assert.Equal("0x9a71a95be3fe957457b11817587e5af4c7e24836d5b383c430ff25b9286a457f", link.Hash.ToString());
        Assert.Equal("0x93a8a23a2f5296db7251ab4c5e9b10bdc5a6c9c4ed56fb230dc729d3dc03a138", link.ParentHash.ToString());
    }

    [Fact]
    public void Decode_OfMainnetBlock_AgreesWithItsOwnSums()
    {
        using var batch = Decode(MainnetBlock.Block, MainnetBlock.Receipts);

        var block = Cells(batch.Tables[0])[0];
        var transactions = Cells(batch.Tables[1]);
        var sum = transactions.Aggregate(0ul, (total, tx) => total + ulong.Parse(tx["gas_used"], CultureInfo.InvariantCulture));
        Assert.Equal(block["gas_used"], sum.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(257, transactions.Count(tx => tx["type"] == "2"));
        Assert.All(transactions, tx => Assert.Equal(tx["type"] == "2", tx["gas_price"] == "null"));
        Assert.All(transactions.Where(tx => tx["type"] == "0"), tx => Assert.Equal(tx["gas_price"], tx["max_fee_per_gas"]));
        Assert.Equal(6, transactions.Count(tx => tx["chain_id"] == "null"));
    }

    [Fact]
    public async Task FilesOfMainnetBlock_AreNoLargerThanAmpds()
    {
        const long ampd = 144_704;
        using var batch = Decode(MainnetBlock.Block, MainnetBlock.Receipts);

        var size = 0L;
        foreach (var table in batch.Tables)
        {
            using var writer = new ParquetFileWriter(Stream.Null, table.Schema, new ParquetWriterOptions());
            await writer.WriteAsync(table, CancellationToken.None);
            size += (await writer.CompleteAsync([], CancellationToken.None)).Size;
        }

        Assert.InRange(size, 100_000, ampd);
    }

    [Fact]
    public async Task DecodingAndWriting_OnceWarm_AllocateNothingPerRow()
    {
        const int blocks = 80;
        var decoder = new EvmBlockDecoder();
        using var batch = new BlockBatch(EvmTables.All);
        var writers = EvmTables.All.Select(table => new ParquetFileWriter(Stream.Null, table, new ParquetWriterOptions())).ToArray();
        await DecodeAndWriteAsync(blocks);
        var before = GC.GetAllocatedBytesForCurrentThread();
        await DecodeAndWriteAsync(blocks);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        var rows = blocks * (1 + 348 + 719);
        // The smallest object has 24 bytes. What is left are the pages' bounds.
        Assert.InRange(allocated, 0, 8 * rows);
        Array.ForEach(writers, writer => writer.Dispose());

        // Nothing of it waits, so that all happens on this thread.
        async Task DecodeAndWriteAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                decoder.Decode(15_000_000, MainnetBlock.Block, MainnetBlock.Receipts, batch);
                for (var table = 0; table < writers.Length; table++)
                {
                    await writers[table].WriteAsync(batch.Tables[table], CancellationToken.None);
                }

                batch.Clear();
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Decode_WhenKeysAreShuffledAndTextIsIndented_GivesTheSame(int seed)
    {
        var random = new Random(seed);
        var block = Bytes(Shuffle(MainnetBlock.BlockNode(), random).ToJsonString(Indented));
        var receipts = Bytes(Shuffle(MainnetBlock.ReceiptNodes(), random).ToJsonString(Indented));

        using var batch = Decode(block, receipts);

        AssertIsWhatTheOracleSays(batch, MainnetBlock.Block, MainnetBlock.Receipts);
    }

    [Fact]
    public void Decode_WhenReceiptsAreSortedOtherwise_GivesTheSame()
    {
        var nodes = MainnetBlock.ReceiptNodes().Select(node => node!.ToJsonString()).ToArray();
        new Random(7).Shuffle(nodes);

        using var batch = Decode(MainnetBlock.Block, Bytes($"[{string.Join(',', nodes)}]"));

        AssertIsWhatTheOracleSays(batch, MainnetBlock.Block, MainnetBlock.Receipts);
    }

    [Fact]
    public void Decode_OfReceiptsOneByOne_GivesTheSame()
    {
        var receipts = MainnetBlock.ReceiptNodes().Select(node => new ReadOnlyMemory<byte>(Bytes(node!.ToJsonString()))).ToList();
        using var batch = new BlockBatch(EvmTables.All);

        new EvmBlockDecoder().Decode(MainnetBlock.Number, MainnetBlock.Block, receipts, batch);

        AssertIsWhatTheOracleSays(batch, MainnetBlock.Block, MainnetBlock.Receipts);
    }

    [Theory]
    [InlineData("blocks")]
    [InlineData("transactions")]
    [InlineData("logs")]
    [InlineData("logs", "blocks")]
    public void Decode_WhenTheDatasetHasOnlySomeTables_FillsJustThose(params string[] names)
    {
        var tables = names.Select(name => EvmTables.All.Single(table => table.Name == name)).ToList();
        using var batch = new BlockBatch(tables);
        var node = MainnetBlock.BlockNode();
        if (!EvmBlockDecoder.NeedsTransactions(tables))
        {
            node["transactions"] = new JsonArray([.. node["transactions"]!.AsArray().Select(tx => (JsonNode)tx!["hash"]!.GetValue<string>())]);
        }

        new EvmBlockDecoder().Decode(
            MainnetBlock.Number, Bytes(node.ToJsonString()), EvmBlockDecoder.NeedsReceipts(tables) ? MainnetBlock.Receipts : [], batch);

        AssertIsWhatTheOracleSays(batch, MainnetBlock.Block, MainnetBlock.Receipts);
    }

    [Fact]
    public void Decode_OfManyBlocksIntoOneBatch_AppendsThem()
    {
        var decoder = new EvmBlockDecoder();
        using var batch = new BlockBatch(EvmTables.All);
        var (block, receipts) = HandWrittenBlock.Create();

        decoder.Decode(MainnetBlock.Number, MainnetBlock.Block, MainnetBlock.Receipts, batch);
        decoder.Decode(HandWrittenBlock.Number, Bytes(block), Bytes(receipts), batch);

        Assert.Equal(2, batch.Blocks.Count);
        Assert.Equal(Oracle(MainnetBlock.Block, MainnetBlock.Receipts, 1).Concat(Oracle(Bytes(block), Bytes(receipts), 1)), BatchRows.Read(batch.Tables[1]));
        Assert.Equal(Oracle(MainnetBlock.Block, MainnetBlock.Receipts, 2).Concat(Oracle(Bytes(block), Bytes(receipts), 2)), BatchRows.Read(batch.Tables[2]));
    }

    [Fact]
    public void Decode_OfEveryTransactionType_GivesEveryColumn()
    {
        var (block, receipts) = HandWrittenBlock.Create();

        using var batch = Decode(Bytes(block), Bytes(receipts), HandWrittenBlock.Number);

        AssertIsWhatTheOracleSays(batch, Bytes(block), Bytes(receipts));
        var rows = Cells(batch.Tables[1]);
        Assert.Equal(["0", "0", "0", "1", "2", "3", "4", "126"], rows.Select(row => row["type"]));
        Assert.Equal(["null", "5", "1", "1", "1", "1", "1", "null"], rows.Select(row => row["chain_id"]));
        Assert.Equal(["true", "true", "false", "true", "false", "true", "false", "false"], rows.Select(row => row["v_parity"]));
        Assert.Equal("null", rows[0]["to"]);
        Assert.Equal("115792089237316195423570985008687907853269984665640564039457584007913129639935", rows[1]["value"]);
        Assert.Equal("0x" + new string('0', 61) + "abc", rows[1]["r"]);
        Assert.Equal("null", rows[0]["access_list"]);
        Assert.Equal("[]", rows[4]["access_list"]);
        Assert.Equal(2, rows[3]["access_list"].Split("address:").Length - 1);
        Assert.Equal("0x" + new string('0', 64), rows[7]["r"]);
        Assert.Equal("0", rows[7]["nonce"]);
        Assert.Equal("null", rows[7]["gas_price"]);
    }

    [Fact]
    public void Decode_OfReceiptsBeforeByzantium_TakesTheRootAndSucceeds()
    {
        var (block, receipts) = HandWrittenBlock.Create(isBeforeByzantium: true);

        using var batch = Decode(Bytes(block), Bytes(receipts), HandWrittenBlock.Number);

        AssertIsWhatTheOracleSays(batch, Bytes(block), Bytes(receipts));
        Assert.All(Cells(batch.Tables[1]), row =>
        {
            Assert.Equal("true", row["status"]);
            Assert.StartsWith("0x", row["state_root"], StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Decode_WhenOptionalHeaderFieldsAreMissing_WritesNullsAndZeros()
    {
        var (block, receipts) = HandWrittenBlock.Create();
        var node = JsonNode.Parse(block)!.AsObject();
        foreach (var optional in new[] { "mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash" })
        {
            Assert.True(node.Remove(optional));
        }

        using var batch = Decode(Bytes(node.ToJsonString()), Bytes(receipts), HandWrittenBlock.Number);

        AssertIsWhatTheOracleSays(batch, Bytes(node.ToJsonString()), Bytes(receipts));
        Assert.Equal("0", Cells(batch.Tables[0])[0]["nonce"]);
    }

    [Fact]
    public void Decode_WhenKeysAndSkippedValuesHaveEscapes_ReadsThem()
    {
        var (block, receipts) = HandWrittenBlock.Create();
        var escaped = block.Replace("\"hash\"", "\"h\\u0061sh\"", StringComparison.Ordinal)
            .Replace("\"number\"", "\"extra\\\"\\\\\": {\"a\\\\\": [\"}\\\"]\", 1e3, true, null]}, \"number\"", StringComparison.Ordinal);

        using var batch = Decode(Bytes(escaped), Bytes(receipts), HandWrittenBlock.Number);

        AssertIsWhatTheOracleSays(batch, Bytes(block), Bytes(receipts));
    }

    private static BlockBatch Decode(byte[] block, byte[] receipts, ulong number = MainnetBlock.Number)
    {
        var batch = new BlockBatch(EvmTables.All);
        new EvmBlockDecoder().Decode(number, block, receipts, batch);
        return batch;
    }

    private static void AssertIsWhatTheOracleSays(BlockBatch batch, byte[] block, byte[] receipts)
    {
        foreach (var table in batch.Tables)
        {
            var index = EvmTables.All.ToList().FindIndex(schema => schema.Name == table.Schema.Name);
            Assert.Equal(Oracle(block, receipts, index), BatchRows.Read(table));
        }
    }

    private static List<string> Oracle(byte[] block, byte[] receipts, int table)
    {
        using var blockDocument = JsonDocument.Parse(block);
        using var receiptsDocument = JsonDocument.Parse(receipts);
        return table switch
        {
            0 => EvmOracle.Blocks(blockDocument.RootElement),
            1 => EvmOracle.Transactions(blockDocument.RootElement, receiptsDocument.RootElement),
            _ => EvmOracle.Logs(blockDocument.RootElement, receiptsDocument.RootElement),
        };
    }

    private static List<Dictionary<string, string>> Cells(TableBuffer table) =>
        [.. BatchRows.Read(table).Select(row => row.TrimEnd('\n').Split('\n').Select(cell => cell.Split('=', 2)).ToDictionary(cell => cell[0], cell => cell[1]))];

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static JsonNode Shuffle(JsonNode node, Random random)
    {
        switch (node)
        {
            case JsonObject members:
                var shuffled = members.Select(member => (member.Key, Value: member.Value is null ? null : Shuffle(member.Value, random))).ToArray();
                random.Shuffle(shuffled);
                return new JsonObject(shuffled.Select(member => KeyValuePair.Create(member.Key, member.Value)));
            case JsonArray elements:
                return new JsonArray([.. elements.Select(element => element is null ? null : Shuffle(element, random))]);
            default:
                return node.DeepClone();
        }
    }
}
