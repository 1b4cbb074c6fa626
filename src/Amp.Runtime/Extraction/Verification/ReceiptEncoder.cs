using Amp.Extraction.Crypto;
using Amp.Parquet;

namespace Amp.Extraction.Verification;

/// <summary>
/// Encodes the receipts of a block, one transaction after the other, from the columns of <c>transactions</c> that
/// receipts told and from the rows of <c>logs</c>; what receipts have beyond that (cumulative gas, bloom) follows.
/// </summary>
internal sealed class ReceiptEncoder(TableCursor transactions, TableCursor logs)
{
    private readonly ColumnCursor _gasUsed = transactions["gas_used"];
    private readonly ColumnCursor _status = transactions["status"];
    private readonly ColumnCursor _stateRoot = transactions["state_root"];
    private readonly ColumnCursor _logTransactionHash = logs["tx_hash"];
    private readonly ColumnCursor _logTransactionIndex = logs["tx_index"];
    private readonly ColumnCursor _logIndex = logs["log_index"];
    private readonly ColumnCursor _address = logs["address"];
    private readonly ColumnCursor[] _topics = [logs["topic0"], logs["topic1"], logs["topic2"], logs["topic3"]];
    private readonly ColumnCursor _data = logs["data"];
    private readonly BlockCopies _copies = new(logs, "log");
    private readonly RlpWriter _logs = new(16 * 1024);
    private readonly LogsBloomCache _blooms = new();
    private readonly byte[] _bloom = new byte[LogsBloom.Length];
    private readonly byte[] _blockBloom = new byte[LogsBloom.Length];
    private ulong _cumulativeGas;
    private int _logCount;

    /// <summary>Bloom of all logs since <see cref="Begin"/>.</summary>
    public ReadOnlySpan<byte> BlockBloom => _blockBloom;

    /// <summary>Begins the receipts of a block.</summary>
    public void Begin()
    {
        _blockBloom.AsSpan().Clear();
        _cumulativeGas = 0;
        _logCount = 0;
    }

    /// <summary>Writes the receipt of the transaction that the table stands on and takes its logs.</summary>
    public void Write(RlpWriter writer, in BlockKey block, int index, int type, ReadOnlySpan<byte> transactionHash)
    {
        EncodeLogs(block, index, transactionHash);
        LogsBloom.Merge(_blockBloom, _bloom);
        _cumulativeGas += _gasUsed.UInt64;

        if (type > 0)
        {
            writer.WriteRaw([(byte)type]);
        }

        var list = writer.BeginList();
        if (!_stateRoot.HasValue)
        {
            writer.WriteNumber(_status.Value[0]);
        }
        else if (_status.Value[0] == 1)
        {
            writer.WriteBytes(_stateRoot.Value);
        }
        else
        {
            throw VerificationError.Failed(
                block.Number, $"{_status.Name} of transaction {index} is false, which it cannot be in one that has a state root (before Byzantium)");
        }

        writer.WriteNumber(_cumulativeGas);
        writer.WriteBytes(_bloom);
        writer.WriteRaw(_logs.Written);
        writer.EndList(list);
    }

    /// <summary>Refuses logs that no transaction of the block took.</summary>
    public void RequireNoMoreLogs(in BlockKey block)
    {
        if (_copies.AreOf(block))
        {
            throw VerificationError.Failed(
                block.Number,
                $"{_logTransactionHash.Name} of log {_logCount} is 0x{Convert.ToHexStringLower(_logTransactionHash.Value)}, which no transaction has that it can belong to");
        }
    }

    // A log is the transaction's whose hash it has: the hashes are proven by now, and no two are alike.
    private void EncodeLogs(in BlockKey block, int index, ReadOnlySpan<byte> transactionHash)
    {
        _bloom.AsSpan().Clear();
        _logs.Truncate();
        var list = _logs.BeginList();
        while (_copies.AreOf(block) && _logTransactionHash.Value.SequenceEqual(transactionHash))
        {
            _copies.Require(block, _logCount);
            Require(block, _logTransactionIndex, index);
            Require(block, _logIndex, _logCount);
            EncodeLog(block);
            _logCount++;
            logs.MoveNext();
        }

        _logs.EndList(list);
    }

    private void Require(in BlockKey block, ColumnCursor column, int expected)
    {
        if (column.UInt32 != (uint)expected)
        {
            throw VerificationError.Mismatch(block.Number, $"{column.Name} of log {_logCount}", $"{column.UInt32}", $"{expected}");
        }
    }

    private void EncodeLog(in BlockKey block)
    {
        var log = _logs.BeginList();
        _blooms.Add(_bloom, _address.Value);
        _logs.WriteBytes(_address.Value);
        var topics = _logs.BeginList();
        var isLast = false;
        foreach (var topic in _topics)
        {
            if (!topic.HasValue)
            {
                isLast = true;
            }
            else if (isLast)
            {
                throw VerificationError.Failed(block.Number, $"{topic.Name} of log {_logCount} is not null, although the topic before it is");
            }
            else
            {
                _blooms.Add(_bloom, topic.Value);
                _logs.WriteBytes(topic.Value);
            }
        }

        _logs.EndList(topics);
        _logs.WriteBytes(_data.Value);
        _logs.EndList(log);
    }
}
