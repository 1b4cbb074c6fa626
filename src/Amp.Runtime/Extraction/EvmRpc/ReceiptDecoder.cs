using Amp.Parquet;
using Column = Amp.Extraction.EvmRpc.TransactionDecoder.Column;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// Decodes receipts, in the order of their transactions, into the columns of <c>transactions</c> that they tell and
/// into rows of <c>logs</c>, and checks that each belongs to its block and transaction.
/// </summary>
internal sealed class ReceiptDecoder
{
    private const int MaxTopics = 4;

    private bool _ofAnotherBlock;
    private bool _ofAnotherTransaction;
    private long _lastLogIndex;

    private enum Key
    {
        BlockHash, TransactionHash, TransactionIndex, GasUsed, Status, Root, Logs,
    }

    private enum LogKey
    {
        Address, Topics, Data, LogIndex, BlockHash, TransactionHash, TransactionIndex,
    }

    /// <summary>The keys of a receipt, for errors.</summary>
    public KeyTable Keys { get; } = new(
    [
        "blockHash", "transactionHash", "transactionIndex", "gasUsed", "status", "root", "logs", "blockNumber",
        "contractAddress", "cumulativeGasUsed", "effectiveGasPrice", "from", "logsBloom", "to", "type", "blobGasPrice",
        "blobGasUsed",
    ]);

    /// <summary>The keys of a log, for errors.</summary>
    public KeyTable LogKeys { get; } = new(
    [
        "address", "topics", "data", "logIndex", "blockHash", "transactionHash", "transactionIndex", "blockNumber",
        "blockTimestamp", "removed",
    ]);

    /// <summary>Index of the transaction whose receipt is being decoded; -1 when none is.</summary>
    public int Current { get; private set; } = -1;

    /// <summary>Index of the log within that receipt; -1 when none is being decoded.</summary>
    public int CurrentLog { get; private set; } = -1;

    /// <summary>Begins the receipts of a block.</summary>
    public void Begin()
    {
        Reset();
        _lastLogIndex = -1;
    }

    /// <summary>Forgets where it was, after an error.</summary>
    public void Reset()
    {
        Current = -1;
        CurrentLog = -1;
    }

    /// <summary>
    /// Reads the receipt of transaction <paramref name="index"/>. False, with rows half written, when it is that of
    /// a transaction elsewhere in the block.
    /// </summary>
    public bool TryDecode(ref JsonCursor json, int index, BlockContext block, TableBuffer? transactions, TableBuffer? logs)
    {
        Current = index;
        _ofAnotherBlock = false;
        _ofAnotherTransaction = false;
        var columns = transactions?.Columns;
        var seen = 0u;
        var status = 0UL;
        var isElsewhere = false;
        Span<byte> root = stackalloc byte[32];

        Keys.Begin();
        for (var more = json.EnterObject(); more; more = json.NextMember())
        {
            var key = Keys.Read(ref json);
            if (key > (int)Key.Logs)
            {
                json.SkipValue();
                continue;
            }

            if (json.TryNull())
            {
                continue;
            }

            DecodeException.ThrowIfSeen(ref seen, key);
            switch ((Key)key)
            {
                case Key.BlockHash:
                    _ofAnotherBlock |= !IsHash(ref json, block.HashText, block.Hash);
                    break;
                case Key.TransactionHash:
                    _ofAnotherTransaction |= !IsHash(ref json, block.TransactionHashText(index), block.TransactionHash(index));
                    break;
                case Key.TransactionIndex:
                    isElsewhere = json.ReadUInt64() != (ulong)index;
                    break;
                case Key.GasUsed:
                    var gasUsed = json.ReadUInt64();
                    columns?[Column.GasUsed].AddUInt64(gasUsed);
                    break;
                case Key.Status:
                    status = json.ReadUInt64();
                    if (status > 1)
                    {
                        throw new DecodeException("is neither 0 nor 1");
                    }

                    break;
                case Key.Root:
                    ReadRoot(ref json, root, ref seen);
                    break;
                case Key.Logs when logs is not null:
                    DecodeLogs(ref json, index, block, logs);
                    break;
                default:
                    json.SkipValue();
                    break;
            }
        }

        Require(seen, Key.BlockHash);
        if (_ofAnotherBlock)
        {
            throw new DecodeException("belongs to another block of this number", DecodeException.ReceiptsOfAnotherBlock) { IsAboutAnswer = true };
        }

        Require(seen, Key.TransactionHash);
        Require(seen, Key.TransactionIndex);
        if (isElsewhere)
        {
            return false;
        }

        if (_ofAnotherTransaction)
        {
            throw new DecodeException("belongs to another transaction", DecodeException.ReceiptsMismatch) { IsAboutAnswer = true };
        }

        Require(seen, Key.GasUsed);
        Require(seen, Key.Logs);
        if (!Has(seen, Key.Root))
        {
            Require(seen, Key.Status);
        }

        if (columns is not null)
        {
            AddOutcome(columns, Has(seen, Key.Status) ? status : null, root);
        }

        Current = -1;
        return true;
    }

    /// <summary>Adds the columns that all logs of the block share.</summary>
    public static void Finish(BlockContext block, TableBuffer logs, int count)
    {
        var columns = logs.Columns;
        for (var i = 0; i < count; i++)
        {
            columns[LogColumn.BlockNumInternal].AddUInt64(block.Number);
            columns[LogColumn.BlockHash].AddFixed(block.Hash);
            columns[LogColumn.BlockNum].AddUInt64(block.Number);
            columns[LogColumn.Timestamp].AddUInt64(block.Timestamp);
        }
    }

