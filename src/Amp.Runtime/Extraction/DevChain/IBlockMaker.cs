using System.Buffers;

namespace Amp.Extraction.DevChains;

/// <summary>
/// Writes the blocks of a chain as the JSON a node answers. Pure: the same link gives the same bytes at any time, so
/// nobody has to keep blocks. Safe for use by several threads.
/// </summary>
internal interface IBlockMaker
{
    /// <summary>What <c>eth_chainId</c> answers.</summary>
    ulong ChainId { get; }

    /// <summary>Hash of block <paramref name="number"/> of a branch, on top of a parent; zero is the first block's parent.</summary>
    Hash32 HashOf(ulong number, Hash32 parentHash, uint branch);

    /// <summary>Hashes of a block's transactions, in order.</summary>
    IReadOnlyList<Hash32> TransactionHashesOf(DevLink block);

    /// <summary>Writes a block with its transactions, or with only their hashes.</summary>
    void WriteBlock(DevLink block, bool fullTransactions, IBufferWriter<byte> output);

    /// <summary>Writes the array of a block's receipts.</summary>
    void WriteReceipts(DevLink block, IBufferWriter<byte> output);

    /// <summary>Writes one transaction of a block.</summary>
    void WriteTransaction(DevLink block, int index, IBufferWriter<byte> output);

    /// <summary>Writes one receipt of a block.</summary>
    void WriteReceipt(DevLink block, int index, IBufferWriter<byte> output);
}
