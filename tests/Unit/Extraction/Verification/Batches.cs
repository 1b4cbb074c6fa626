using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using Amp.Extraction.DevChains;
using Amp.Extraction.EvmRpc;

namespace Amp.Extraction.Verification;

/// <summary>Blocks decoded from what a node answers.</summary>
internal static class Batches
{
    /// <summary>The recorded block 15,000,000 of mainnet.</summary>
    public static BlockBatch Mainnet() => Decode((MainnetBlock.Block, MainnetBlock.Receipts));

    /// <summary>Blocks as a node answers them: each with its receipts.</summary>
    public static BlockBatch Decode(params IEnumerable<(byte[] Block, byte[] Receipts)> blocks)
    {
        var batch = new BlockBatch(EvmTables.All);
        var decoder = new EvmBlockDecoder();
        foreach (var (block, receipts) in blocks)
        {
            var number = Convert.ToUInt64(JsonNode.Parse(block)!["number"]!.GetValue<string>()[2..], 16);
            decoder.Decode(number, block, receipts, batch);
        }

        return batch;
    }

    /// <summary>As above, from JSON.</summary>
    public static BlockBatch Decode(JsonNode block, JsonNode receipts) => Decode((Bytes(block), Bytes(receipts)));

    /// <summary>Generated blocks, as JSON.</summary>
    public static IEnumerable<(byte[] Block, byte[] Receipts)> Generate(DevChainOptions options, int count)
    {
        var maker = new GeneratedBlocks(options);
        var parent = default(Hash32);
        for (var number = options.FirstBlock; number < options.FirstBlock + (ulong)count; number++)
        {
            var link = new DevLink(number, maker.HashOf(number, parent, 0), parent, 0);
            var (block, receipts) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
            maker.WriteBlock(link, fullTransactions: true, block);
            maker.WriteReceipts(link, receipts);
            yield return (block.WrittenSpan.ToArray(), receipts.WrittenSpan.ToArray());
            parent = link.Hash;
        }
    }

    public static byte[] Bytes(JsonNode node) => Encoding.UTF8.GetBytes(node.ToJsonString());
}