    // Since Byzantium a receipt has a status; before, the state root after the transaction stood in its place.
    private static void AddOutcome(ColumnBuffer[] columns, ulong? status, ReadOnlySpan<byte> root)
    {
        columns[Column.Status].AddBoolean(status is null or 1);
        if (status is null)
        {
            columns[Column.StateRoot].AddFixed(root);
        }
        else
        {
            columns[Column.StateRoot].AddNull();
        }
    }

    // Some nodes still write an empty root behind Byzantium.
    private static void ReadRoot(ref JsonCursor json, scoped Span<byte> root, ref uint seen)
    {
        if (json.TryAdvance("\"0x\""u8))
        {
            seen &= ~(1u << (int)Key.Root);
        }
        else
        {
            json.ReadBytes(root);
        }
    }

    private void DecodeLogs(ref JsonCursor json, int index, BlockContext block, TableBuffer logs)
    {
        CurrentLog = 0;
        for (var more = json.EnterArray(); more; more = json.NextElement())
        {
            DecodeLog(ref json, index, block, logs.Columns);
            logs.RowCount++;
            CurrentLog++;
        }

        CurrentLog = -1;
    }

    private void DecodeLog(ref JsonCursor json, int index, BlockContext block, ColumnBuffer[] columns)
    {
        var seen = 0u;
        LogKeys.Begin();
        for (var more = json.EnterObject(); more; more = json.NextMember())
        {
            var key = LogKeys.Read(ref json);
            if (key > (int)LogKey.TransactionIndex)
            {
                json.SkipValue();
                continue;
            }

            DecodeException.ThrowIfSeen(ref seen, key);
            switch ((LogKey)key)
            {
                case LogKey.Address:
                    json.ReadBytes(columns[LogColumn.Address].AddFixed());
                    break;
                case LogKey.Topics:
                    DecodeTopics(ref json, columns);
                    break;
                case LogKey.Data:
                    json.ReadBytes(columns[LogColumn.Data]);
                    break;
                case LogKey.LogIndex:
                    AddLogIndex(json.ReadUInt64(), columns[LogColumn.LogIndex]);
                    break;
                case LogKey.BlockHash:
                    _ofAnotherBlock |= !IsHash(ref json, block.HashText, block.Hash);
                    break;
                case LogKey.TransactionHash:
                    _ofAnotherTransaction |= !IsHash(ref json, block.TransactionHashText(index), block.TransactionHash(index));
                    break;
                case LogKey.TransactionIndex:
                    _ofAnotherTransaction |= json.ReadUInt64() != (ulong)index;
                    break;
            }
        }

        for (var key = 0; key <= (int)LogKey.LogIndex; key++)
        {
            if ((seen & (1u << key)) == 0)
            {
                throw DecodeException.Missing(LogKeys.NameOf(key));
            }
        }

        columns[LogColumn.TxHash].AddFixed(block.TransactionHash(index));
        columns[LogColumn.TxIndex].AddUInt32((uint)index);
    }

    private static void DecodeTopics(ref JsonCursor json, ColumnBuffer[] columns)
    {
        var count = 0;
        for (var more = json.EnterArray(); more; more = json.NextElement())
        {
            if (count == MaxTopics)
            {
                throw new DecodeException("has more than 4 entries");
            }

            json.ReadBytes(columns[LogColumn.Topic0 + count++].AddFixed());
        }

        while (count < MaxTopics)
        {
            columns[LogColumn.Topic0 + count++].AddNull();
        }
    }

    private void AddLogIndex(ulong logIndex, ColumnBuffer column)
    {
        if (logIndex > uint.MaxValue)
        {
            throw new DecodeException("does not fit into 32 bits");
        }

        if ((long)logIndex <= _lastLogIndex)
        {
            throw new DecodeException($"is {logIndex}, although the log before it has {_lastLogIndex}");
        }

        _lastLogIndex = (long)logIndex;
        column.AddUInt32((uint)logIndex);
    }

    // The text is compared first: it is the same unless a node writes upper case digits.
    private static bool IsHash(ref JsonCursor json, scoped ReadOnlySpan<byte> text, scoped ReadOnlySpan<byte> expected)
    {
        if (json.TryAdvance(text))
        {
            return true;
        }

        Span<byte> hash = stackalloc byte[32];
        json.ReadBytes(hash);
        return hash.SequenceEqual(expected);
    }

    private void Require(uint seen, Key key)
    {
        if (!Has(seen, key))
        {
            throw DecodeException.Missing(Keys.NameOf((int)key));
        }
    }

    private static bool Has(uint seen, Key key) => (seen & (1u << (int)key)) != 0;

    /// <summary>Positions of the leaves of <see cref="EvmTables.Logs"/>.</summary>
    private static class LogColumn
    {
        public const int BlockNumInternal = 0;
        public const int BlockHash = 1;
        public const int BlockNum = 2;
        public const int Timestamp = 3;
        public const int TxHash = 4;
        public const int TxIndex = 5;
        public const int LogIndex = 6;
        public const int Address = 7;
        public const int Topic0 = 8;
        public const int Data = 12;
    }
}
