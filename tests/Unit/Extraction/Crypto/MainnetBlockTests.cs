using System.Text.Json;
using Amp.Support;

namespace Amp.Extraction.Crypto;

/// <summary>Block 15,000,000 of mainnet proves Keccak, RLP, blooms and the trie against the real chain.</summary>
public sealed class MainnetBlockTests
{
    private readonly JsonBlock _block = new(Read("block"), Read("receipts"));

    [Fact]
    public void Hash_OfHeader_IsTheBlocksHash() => AssertField("hash", _block.Hash());

    [Fact]
    public void TransactionsRoot_OfSignedTransactions_IsTheHeaders() => AssertField("transactionsRoot", _block.TransactionsRoot());

    [Fact]
    public void ReceiptsRoot_WithBloomsFromLogs_IsTheHeaders() => AssertField("receiptsRoot", _block.ReceiptsRoot());

    [Fact]
    public void Bloom_OfAllLogs_IsTheHeaders() => AssertField("logsBloom", JsonBlock.Bloom(_block.Receipts));

    [Fact]
    public void Hash_OfEachSignedTransaction_IsItsHash()
    {
        Assert.Equal(348, _block.Transactions.Length);
        Assert.All(_block.Transactions, transaction =>
            Assert.Equal(transaction.GetProperty("hash").GetString(), JsonBlock.TransactionHash(transaction)));
    }

    private static JsonElement Read(string part) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestTools.Fixtures, "evm", $"mainnet-15000000.{part}.json"))).RootElement;

    private void AssertField(string name, string actual) => Assert.Equal(_block.Block.GetProperty(name).GetString(), actual);
}
