using System.Buffers;

namespace Amp.Extraction.DevChains;

/// <summary>A generated block as JSON, and where its transactions and receipts stand in it.</summary>
/// <param name="Block">The block with full transactions.</param>
/// <param name="List">Where the contents of its array of transactions are.</param>
/// <param name="Transactions">Where each transaction is.</param>
/// <param name="Receipts">The array of receipts.</param>
/// <param name="ReceiptRanges">Where each receipt is.</param>
/// <param name="Hashes">Hashes of the transactions.</param>
internal sealed record RenderedBlock(
    byte[] Block, Range List, Range[] Transactions, byte[] Receipts, Range[] ReceiptRanges, Hash32[] Hashes)
{
    /// <summary>Writes the block with only the hashes of its transactions.</summary>
    public void WriteWithHashes(IBufferWriter<byte> output)
    {
        output.Write(Block.AsSpan(..List.Start));
        for (var i = 0; i < Hashes.Length; i++)
        {
            output.Write(i > 0 ? ","u8 : default);
            output.WriteData(Hashes[i]);
        }

        output.Write(Block.AsSpan(List.End..));
    }
}
