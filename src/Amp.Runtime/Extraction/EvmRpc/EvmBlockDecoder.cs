using Amp.Parquet;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// Decodes what a node answers about a block into the columns of a <see cref="BlockBatch"/>: one forward pass over
/// the block and one over its receipts, without an object per transaction or log. Tables that the batch does not
/// have are not decoded. Keys may come in any order; unknown ones are skipped. After an error the batch is as it was
/// before. Keeps memory between blocks; not safe for use by two threads at once.
/// </summary>
internal sealed class EvmBlockDecoder
{
    private readonly BlockContext _block = new();
    private readonly HeaderDecoder _header = new();
    private readonly TransactionDecoder _transactions = new();
    private readonly ReceiptDecoder _receipts = new();
    private readonly BatchMark _mark = new();
    private readonly BatchMark _receiptsMark = new();

    // Takes the header of batches without a table of blocks.
    private readonly TableBuffer _unusedBlocks = new(EvmTables.Blocks);

    /// <summary>Whether these tables need receipts; without them the empty text does.</summary>
    public static bool NeedsReceipts(IEnumerable<TableSchema> tables) => tables.Any(table => table.Name != EvmTables.Blocks.Name);

    /// <summary>Whether these tables need whole transactions in the block, not only their hashes.</summary>
    public static bool NeedsTransactions(IEnumerable<TableSchema> tables) => tables.Any(table => table.Name == EvmTables.Transactions.Name);

    /// <summary>Decodes a block and the list of its receipts and adds it to the batch.</summary>
    /// <param name="number">The block asked for.</param>
    /// <param name="block">Result of <c>eth_getBlockByNumber</c>.</param>
    /// <param name="receipts">Result of <c>eth_getBlockReceipts</c>; not read when no table needs it.</param>
    /// <param name="batch">Where the rows go.</param>
    /// <exception cref="AmpException">
    /// <c>BlockNotFound</c>, <c>InvalidBlock</c>, <c>ReceiptsMismatch</c> or <c>ReceiptsOfAnotherBlock</c>, all of them
    /// transient: another try, or another node behind the same address, may do better.
    /// </exception>
    public void Decode(ulong number, ReadOnlyMemory<byte> block, ReadOnlyMemory<byte> receipts, BlockBatch batch) =>
        Decode(number, block, receipts, each: null, batch);

    /// <summary>Decodes a block and the receipts of its transactions, one text each, in their order.</summary>
    /// <inheritdoc cref="Decode(ulong, ReadOnlyMemory{byte}, ReadOnlyMemory{byte}, BlockBatch)"/>
    public void Decode(ulong number, ReadOnlyMemory<byte> block, IReadOnlyList<ReadOnlyMemory<byte>> receipts, BlockBatch batch) =>
        Decode(number, block, default, receipts, batch);

    /// <summary>Reads only the hashes of a block's transactions, as a node expects them in a request.</summary>
    public IReadOnlyList<string> ReadTransactionHashes(ulong number, ReadOnlySpan<byte> block)
    {
        try
        {
            _unusedBlocks.Clear();
            DecodeHeader(number, block, _unusedBlocks, transactions: null);
            return [.. Enumerable.Range(0, _block.TransactionCount).Select(i => $"0x{Convert.ToHexStringLower(_block.TransactionHash(i))}")];
        }
        catch (DecodeException e)
        {
            throw Refuse(number, e);
        }
    }

    private void Decode(
        ulong number, ReadOnlyMemory<byte> block, ReadOnlyMemory<byte> receipts, IReadOnlyList<ReadOnlyMemory<byte>>? each, BlockBatch batch)
    {
        var blocks = Find(batch, EvmTables.Blocks);
        var transactions = Find(batch, EvmTables.Transactions);
        var logs = Find(batch, EvmTables.Logs);
        _mark.Set(batch);
        try
        {
            _unusedBlocks.Clear();
            var link = DecodeHeader(number, block.Span, blocks ?? _unusedBlocks, transactions);
            if (transactions is not null)
            {
                TransactionDecoder.Finish(_block, transactions);
            }

            if (transactions is not null || logs is not null)
            {
                DecodeReceipts(receipts, each, batch, transactions, logs);
            }

            batch.Blocks.Add(link);
        }
        catch (DecodeException e)
        {
            _mark.Restore();
            throw Refuse(number, e);
        }
        catch
        {
            _mark.Restore();
            throw;
        }
    }

    private BlockLink DecodeHeader(ulong number, ReadOnlySpan<byte> block, TableBuffer blocks, TableBuffer? transactions)
    {
        _transactions.Reset();
        _receipts.Reset();
        _block.Begin(number);
        var json = new JsonCursor(block);
        if (json.TryNull())
        {
            throw new DecodeException("the node does not have it", DecodeException.BlockNotFound) { IsAboutAnswer = true };
        }

        var link = _header.Decode(ref json, _block, blocks, _transactions, transactions);
        json.ExpectEnd();
        return link;
    }

