using System.Text.Json.Nodes;
using Amp.Support;

namespace Amp.Extraction.EvmRpc;

/// <summary>The recorded block 15,000,000 of Ethereum mainnet.</summary>
internal static class MainnetBlock
{
    public const ulong Number = 15_000_000;

    public static byte[] Block { get; } = File.ReadAllBytes(Path.Combine(TestTools.Fixtures, "evm", "mainnet-15000000.block.json"));

    public static byte[] Receipts { get; } = File.ReadAllBytes(Path.Combine(TestTools.Fixtures, "evm", "mainnet-15000000.receipts.json"));

    public static JsonObject BlockNode() => JsonNode.Parse(Block)!.AsObject();

    public static JsonArray ReceiptNodes() => JsonNode.Parse(Receipts)!.AsArray();
}
