using Amp.Parquet;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// Decodes a block's transactions into rows of <c>transactions</c>: all columns but those that receipts tell
/// (<see cref="ReceiptDecoder"/>) and those that all rows of a block share (<see cref="Finish"/>).
/// </summary>
internal sealed class TransactionDecoder
{
    // Above it: types this code does not know, such as an OP-stack deposit (0x7e).
    private const ulong LastKnownType = 4;

    private readonly ListDecoder _lists = new();

    private enum Key
    {
        Hash, TransactionIndex, From, Gas, Input, Nonce, To, Value, Type, ChainId, R, S, V, YParity, AccessList, GasPrice,
        MaxFeePerGas, MaxPriorityFeePerGas, MaxFeePerBlobGas, BlobVersionedHashes, AuthorizationList,
    }

    /// <summary>The keys, for errors.</summary>
    public KeyTable Keys { get; } = new(
    [
        "hash", "transactionIndex", "from", "gas", "input", "nonce", "to", "value", "type", "chainId", "r", "s", "v",
        "yParity", "accessList", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas", "maxFeePerBlobGas",
        "blobVersionedHashes", "authorizationList", "blockHash", "blockNumber", "blockTimestamp",
    ]);

    /// <summary>Index of the transaction being decoded; -1 when none is.</summary>
    public int Current { get; private set; } = -1;

    /// <summary>Reads the list of transactions; without a table only their hashes, which may then stand alone.</summary>
    public void Decode(ref JsonCursor json, BlockContext block, TableBuffer? table)
    {
        Current = 0;
        Span<byte> hash = stackalloc byte[32];
        for (var more = json.EnterArray(); more; more = json.NextElement())
        {
            Keys.Begin();
            if (table is not null)
            {
                DecodeRow(ref json, table.Columns, hash);
                table.RowCount++;
            }
            else if (json.IsString())
            {
                json.ReadBytes(hash);
            }
            else
            {
                DecodeHash(ref json, hash);
            }

            block.AddTransaction(hash);
            Current++;
        }

        Current = -1;
    }

    /// <summary>Forgets where it was, after an error.</summary>
    public void Reset() => Current = -1;

    /// <summary>Adds the columns that all rows of the block share.</summary>
    public static void Finish(BlockContext block, TableBuffer table)
    {
        var columns = table.Columns;
        for (var i = 0; i < block.TransactionCount; i++)
        {
            columns[Column.BlockNumInternal].AddUInt64(block.Number);
            columns[Column.BlockHash].AddFixed(block.Hash);
            columns[Column.BlockNum].AddUInt64(block.Number);
            columns[Column.Timestamp].AddUInt64(block.Timestamp);
            columns[Column.TxIndex].AddUInt32((uint)i);
        }
    }

    private void DecodeRow(ref JsonCursor json, ColumnBuffer[] columns, scoped Span<byte> hash)
    {
        var seen = 0u;
        ulong type = 0, chainId = 0, v = 0, yParity = 0;
        Int128 gasPrice = 0, maxFee = 0, maxPriorityFee = 0, maxBlobFee = 0;
        int accessListAt = 0, blobHashesAt = 0, authorizationsAt = 0;
        Span<byte> r = default, s = default;
        Span<byte> value = stackalloc byte[UInt256.MaxDigits];

        for (var more = json.EnterObject(); more; more = json.NextMember())
        {
            var key = Keys.Read(ref json);
            if (key > (int)Key.AuthorizationList)
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
                case Key.Hash:
                    json.ReadBytes(hash);
                    columns[Column.TxHash].AddFixed(hash);
                    break;
                case Key.TransactionIndex:
                    CheckIndex(json.ReadUInt64());
                    break;
                case Key.From:
                    json.ReadBytes(columns[Column.From].AddFixed());
                    break;
                case Key.Gas:
                    columns[Column.GasLimit].AddUInt64(json.ReadUInt64());
                    break;
                case Key.Input:
                    json.ReadBytes(columns[Column.Input]);
                    break;
                case Key.Nonce:
                    columns[Column.Nonce].AddUInt64(json.ReadUInt64());
                    break;
                case Key.To:
                    json.ReadBytes(columns[Column.To].AddFixed());
                    break;
                case Key.Value:
                    var digits = json.ReadUInt256().Format(value);
                    columns[Column.Value].AddBytes(value[..digits]);
                    break;
                case Key.Type:
                    type = json.ReadUInt64();
                    columns[Column.Type].AddInt32(type <= int.MaxValue ? (int)type : throw new DecodeException("does not fit into 31 bits"));
                    break;
                case Key.ChainId:
                    chainId = json.ReadUInt64();
                    break;
                case Key.R:
                    r = columns[Column.R].AddFixed();
                    json.ReadUInt256(r);
                    break;
                case Key.S:
                    s = columns[Column.S].AddFixed();
                    json.ReadUInt256(s);
                    break;
                case Key.V:
                    v = json.ReadUInt64();
                    break;
                case Key.YParity:
                    yParity = json.ReadUInt64();
                    break;
                case Key.GasPrice:
                    gasPrice = json.ReadDecimal38();
                    break;
                case Key.MaxFeePerGas:
                    maxFee = json.ReadDecimal38();
                    break;
                case Key.MaxPriorityFeePerGas:
                    maxPriorityFee = json.ReadDecimal38();
                    break;
                case Key.MaxFeePerBlobGas:
                    maxBlobFee = json.ReadDecimal38();
                    break;
                case Key.AccessList:
                    accessListAt = Skip(ref json);
                    break;
                case Key.BlobVersionedHashes:
                    blobHashesAt = Skip(ref json);
                    break;
                case Key.AuthorizationList:
                    authorizationsAt = Skip(ref json);
                    break;
            }
        }

