using Amp.Parquet;
using Column = Amp.Extraction.EvmRpc.TransactionDecoder.Column;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// Decodes the lists of a transaction into the leaves of its nested columns. Definition levels: 0 null, 1 an empty
/// list, 2 an element (of an access list: one without storage keys), 3 a storage key.
/// </summary>
internal sealed class ListDecoder
{
    private const int EmptyList = 1;
    private const int NoStorageKeys = 2;
    private const int LastAuthorizationKey = 5;

    private readonly KeyTable _accessKeys = new(["address", "storageKeys"]);
    private readonly KeyTable _authorizationKeys = new(["chainId", "address", "nonce", "yParity", "r", "s"]);

    public static void AddNullAccessList(ColumnBuffer[] columns)
    {
        columns[Column.AccessListAddress].AddNull();
        columns[Column.AccessListKey].AddNull();
    }

    public static void AddNullBlobHashes(ColumnBuffer[] columns) => columns[Column.BlobHash].AddNull();

    public static void AddNullAuthorizations(ColumnBuffer[] columns)
    {
        for (var i = Column.AuthorizationChainId; i <= Column.AuthorizationS; i++)
        {
            columns[i].AddNull();
        }
    }

    public void DecodeAccessList(JsonCursor json, ColumnBuffer[] columns)
    {
        var addresses = columns[Column.AccessListAddress];
        var storageKeys = columns[Column.AccessListKey];
        if (!json.EnterArray())
        {
            addresses.AddNull(EmptyList);
            storageKeys.AddNull(EmptyList);
            return;
        }

        byte repetition = 0;
        do
        {
            addresses.Repetition = repetition;
            storageKeys.Repetition = repetition;
            DecodeAccess(ref json, addresses, storageKeys);
            repetition = 1;
        }
        while (json.NextElement());

        addresses.Repetition = 0;
        storageKeys.Repetition = 0;
    }

    public static void DecodeBlobHashes(JsonCursor json, ColumnBuffer[] columns)
    {
        var hashes = columns[Column.BlobHash];
        if (!json.EnterArray())
        {
            hashes.AddNull(EmptyList);
            return;
        }

        do
        {
            json.ReadBytes(hashes.AddFixed());
            hashes.Repetition = 1;
        }
        while (json.NextElement());

        hashes.Repetition = 0;
    }

    public void DecodeAuthorizations(JsonCursor json, ColumnBuffer[] columns)
    {
        var group = columns.AsSpan(Column.AuthorizationChainId..(Column.AuthorizationS + 1));
        if (!json.EnterArray())
        {
            foreach (var column in group)
            {
                column.AddNull(EmptyList);
            }

            return;
        }

        do
        {
            DecodeAuthorization(ref json, columns);
            SetRepetition(group, 1);
        }
        while (json.NextElement());

        SetRepetition(group, 0);
    }

    private void DecodeAccess(ref JsonCursor json, ColumnBuffer addresses, ColumnBuffer storageKeys)
    {
        var seen = 0u;
        _accessKeys.Begin();
        for (var more = json.EnterObject(); more; more = json.NextMember())
        {
            var key = _accessKeys.Read(ref json);
            if (key == _accessKeys.Unknown)
            {
                json.SkipValue();
                continue;
            }

            DecodeException.ThrowIfSeen(ref seen, key);
            if (key == 0)
            {
                json.ReadBytes(addresses.AddFixed());
            }
            else
            {
                DecodeStorageKeys(ref json, storageKeys);
            }
        }

        RequireAll(seen, _accessKeys, count: 2);
    }

    private static void DecodeStorageKeys(ref JsonCursor json, ColumnBuffer storageKeys)
    {
        if (!json.EnterArray())
        {
            storageKeys.AddNull(NoStorageKeys);
            return;
        }

        do
        {
            json.ReadBytes(storageKeys.AddFixed());
            storageKeys.Repetition = 2;
        }
        while (json.NextElement());
    }

    private void DecodeAuthorization(ref JsonCursor json, ColumnBuffer[] columns)
    {
        var seen = 0u;
        _authorizationKeys.Begin();
        for (var more = json.EnterObject(); more; more = json.NextMember())
        {
            var key = _authorizationKeys.Read(ref json);
            if (key > LastAuthorizationKey)
            {
                json.SkipValue();
                continue;
            }

            DecodeException.ThrowIfSeen(ref seen, key);
            switch (key)
            {
                case 0:
                    // A chain id is a 256-bit number here; one that is larger than any chain's becomes 0, as ampd has it.
                    var chainId = json.ReadUInt256();
                    columns[Column.AuthorizationChainId].AddUInt64(
                        chainId.High == 0 && chainId.Low <= ulong.MaxValue ? (ulong)chainId.Low : 0);
                    break;
                case 1:
                    json.ReadBytes(columns[Column.AuthorizationAddress].AddFixed());
                    break;
                case 2:
                    columns[Column.AuthorizationNonce].AddUInt64(json.ReadUInt64());
                    break;
                case 3:
                    columns[Column.AuthorizationYParity].AddBoolean(json.ReadUInt64() != 0);
                    break;
                case 4:
                    json.ReadUInt256(columns[Column.AuthorizationR].AddFixed());
                    break;
                case LastAuthorizationKey:
                    json.ReadUInt256(columns[Column.AuthorizationS].AddFixed());
                    break;
            }
        }

        RequireAll(seen, _authorizationKeys, count: LastAuthorizationKey + 1);
    }

    private static void RequireAll(uint seen, KeyTable keys, int count)
    {
        for (var key = 0; key < count; key++)
        {
            if ((seen & (1u << key)) == 0)
            {
                throw DecodeException.Missing(keys.NameOf(key));
            }
        }
    }

    private static void SetRepetition(Span<ColumnBuffer> columns, byte repetition)
    {
        foreach (var column in columns)
        {
            column.Repetition = repetition;
        }
    }
}
