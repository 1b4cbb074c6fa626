using System.Text;
using System.Text.Json.Nodes;

namespace Amp.Extraction.EvmRpc;

public sealed class EvmBlockDecoderErrorTests
{
    private static readonly (string Block, string Receipts) Good = HandWrittenBlock.Create();

    private readonly EvmBlockDecoder _decoder = new();

    [Theory]
    [InlineData("hash")]
    [InlineData("parentHash")]
    [InlineData("number")]
    [InlineData("timestamp")]
    [InlineData("logsBloom")]
    [InlineData("difficulty")]
    [InlineData("transactions")]
    public void Decode_WhenHeaderFieldIsMissingOrNull_NamesIt(string field)
    {
        foreach (var remove in new[] { true, false })
        {
            var error = AssertRefused(block => Drop(block.AsObject(), field, remove), _ => { }, "InvalidBlock");

            Assert.Contains($" {field} of the header is missing.", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0, "hash")]
    [InlineData(0, "from")]
    [InlineData(1, "nonce")]
    [InlineData(1, "transactionIndex")]
    [InlineData(2, "gas")]
    [InlineData(2, "input")]
    [InlineData(2, "value")]
    [InlineData(0, "gasPrice")]
    [InlineData(0, "v")]
    [InlineData(1, "r")]
    [InlineData(3, "accessList")]
    [InlineData(3, "chainId")]
    [InlineData(4, "maxFeePerGas")]
    [InlineData(4, "maxPriorityFeePerGas")]
    [InlineData(5, "maxFeePerBlobGas")]
    [InlineData(5, "blobVersionedHashes")]
    [InlineData(6, "authorizationList")]
    [InlineData(6, "s")]
    public void Decode_WhenTransactionFieldIsMissingOrNull_NamesIt(int transaction, string field)
    {
        foreach (var remove in new[] { true, false })
        {
            var error = AssertRefused(block => Drop(Transaction(block, transaction), field, remove), _ => { }, "InvalidBlock");

            Assert.Contains($"Block 22000000 cannot be decoded: {field} of transaction {transaction} is missing.", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("gasUsed", "gasUsed")]
    [InlineData("transactionHash", "transactionHash")]
    [InlineData("transactionIndex", "transactionIndex")]
    [InlineData("blockHash", "blockHash")]
    [InlineData("status", "status")]
    [InlineData("logs", "logs")]
    public void Decode_WhenReceiptFieldIsMissing_NamesIt(string remove, string field)
    {
        var error = AssertRefused(_ => { }, receipts => Assert.True(receipts[2]!.AsObject().Remove(remove)), "InvalidBlock");

        Assert.Contains($"{field} of the receipt of transaction 2 is missing.", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("address")]
    [InlineData("topics")]
    [InlineData("data")]
    [InlineData("logIndex")]
    public void Decode_WhenLogFieldIsMissing_NamesIt(string field)
    {
        var error = AssertRefused(_ => { }, receipts => Assert.True(receipts[2]!["logs"]![1]!.AsObject().Remove(field)), "InvalidBlock");

        Assert.Contains($"{field} of log 1 of transaction 2 is missing.", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hash", "0x12", "2 hex digits instead of 64")]
    [InlineData("hash", "12", "not a hex number")]
    [InlineData("hash", "0x00000000000000000000000000000000000000000000000000000000000000g2", "not a hex number")]
    [InlineData("hash", "0x0000000000000000000000000000000000000000000000000000000000000000aa", "66 hex digits instead of 64")]
    [InlineData("miner", "0X0000000000000000000000000000000000000001", "not a hex number")]
    [InlineData("gasLimit", "0x10000000000000000", "does not fit into 64 bits")]
    [InlineData("gasLimit", "0x", "not a hex number")]
    [InlineData("gasLimit", "0x-1", "not a hex number")]
    [InlineData("gasLimit", "21000", "not a hex number")]
    [InlineData("gasLimit", "", "not a hex number")]
    [InlineData("timestamp", "0x225c17d05", "too late")]
    [InlineData("difficulty", "0x4b3b4ca85a86c47a098a224000000000", "38 decimal digits")]
    [InlineData("difficulty", "0x1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "does not fit into 256 bits")]
    [InlineData("extraData", "0x123", "odd number")]
    [InlineData("extraData", "0x12é4", "odd number")]
    [InlineData("logsBloom", "0x1234", "256 bytes")]
    [InlineData("nonce", "0x00000000000000zz", "not a hex number")]
    public void Decode_WhenHeaderValueIsNotWhatItMustBe_NamesFieldAndReason(string field, string value, string reason)
    {
        var error = AssertRefused(block => block[field] = value, _ => { }, "InvalidBlock");

        Assert.Contains($"{field} of the header ", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_WhenTransactionValuesAreNotWhatTheyMustBe_NamesFieldAndReason()
    {
        AssertTransactionRefused(4, "gasPrice", JsonValue.Create("0x" + new string('f', 40)), "38 decimal digits");
        AssertTransactionRefused(4, "value", JsonValue.Create("0x1" + new string('0', 64)), "256 bits");
        AssertTransactionRefused(4, "r", JsonValue.Create("0x1" + new string('0', 64)), "256 bits");
        AssertTransactionRefused(4, "s", JsonValue.Create("0x" + new string('g', 64)), "not a hex number");
        AssertTransactionRefused(4, "s", JsonValue.Create("0xg"), "not a hex number");
        AssertTransactionRefused(4, "yParity", JsonValue.Create("0x2"), "no signature has");
        AssertTransactionRefused(2, "v", JsonValue.Create("0x1d"), "no signature has");
        AssertTransactionRefused(4, "type", JsonValue.Create("0x80000000"), "31 bits");
        AssertTransactionRefused(4, "nonce", JsonValue.Create(3), "not a string");
        AssertTransactionRefused(4, "input", new JsonArray(), "not a string");
        AssertTransactionRefused(4, "transactionIndex", JsonValue.Create("0x3"), "number 4 of the list");
        AssertTransactionRefused(4, "accessList", JsonValue.Create("0x"), "not a list");
        AssertTransactionRefused(3, "accessList", new JsonArray(new JsonObject { ["address"] = "0x" + new string('1', 40) }), "missing", "storageKeys");
        AssertTransactionRefused(3, "accessList", new JsonArray(new JsonObject { ["storageKeys"] = new JsonArray("0x12") }), "2 hex digits");
        AssertTransactionRefused(5, "blobVersionedHashes", new JsonArray("0x12"), "2 hex digits");
        AssertTransactionRefused(6, "authorizationList", new JsonArray(new JsonObject { ["chainId"] = "0x1" }), "missing", "address");
    }

    [Theory]
    [InlineData("status", "0x2", "neither 0 nor 1")]
    [InlineData("gasUsed", "0x10000000000000000", "64 bits")]
    [InlineData("root", "0x12", "2 hex digits")]
    public void Decode_WhenReceiptValueIsNotWhatItMustBe_NamesFieldAndReason(string field, string value, string reason)
    {
        var error = AssertRefused(_ => { }, receipts => receipts[3]![field] = value, "InvalidBlock");

        Assert.Contains($"{field} of the receipt of transaction 3 ", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_WhenLogValuesAreNotWhatTheyMustBe_NamesFieldAndReason()
    {
        AssertLogRefused("topics", new JsonArray([.. Enumerable.Range(0, 5).Select(_ => (JsonNode)("0x" + new string('1', 64)))]), "more than 4");
        AssertLogRefused("logIndex", "0x1", "the log before it has 1");
        AssertLogRefused("logIndex", "0x100000000", "32 bits");
        AssertLogRefused("data", "0x1", "odd number");
        AssertLogRefused("address", null, "null");

        static void Check(JsonNode? value, string field, string reason, EvmBlockDecoderErrorTests test)
        {
            var error = test.AssertRefused(_ => { }, receipts => receipts[2]!["logs"]![1]![field] = value, "InvalidBlock");
            Assert.Contains($"{field} of log 1 of transaction 2 ", error.Message, StringComparison.Ordinal);
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        }

        void AssertLogRefused(string field, JsonNode? value, string reason) => Check(value, field, reason, this);
    }

    [Fact]
    public void Decode_WhenFieldIsThereTwice_RefusesTheBlock()
    {
        var block = Good.Block.Replace("\"parentHash\"", "\"hash\"", StringComparison.Ordinal);

        var error = AssertRefused(block, Good.Receipts, "InvalidBlock");

        Assert.Contains("hash of the header is there twice", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_WhenNodeAnswersWithAnotherBlock_SaysWhich()
    {
        var error = AssertRefused(block => block["number"] = "0x5", _ => { }, "InvalidBlock");

        Assert.Equal("Block 22000000 cannot be decoded: the node answered with block 5.", error.Message);
    }

    [Fact]
    public void Decode_WhenNodeHasNoSuchBlock_SaysSo()
    {
        AssertRefused("null", "null", "BlockNotFound");
        AssertRefused(Good.Block, "null", "BlockNotFound");
    }

    [Fact]
    public void Decode_WhenReceiptsAreTooFewOrTooMany_SaysHowMany()
    {
        var few = AssertRefused(_ => { }, receipts => receipts.RemoveAt(7), "ReceiptsMismatch");
        var many = AssertRefused(_ => { }, receipts => receipts.Add(receipts[7]!.DeepClone()), "ReceiptsMismatch");
        AssertRefused(_ => { }, receipts => receipts.Clear(), "ReceiptsMismatch");
        AssertRefused(block => block["transactions"] = new JsonArray(), _ => { }, "ReceiptsMismatch");

        Assert.Equal("Block 22000000 cannot be decoded: it has 8 transactions but 7 receipts.", few.Message);
        Assert.Equal("Block 22000000 cannot be decoded: it has 8 transactions but at least 9 receipts.", many.Message);
    }

    [Fact]
    public void Decode_WhenReceiptIsOfAnotherTransaction_NamesIt()
    {
        var hash = AssertRefused(_ => { }, receipts => receipts[3]!["transactionHash"] = "0x" + new string('9', 64), "ReceiptsMismatch");
        var index = AssertRefused(_ => { }, receipts => receipts[3]!["transactionIndex"] = "0x9", "ReceiptsMismatch");
        var log = AssertRefused(_ => { }, receipts => receipts[3]!["logs"]![0]!["transactionHash"] = "0x" + new string('9', 64), "ReceiptsMismatch");
        AssertRefused(_ => { }, receipts => receipts[3]!["logs"]![0]!["transactionIndex"] = "0x2", "ReceiptsMismatch");

        Assert.Contains("the receipt of transaction 3 belongs to another transaction", hash.Message, StringComparison.Ordinal);
        Assert.Contains("the receipt of transaction 3 belongs to another transaction", log.Message, StringComparison.Ordinal);
        Assert.Contains("index of another", index.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decode_WhenReceiptsAreOfAnotherBlock_SaysSo()
    {
        var other = "0x" + new string('9', 64);

        AssertRefused(_ => { }, receipts => receipts[5]!["blockHash"] = other, "ReceiptsOfAnotherBlock");
        AssertRefused(_ => { }, receipts => receipts[3]!["logs"]![0]!["blockHash"] = other, "ReceiptsOfAnotherBlock");
        AssertRefused(block => block["hash"] = other, _ => { }, "ReceiptsOfAnotherBlock");
    }

    [Fact]
    public void Decode_OfTruncatedText_IsRefusedAtEveryLength()
    {
        for (var length = 0; length < Good.Block.Length; length++)
        {
            AssertRefused(Good.Block[..length], Good.Receipts, "InvalidBlock");
        }

        for (var length = 0; length < Good.Receipts.Length; length++)
        {
            AssertRefused(Good.Block, Good.Receipts[..length], "InvalidBlock");
        }
    }

    [Fact]
    public void Decode_OfTruncatedMainnetBlock_IsRefused()
    {
        for (var length = 1; length < MainnetBlock.Block.Length; length += 4999)
        {
            AssertRefused(MainnetBlock.Number, MainnetBlock.Block.AsMemory(0, length), MainnetBlock.Receipts, "InvalidBlock");
        }

        for (var length = 1; length < MainnetBlock.Receipts.Length; length += 9973)
        {
            AssertRefused(MainnetBlock.Number, MainnetBlock.Block, MainnetBlock.Receipts.AsMemory(0, length), "InvalidBlock");
        }
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("3")]
    [InlineData("\"0x\"")]
    [InlineData("<html>")]
    [InlineData("nul")]
    public void Decode_OfSomethingElse_IsRefused(string text)
    {
        AssertRefused(text, Good.Receipts, "InvalidBlock");
        if (text != "[]")
        {
            AssertRefused(Good.Block, text, "InvalidBlock");
        }
    }

    [Fact]
    public void Decode_WhenTextGoesOnBehindItsEnd_IsRefused()
    {
        AssertRefused(Good.Block + "}", Good.Receipts, "InvalidBlock");
        AssertRefused(Good.Block, Good.Receipts + ",", "InvalidBlock");
    }

    [Fact]
    public void Decode_WhenAnyByteIsChanged_EitherRefusesOrKeepsTheShape()
    {
        var random = new Random(5);
        var bytes = "\"{}[],:0xg \\n\0\u0080"u8.ToArray();
        for (var round = 0; round < 4000; round++)
        {
            var block = Encoding.UTF8.GetBytes(Good.Block);
            var receipts = Encoding.UTF8.GetBytes(Good.Receipts);
            var target = round % 2 == 0 ? block : receipts;
            target[random.Next(target.Length)] = bytes[random.Next(bytes.Length)];
            using var batch = BatchWithEarlierBlock();

            try
            {
                _decoder.Decode(HandWrittenBlock.Number, block, receipts, batch);
            }
            catch (AmpException)
            {
                AssertHoldsOnlyEarlierBlock(batch);
                continue;
            }

            Assert.Equal([2, 16, 22], batch.Tables.Select(table => table.RowCount));
            Assert.All(batch.Tables, table => Assert.Equal(table.RowCount, BatchRows.Read(table).Count));
        }
    }

    private void AssertTransactionRefused(int transaction, string field, JsonNode value, string reason, string? inner = null)
    {
        var error = AssertRefused(block => Transaction(block, transaction)[field] = value, _ => { }, "InvalidBlock");

        Assert.Contains($"{inner ?? field} of transaction {transaction} ", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private AmpException AssertRefused(Action<JsonNode> changeBlock, Action<JsonArray> changeReceipts, string code)
    {
        var block = JsonNode.Parse(Good.Block)!;
        var receipts = JsonNode.Parse(Good.Receipts)!.AsArray();
        changeBlock(block);
        changeReceipts(receipts);
        return AssertRefused(block.ToJsonString(), receipts.ToJsonString(), code);
    }

    private AmpException AssertRefused(string block, string receipts, string code) =>
        AssertRefused(HandWrittenBlock.Number, Encoding.UTF8.GetBytes(block), Encoding.UTF8.GetBytes(receipts), code);

    private AmpException AssertRefused(ulong number, ReadOnlyMemory<byte> block, ReadOnlyMemory<byte> receipts, string code)
    {
        using var batch = BatchWithEarlierBlock();

        var error = Assert.Throws<AmpException>(() => _decoder.Decode(number, block, receipts, batch));

        Assert.Equal(code, error.ErrorCode);
        Assert.True(error.IsTransient);
        Assert.Equal(number, error.Target);
        AssertHoldsOnlyEarlierBlock(batch);
        return error;
    }

    private static readonly BlockBatch Earlier = CreateEarlierBatch();

    private static BlockBatch CreateEarlierBatch()
    {
        var batch = new BlockBatch(EvmTables.All);
        var (block, receipts) = HandWrittenBlock.Create(isBeforeByzantium: true);
        new EvmBlockDecoder().Decode(HandWrittenBlock.Number, Encoding.UTF8.GetBytes(block), Encoding.UTF8.GetBytes(receipts), batch);
        return batch;
    }

    private static BlockBatch BatchWithEarlierBlock()
    {
        var batch = new BlockBatch(EvmTables.All);
        for (var i = 0; i < batch.Tables.Length; i++)
        {
            batch.Tables[i].Append(Earlier.Tables[i]);
        }

        batch.Blocks.AddRange(Earlier.Blocks);
        return batch;
    }

    private static void AssertHoldsOnlyEarlierBlock(BlockBatch batch)
    {
        Assert.Equal(Earlier.Blocks, batch.Blocks);
        for (var i = 0; i < batch.Tables.Length; i++)
        {
            Assert.Equal(Earlier.Tables[i].RowCount, batch.Tables[i].RowCount);
            for (var c = 0; c < batch.Tables[i].Columns.Length; c++)
            {
                var (expected, actual) = (Earlier.Tables[i].Columns[c], batch.Tables[i].Columns[c]);
                Assert.Equal(0, actual.Repetition);
                Assert.Equal(expected.EntryCount, actual.EntryCount);
                Assert.Equal(expected.ValueCount, actual.ValueCount);
                Assert.True(expected.Values.SequenceEqual(actual.Values));
                Assert.True(expected.ValueEnds.SequenceEqual(actual.ValueEnds));
                Assert.True(expected.DefinitionLevels.SequenceEqual(actual.DefinitionLevels));
                Assert.True(expected.RepetitionLevels.SequenceEqual(actual.RepetitionLevels));
            }
        }
    }

    private static JsonObject Transaction(JsonNode block, int index) => block["transactions"]![index]!.AsObject();

    private static void Drop(JsonObject owner, string field, bool remove)
    {
        Assert.True(owner.ContainsKey(field));
        if (remove)
        {
            owner.Remove(field);
        }
        else
        {
            owner[field] = null;
        }
    }
}