        Require(seen, Key.Hash, Key.TransactionIndex, Key.From, Key.Gas, Key.Input, Key.Value);
        if (!Has(seen, Key.Type))
        {
            columns[Column.Type].AddInt32(0);
        }

        if (!Has(seen, Key.To))
        {
            columns[Column.To].AddNull();
        }

        if (type <= LastKnownType)
        {
            RequireByType(seen, type);
            AddOrNull(columns[Column.ChainId], type != 0 || Has(seen, Key.ChainId) || v >= 35, Has(seen, Key.ChainId) ? chainId : (v - 35) / 2);
            columns[Column.VParity].AddBoolean(Has(seen, Key.YParity) ? ParityOf(yParity, Key.YParity) : ParityOf(v, Key.V));
        }
        else
        {
            // Its signature, if it has one, is not one that these columns describe.
            ClearOrAddZeros(columns[Column.R], r);
            ClearOrAddZeros(columns[Column.S], s);
            columns[Column.VParity].AddBoolean(false);
            columns[Column.ChainId].AddNull();
            if (!Has(seen, Key.Nonce))
            {
                columns[Column.Nonce].AddUInt64(0);
            }
        }

        AddOrNull(columns[Column.GasPrice], type < 2, gasPrice);
        columns[Column.MaxFeePerGas].AddDecimal(type < 2 ? gasPrice : maxFee);
        AddOrNull(columns[Column.MaxPriorityFeePerGas], type >= 2 && Has(seen, Key.MaxPriorityFeePerGas), maxPriorityFee);
        AddOrNull(columns[Column.MaxFeePerBlobGas], type >= 3 && type != 4 && Has(seen, Key.MaxFeePerBlobGas), maxBlobFee);

