using System.Buffers.Binary;
using Amp.Parquet;

namespace Amp.Extraction.EvmRpc;

/// <summary>Decodes a block's own members into a row of <c>blocks</c>.</summary>
internal sealed class HeaderDecoder
{
    /// <summary>Key of the member that <see cref="TransactionDecoder"/> reads.</summary>
    public const string Transactions = "transactions";

    private static readonly (string Key, string Column)[] Fields =
    [
        ("number", "block_num"),
        ("hash", "hash"),
        ("parentHash", "parent_hash"),
        ("sha3Uncles", "ommers_hash"),
        ("miner", "miner"),
        ("stateRoot", "state_root"),
        ("transactionsRoot", "transactions_root"),
        ("receiptsRoot", "receipt_root"),
        ("logsBloom", "logs_bloom"),
        ("difficulty", "difficulty"),
        ("totalDifficulty", "total_difficulty"),
        ("gasLimit", "gas_limit"),
        ("gasUsed", "gas_used"),
        ("extraData", "extra_data"),
        ("mixHash", "mix_hash"),
        ("nonce", "nonce"),
        ("timestamp", "timestamp"),
        ("baseFeePerGas", "base_fee_per_gas"),
        ("withdrawalsRoot", "withdrawals_root"),
        ("blobGasUsed", "blob_gas_used"),
        ("excessBlobGas", "excess_blob_gas"),
        ("parentBeaconBlockRoot", "parent_beacon_root"),
        ("requestsHash", "requests_hash"),
    ];

    private static readonly int[] Columns =
        [.. Fields.Select(field => EvmTables.Blocks.Leaves.Single(leaf => leaf.DottedPath == field.Column).Index)];

    private static readonly int TransactionsKey = Fields.Length;
    private static readonly int NumberKey = IndexOf("number");
    private static readonly int HashKey = IndexOf("hash");
    private static readonly int ParentHashKey = IndexOf("parentHash");
    private static readonly int TimestampKey = IndexOf("timestamp");
    private static readonly int MixHashKey = IndexOf("mixHash");
    private static readonly int NonceKey = IndexOf("nonce");
    private static readonly int LogsBloomKey = IndexOf("logsBloom");

    /// <summary>The keys, for errors.</summary>
    public KeyTable Keys { get; } =
        new([.. Fields.Select(field => field.Key), Transactions, "uncles", "size", "withdrawals"]);

    /// <summary>
    /// Reads the whole block, hands its transactions to <paramref name="transactions"/>, and adds one row to
    /// <paramref name="table"/>.
    /// </summary>
    public BlockLink Decode(
        ref JsonCursor json, BlockContext block, TableBuffer table, TransactionDecoder transactions, TableBuffer? transactionTable)
    {
        var columns = table.Columns;
        var seen = 0u;
        Keys.Begin();
        for (var more = json.EnterObject(); more; more = json.NextMember())
        {
            var key = Keys.Read(ref json);
            if (key > TransactionsKey)
            {
                json.SkipValue();
            }
            else if (!json.TryNull())
            {
                DecodeException.ThrowIfSeen(ref seen, key);
                if (key == TransactionsKey)
                {
                    transactions.Decode(ref json, block, transactionTable);
                }
                else
                {
                    DecodeField(ref json, key, columns[Columns[key]]);
                }
            }
        }

        AddMissing(seen, columns);
        columns[0].AddUInt64(block.Number);
        table.RowCount++;

        if (BinaryPrimitives.ReadUInt64LittleEndian(Last(columns, NumberKey, 8)) is var number && number != block.Number)
        {
            throw new DecodeException($"the node answered with block {number}") { IsAboutAnswer = true };
        }

        var hash = Last(columns, HashKey, 32);
        block.SetHeader(hash, BinaryPrimitives.ReadUInt64LittleEndian(Last(columns, TimestampKey, 8)));
        return new BlockLink(block.Number, new Hash32(hash), new Hash32(Last(columns, ParentHashKey, 32)));
    }

    private static void DecodeField(ref JsonCursor json, int key, ColumnBuffer column)
    {
        if (key == TimestampKey)
        {
            const ulong nanosPerSecond = 1_000_000_000;
            var seconds = json.ReadUInt64();
            column.AddUInt64(seconds <= long.MaxValue / nanosPerSecond
                ? seconds * nanosPerSecond
                : throw new DecodeException("is too late for a time in nanoseconds"));
        }
        else if (column.Leaf.Type == ArrowType.UInt64)
        {
            column.AddUInt64(json.ReadUInt64());
        }
        else if (column.Leaf.Type == ArrowType.Decimal38)
        {
            column.AddDecimal(json.ReadDecimal38());
        }
        else if (column.Leaf.Type == ArrowType.Binary)
        {
            if (json.ReadBytes(column) != 256 && key == LogsBloomKey)
            {
                throw new DecodeException("does not have 256 bytes");
            }
        }
        else
        {
            json.ReadBytes(column.AddFixed());
        }
    }

    private void AddMissing(uint seen, ColumnBuffer[] columns)
    {
        for (var key = 0; key <= TransactionsKey; key++)
        {
            if ((seen & (1u << key)) != 0)
            {
                continue;
            }

            var column = key == TransactionsKey ? null : columns[Columns[key]];
            if (column?.Leaf.MaxDefinition > 0)
            {
                column.AddNull();
            }
            else if (key == MixHashKey || key == NonceKey)
            {
                // Chains without proof of work or stake leave them out.
                column!.AddFixed().Clear();
            }
            else
            {
                throw DecodeException.Missing(Keys.NameOf(key));
            }
        }
    }

    private static ReadOnlySpan<byte> Last(ColumnBuffer[] columns, int key, int length) => columns[Columns[key]].Values[^length..];

    private static int IndexOf(string key) => Array.FindIndex(Fields, field => field.Key == key);
}
