using Amp.Extraction.Crypto;
using Amp.Extraction.EvmRpc;
using Amp.Parquet;

namespace Amp.Extraction.Verification;

/// <summary>
/// Recomputes hashes and roots of blocks from their extracted rows, and refuses what does not fit. Keeps its memory from
/// block to block and makes no object per transaction or log; not safe for use by two threads at once.
/// </summary>
internal sealed class BlockVerifier
{
    private readonly TableCursor _blocks = new(EvmTables.Blocks);
    private readonly TableCursor _transactions = new(EvmTables.Transactions);
    private readonly TableCursor _logs = new(EvmTables.Logs);
    private readonly HeaderEncoder _headerEncoder;
    private readonly TransactionEncoder _transactionEncoder;
    private readonly ReceiptEncoder _receiptEncoder;
    private readonly BlockCopies _copies;
    private readonly ColumnCursor _internalNumber;
    private readonly ColumnCursor _number;
    private readonly ColumnCursor _timestamp;
    private readonly ColumnCursor _hash;
    private readonly ColumnCursor _parentHash;
    private readonly ColumnCursor _transactionsRoot;
    private readonly ColumnCursor _receiptRoot;
    private readonly ColumnCursor _logsBloom;
    private readonly ColumnCursor _transactionIndex;
    private readonly ColumnCursor _transactionHash;
    private readonly RlpWriter _header = new();
    private readonly EncodedItems _transactionItems = new();
    private readonly EncodedItems _receiptItems = new();
    private readonly MerklePatriciaTrie _trie = new();

    public BlockVerifier()
    {
        _headerEncoder = new HeaderEncoder(_blocks);
        _transactionEncoder = new TransactionEncoder(_transactions);
        _receiptEncoder = new ReceiptEncoder(_transactions, _logs);
        _copies = new BlockCopies(_transactions, "transaction");
        _internalNumber = _blocks["_block_num"];
        _number = _blocks["block_num"];
        _timestamp = _blocks["timestamp"];
        _hash = _blocks["hash"];
        _parentHash = _blocks["parent_hash"];
        _transactionsRoot = _blocks["transactions_root"];
        _receiptRoot = _blocks["receipt_root"];
        _logsBloom = _blocks["logs_bloom"];
        _transactionIndex = _transactions["tx_index"];
        _transactionHash = _transactions["tx_hash"];
    }

    /// <summary>
    /// Verifies all blocks of a batch that has all tables of <see cref="EvmTables"/>. The batch stays as it is.
    /// </summary>
    /// <exception cref="AmpException">
    /// <c>BlockVerificationFailed</c>, transient, names block and field; <c>BlockNotVerifiable</c> names a transaction of
    /// a type that is not Ethereum's.
    /// </exception>
    public void Verify(BlockBatch batch)
    {
        _blocks.Begin(batch);
        _transactions.Begin(batch);
        _logs.Begin(batch);
        var last = 0UL;
        foreach (var link in batch.Blocks)
        {
            if (!_blocks.HasRow)
            {
                throw VerificationError.Failed(link.Number, "it has no row in blocks");
            }

            VerifyBlock(link);
            _blocks.MoveNext();
            last = link.Number;
        }

        if (_blocks.HasRow || _transactions.HasRow || _logs.HasRow)
        {
            var table = _blocks.HasRow ? _blocks : _transactions.HasRow ? _transactions : _logs;
            throw VerificationError.Failed(last, $"behind it, {table.Name} has a row that belongs to none of the blocks read with it");
        }
    }

    private void VerifyBlock(BlockLink link)
    {
        var block = new BlockKey(link.Number, _hash.Value, _timestamp.UInt64);
        VerifyHeader(link, block);
        EncodeTransactions(block);

        Span<byte> root = stackalloc byte[Keccak256.HashLength];
        _trie.Root(_transactionItems).CopyTo(root);
        Require(block, _transactionsRoot, root);
        Require(block, _logsBloom, _receiptEncoder.BlockBloom);
        _trie.Root(_receiptItems).CopyTo(root);
        Require(block, _receiptRoot, root);
    }

    private void VerifyHeader(BlockLink link, in BlockKey block)
    {
        Span<byte> hash = stackalloc byte[Keccak256.HashLength];
        Require(block, _internalNumber);
        Require(block, _number);
        if (!HeaderEncoder.IsWholeSecond(block.Timestamp))
        {
            throw VerificationError.Failed(block.Number, $"{_timestamp.Name} is {block.Timestamp} ns, which is not a whole second");
        }

        _header.Truncate();
        _headerEncoder.Write(_header);
        Keccak256.Hash(_header.Written, hash);
        Require(block, _hash, hash);

        // What ties the rows to the chain.
        link.Hash.CopyTo(hash);
        Require(block, _hash, hash);
        link.ParentHash.CopyTo(hash);
        Require(block, _parentHash, hash);
    }

    private void EncodeTransactions(in BlockKey block)
    {
        Span<byte> hash = stackalloc byte[Keccak256.HashLength];
        _transactionItems.Clear();
        _receiptItems.Clear();
        _receiptEncoder.Begin();
        for (var index = 0; _copies.AreOf(block); index++)
        {
            _copies.Require(block, index);
            if (_transactionIndex.UInt32 != (uint)index)
            {
                throw VerificationError.Mismatch(block.Number, $"{_transactionIndex.Name} of transaction {index}", $"{_transactionIndex.UInt32}", $"{index}");
            }

            _transactionEncoder.Write(_transactionItems.Writer, block.Number, index);
            _transactionItems.EndItem();
            Keccak256.Hash(_transactionItems[index], hash);
            if (!hash.SequenceEqual(_transactionHash.Value))
            {
                throw VerificationError.Mismatch(block.Number, $"{_transactionHash.Name} of transaction {index}", _transactionHash.Value, hash);
            }

            _receiptEncoder.Write(_receiptItems.Writer, block, index, _transactionEncoder.Type, hash);
            _receiptItems.EndItem();
            _transactions.MoveNext();
        }

        _receiptEncoder.RequireNoMoreLogs(block);
    }

    private static void Require(in BlockKey block, ColumnCursor column)
    {
        if (column.UInt64 != block.Number)
        {
            throw VerificationError.Mismatch(block.Number, column.Name, $"{column.UInt64}", $"{block.Number}");
        }
    }

    private static void Require(in BlockKey block, ColumnCursor column, ReadOnlySpan<byte> computed)
    {
        if (!column.Value.SequenceEqual(computed))
        {
            throw VerificationError.Mismatch(block.Number, column.Name, column.Value, computed);
        }
    }
}