        DecodeLists(ref json, columns, type, Has(seen, Key.AccessList) ? accessListAt : null, blobHashesAt, authorizationsAt);
    }

    private void DecodeLists(
        ref JsonCursor json, ColumnBuffer[] columns, ulong type, int? accessListAt, int blobHashesAt, int authorizationsAt)
    {
        // The lists were skipped before, because the type that says whether they count may stand behind them.
        if (type is >= 1 and <= LastKnownType)
        {
            Keys.MoveTo((int)Key.AccessList);
            _lists.DecodeAccessList(json.From(accessListAt!.Value), columns);
        }
        else
        {
            ListDecoder.AddNullAccessList(columns);
        }

        if (type == 3)
        {
            Keys.MoveTo((int)Key.BlobVersionedHashes);
            ListDecoder.DecodeBlobHashes(json.From(blobHashesAt), columns);
        }
        else
        {
            ListDecoder.AddNullBlobHashes(columns);
        }

        if (type == 4)
        {
            Keys.MoveTo((int)Key.AuthorizationList);
            _lists.DecodeAuthorizations(json.From(authorizationsAt), columns);
        }
        else
        {
            ListDecoder.AddNullAuthorizations(columns);
        }
    }

    private void DecodeHash(ref JsonCursor json, scoped Span<byte> hash)
    {
        var seen = 0u;
        for (var more = json.EnterObject(); more; more = json.NextMember())
        {
            var key = Keys.Read(ref json);
            if (key != (int)Key.Hash)
            {
                json.SkipValue();
                continue;
            }

            DecodeException.ThrowIfSeen(ref seen, key);
            json.ReadBytes(hash);
        }

        Require(seen, Key.Hash);
    }

    private void CheckIndex(ulong index)
    {
        if (index != (ulong)Current)
        {
            throw new DecodeException($"is {index}, although it is number {Current} of the list");
        }
    }

    private void RequireByType(uint seen, ulong type)
    {
        Require(seen, Key.Nonce, Key.R, Key.S);
        if (!Has(seen, Key.YParity))
        {
            Require(seen, Key.V);
        }

        if (type < 2)
        {
            Require(seen, Key.GasPrice);
        }
        else
        {
            Require(seen, Key.MaxFeePerGas, Key.MaxPriorityFeePerGas);
        }

        if (type >= 1)
        {
            Require(seen, Key.ChainId, Key.AccessList);
        }

        if (type == 3)
        {
            Require(seen, Key.MaxFeePerBlobGas, Key.BlobVersionedHashes);
        }

        if (type == 4)
        {
            Require(seen, Key.AuthorizationList);
        }
    }

    private void Require(uint seen, params ReadOnlySpan<Key> keys)
    {
        foreach (var key in keys)
        {
            if (!Has(seen, key))
            {
                throw DecodeException.Missing(Keys.NameOf((int)key));
            }
        }
    }

    // 0 and 1 are the parity itself, 27 and 28 the first kind of signature, from 35 on the chain id is in it (EIP-155).
    private bool ParityOf(ulong v, Key key) => v switch
    {
        0 or 27 => false,
        1 or 28 => true,
        >= 35 => (v - 35) % 2 == 1,
        _ => throw new DecodeException($"is {v}, which no signature has") { Field = Keys.NameOf((int)key) },
    };

    private static bool Has(uint seen, Key key) => (seen & (1u << (int)key)) != 0;

    private static int Skip(ref JsonCursor json)
    {
        var at = json.Position;
        json.SkipValue();
        return at;
    }

    private static void AddOrNull(ColumnBuffer column, bool present, Int128 value)
    {
        if (present)
        {
            column.AddDecimal(value);
        }
        else
        {
            column.AddNull();
        }
    }

    private static void AddOrNull(ColumnBuffer column, bool present, ulong value)
    {
        if (present)
        {
            column.AddUInt64(value);
        }
        else
        {
            column.AddNull();
        }
    }

    private static void ClearOrAddZeros(ColumnBuffer column, Span<byte> added)
    {
        if (added.IsEmpty)
        {
            added = column.AddFixed();
        }

        added.Clear();
    }

    /// <summary>Positions of the leaves of <see cref="EvmTables.Transactions"/>.</summary>
    internal static class Column
    {
        public const int BlockNumInternal = 0;
        public const int BlockHash = 1;
        public const int BlockNum = 2;
        public const int Timestamp = 3;
        public const int TxIndex = 4;
        public const int TxHash = 5;
        public const int To = 6;
        public const int Nonce = 7;
        public const int GasPrice = 8;
        public const int GasLimit = 9;
        public const int Value = 10;
        public const int Input = 11;
        public const int R = 12;
        public const int S = 13;
        public const int VParity = 14;
        public const int ChainId = 15;
        public const int GasUsed = 16;
        public const int Type = 17;
        public const int MaxFeePerGas = 18;
        public const int MaxPriorityFeePerGas = 19;
        public const int MaxFeePerBlobGas = 20;
        public const int From = 21;
        public const int Status = 22;
        public const int StateRoot = 23;
        public const int AccessListAddress = 24;
        public const int AccessListKey = 25;
        public const int BlobHash = 26;
        public const int AuthorizationChainId = 27;
        public const int AuthorizationAddress = 28;
        public const int AuthorizationNonce = 29;
        public const int AuthorizationYParity = 30;
        public const int AuthorizationR = 31;
        public const int AuthorizationS = 32;
    }
}