    private void DecodeReceipts(
        ReadOnlyMemory<byte> receipts, IReadOnlyList<ReadOnlyMemory<byte>>? each, BlockBatch batch, TableBuffer? transactions, TableBuffer? logs)
    {
        _receiptsMark.Set(batch);
        var isComplete = each is null
            ? TryDecodeList(receipts.Span, transactions, logs)
            : TryDecodeEach(each, transactions, logs);
        if (!isComplete)
        {
            // The node sorts them in another way.
            _receiptsMark.Restore();
            if (!TryDecodeEach(ReceiptOrder.Sort(each ?? ReceiptOrder.Split(receipts)), transactions, logs))
            {
                throw Mismatch($"the receipt in place of transaction {_receipts.Current} has the index of another one");
            }
        }

        if (logs is not null)
        {
            ReceiptDecoder.Finish(_block, logs, logs.RowCount - _receiptsMark.RowCountOf(logs));
        }
    }

    private bool TryDecodeList(ReadOnlySpan<byte> receipts, TableBuffer? transactions, TableBuffer? logs)
    {
        _receipts.Begin();
        var json = new JsonCursor(receipts);
        if (json.TryNull())
        {
            throw new DecodeException("the node does not have its receipts", DecodeException.BlockNotFound) { IsAboutAnswer = true };
        }

        var count = 0;
        for (var more = json.EnterArray(); more; more = json.NextElement())
        {
            CheckCount(count + 1, isComplete: false);
            if (!_receipts.TryDecode(ref json, count, _block, transactions, logs))
            {
                return false;
            }

            count++;
        }

        json.ExpectEnd();
        CheckCount(count, isComplete: true);
        return true;
    }

    private bool TryDecodeEach(IReadOnlyList<ReadOnlyMemory<byte>> receipts, TableBuffer? transactions, TableBuffer? logs)
    {
        _receipts.Begin();
        CheckCount(receipts.Count, isComplete: true);
        for (var i = 0; i < receipts.Count; i++)
        {
            var json = new JsonCursor(receipts[i].Span);
            if (json.TryNull())
            {
                throw new DecodeException($"the node does not have the receipt of transaction {i}", DecodeException.BlockNotFound) { IsAboutAnswer = true };
            }

            if (!_receipts.TryDecode(ref json, i, _block, transactions, logs))
            {
                return false;
            }

            json.ExpectEnd();
        }

        return true;
    }

    private void CheckCount(int receipts, bool isComplete)
    {
        if (receipts > _block.TransactionCount || (isComplete && receipts < _block.TransactionCount))
        {
            throw Mismatch($"it has {_block.TransactionCount} transactions but {(isComplete ? "" : "at least ")}{receipts} receipts");
        }
    }

    private AmpException Refuse(ulong number, DecodeException error)
    {
        var message = $"Block {number} cannot be decoded: {Where(error)}{error.Message}.";
        return new AmpException(error.ErrorCode, error.ErrorCode == DecodeException.BlockNotFound ? AmpErrorKind.NotFound : AmpErrorKind.InvalidData, message, error)
        {
            Target = number,
            IsTransient = true,
            RecommendedAction = "Check with Test-AmpProvider that the provider is a healthy node of the right network, or register another provider.",
        };
    }

    private string Where(DecodeException error)
    {
        var (owner, keys) = (_receipts, _transactions) switch
        {
            ({ CurrentLog: >= 0 }, _) => ($"log {_receipts.CurrentLog} of transaction {_receipts.Current}", _receipts.LogKeys),
            ({ Current: >= 0 }, _) => ($"the receipt of transaction {_receipts.Current}", _receipts.Keys),
            (_, { Current: >= 0 }) => ($"transaction {_transactions.Current}", _transactions.Keys),
            _ => ("the header", _header.Keys),
        };
        if (error.IsAboutAnswer)
        {
            return _receipts.Current >= 0 ? $"{owner} " : "";
        }

        var field = error.Field ?? keys.Current;
        return field.Length > 0 ? $"{field} of {owner} " : $"{owner} ";
    }

    private static DecodeException Mismatch(string problem) => new(problem, DecodeException.ReceiptsMismatch) { IsAboutAnswer = true };

    private static TableBuffer? Find(BlockBatch batch, TableSchema schema)
    {
        foreach (var table in batch.Tables)
        {
            if (table.Schema.Name == schema.Name)
            {
                return table;
            }
        }

        return null;
    }
}
