using System.Buffers.Binary;
using Amp.Extraction.Crypto;
using Amp.Parquet;

namespace Amp.Extraction.Verification;

/// <summary>
/// Encodes the row of <c>blocks</c> that a cursor stands on as the header that the block's hash is of. A header of any
/// fork since Frontier: fields that later forks added are left out where they are null.
/// </summary>
internal sealed class HeaderEncoder(TableCursor blocks)
{
    private const ulong NanosPerSecond = 1_000_000_000;

    private readonly (ColumnCursor Column, Form Form)[] _fields =
    [
        (blocks["parent_hash"], Form.Bytes),
        (blocks["ommers_hash"], Form.Bytes),
        (blocks["miner"], Form.Bytes),
        (blocks["state_root"], Form.Bytes),
        (blocks["transactions_root"], Form.Bytes),
        (blocks["receipt_root"], Form.Bytes),
        (blocks["logs_bloom"], Form.Bytes),
        (blocks["difficulty"], Form.Decimal),
        (blocks["block_num"], Form.Integer),
        (blocks["gas_limit"], Form.Integer),
        (blocks["gas_used"], Form.Integer),
        (blocks["timestamp"], Form.Seconds),
        (blocks["extra_data"], Form.Bytes),
        (blocks["mix_hash"], Form.Bytes),
        (blocks["nonce"], Form.EightBytes),
        (blocks["base_fee_per_gas"], Form.Decimal), // London
        (blocks["withdrawals_root"], Form.Bytes), // Shanghai
        (blocks["blob_gas_used"], Form.Integer), // Cancun
        (blocks["excess_blob_gas"], Form.Integer),
        (blocks["parent_beacon_root"], Form.Bytes),
        (blocks["requests_hash"], Form.Bytes), // Prague
    ];

    private enum Form
    {
        Bytes, Integer, Decimal, Seconds, EightBytes,
    }

    /// <summary>Whether a time is one that a header can have: it counts whole seconds.</summary>
    public static bool IsWholeSecond(ulong nanos) => nanos % NanosPerSecond == 0;

    /// <summary>Writes the header.</summary>
    public void Write(RlpWriter writer)
    {
        Span<byte> nonce = stackalloc byte[8];
        var list = writer.BeginList();
        foreach (var (column, form) in _fields)
        {
            if (!column.HasValue)
            {
                continue;
            }

            switch (form)
            {
                case Form.Integer:
                    writer.WriteNumber(column.UInt64);
                    break;
                case Form.Decimal:
                    writer.WriteNumber(column.Value);
                    break;
                case Form.Seconds:
                    writer.WriteNumber(column.UInt64 / NanosPerSecond);
                    break;
                case Form.EightBytes:
                    BinaryPrimitives.WriteUInt64BigEndian(nonce, column.UInt64);
                    writer.WriteBytes(nonce);
                    break;
                default:
                    writer.WriteBytes(column.Value);
                    break;
            }
        }

        writer.EndList(list);
    }
}
