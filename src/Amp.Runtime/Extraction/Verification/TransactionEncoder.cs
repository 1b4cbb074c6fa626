using System.Buffers.Binary;
using System.Globalization;
using Amp.Extraction.Crypto;
using Amp.Parquet;

namespace Amp.Extraction.Verification;

/// <summary>
/// Encodes the row of <c>transactions</c> that a cursor stands on as the signed transaction that its hash is of, and
/// refuses a row whose columns are not those of its type.
/// </summary>
internal sealed class TransactionEncoder(TableCursor transactions)
{
    /// <summary>Above it: types whose encoding is not known.</summary>
    public const int LastKnownType = 4;

    private const int DynamicFee = 2;
    private const int Blobs = 3;
    private const int Authorizations = 4;

    // Definition level of an element of an outermost list.
    private const int Element = 2;

    private static readonly ulong[] PowersOfTen = [.. Enumerable.Range(0, 20).Select(exponent => (ulong)UInt128.Parse($"1{new string('0', exponent)}", CultureInfo.InvariantCulture))];

    private readonly ColumnCursor _type = transactions["type"];
    private readonly ColumnCursor _chainId = transactions["chain_id"];
    private readonly ColumnCursor _nonce = transactions["nonce"];
    private readonly ColumnCursor _gasPrice = transactions["gas_price"];
    private readonly ColumnCursor _maxFee = transactions["max_fee_per_gas"];
    private readonly ColumnCursor _maxPriorityFee = transactions["max_priority_fee_per_gas"];
    private readonly ColumnCursor _maxBlobFee = transactions["max_fee_per_blob_gas"];
    private readonly ColumnCursor _gasLimit = transactions["gas_limit"];
    private readonly ColumnCursor _to = transactions["to"];
    private readonly ColumnCursor _value = transactions["value"];
    private readonly ColumnCursor _input = transactions["input"];
    private readonly ColumnCursor _parity = transactions["v_parity"];
    private readonly ColumnCursor _r = transactions["r"];
    private readonly ColumnCursor _s = transactions["s"];
    private readonly ColumnCursor _accessAddress = transactions["access_list.list.item.address"];
    private readonly ColumnCursor _accessKey = transactions["access_list.list.item.storage_keys.list.item"];
    private readonly ColumnCursor _blobHash = transactions["blob_versioned_hashes.list.item"];
    private readonly ColumnCursor _authorizationChainId = transactions["authorization_list.list.item.chain_id"];
    private readonly ColumnCursor _authorizationAddress = transactions["authorization_list.list.item.address"];
    private readonly ColumnCursor _authorizationNonce = transactions["authorization_list.list.item.nonce"];
    private readonly ColumnCursor _authorizationParity = transactions["authorization_list.list.item.y_parity"];
    private readonly ColumnCursor _authorizationR = transactions["authorization_list.list.item.r"];
    private readonly ColumnCursor _authorizationS = transactions["authorization_list.list.item.s"];

    /// <summary>The row's type.</summary>
    public int Type => BinaryPrimitives.ReadInt32LittleEndian(_type.Value);

    /// <summary>Writes the transaction, number <paramref name="index"/> of <paramref name="block"/>.</summary>
    public void Write(RlpWriter writer, ulong block, int index)
    {
        var type = Type;
        if (type is < 0 or > LastKnownType)
        {
            throw VerificationError.NotVerifiable(block, index, type);
        }

        RequireColumnsOf(type, block, index);
        if (type > 0)
        {
            writer.WriteRaw([(byte)type]);
        }

        var list = writer.BeginList();
        if (type > 0)
        {
            writer.WriteNumber(_chainId.UInt64);
        }

        writer.WriteNumber(_nonce.UInt64);
        if (type < DynamicFee)
        {
            writer.WriteNumber(_gasPrice.Value);
        }
        else
        {
            writer.WriteNumber(_maxPriorityFee.Value);
            writer.WriteNumber(_maxFee.Value);
        }

        writer.WriteNumber(_gasLimit.UInt64);
        writer.WriteBytes(_to.HasValue ? _to.Value : []);
        WriteValue(writer, block, index);
        writer.WriteBytes(_input.Value);
        if (type > 0)
        {
            WriteAccessList(writer);
        }

        if (type == Blobs)
        {
            writer.WriteNumber(_maxBlobFee.Value);
            WriteBlobHashes(writer);
        }

        if (type == Authorizations)
        {
            WriteAuthorizations(writer);
        }

        writer.WriteNumber(SignatureV(type));
        writer.WriteNumber(_r.Value);
        writer.WriteNumber(_s.Value);
        writer.EndList(list);
    }

    // The byte itself, so that one that is neither 0 nor 1 does not pass for 1.
    private UInt128 SignatureV(int type) =>
        type > 0 ? _parity.Value[0]
        : _chainId.HasValue ? ((UInt128)_chainId.UInt64 * 2) + 35 + _parity.Value[0] // EIP-155
        : 27u + (UInt128)_parity.Value[0];

    private void RequireColumnsOf(int type, ulong block, int index)
    {
        if (type > 0)
        {
            Require(_chainId, isThere: true);
        }

        Require(_gasPrice, type < DynamicFee);
        Require(_maxFee, isThere: true);
        Require(_maxPriorityFee, type >= DynamicFee);
        Require(_maxBlobFee, type == Blobs);
        Require(_accessAddress, type > 0);
        Require(_blobHash, type == Blobs);
        Require(_authorizationAddress, type == Authorizations);
        if (type < DynamicFee && !_maxFee.Value.SequenceEqual(_gasPrice.Value))
        {
            throw VerificationError.Mismatch(block, $"{_maxFee.Name} of transaction {index}", Decimal(_maxFee), $"its {_gasPrice.Name} {Decimal(_gasPrice)}");
        }

        void Require(ColumnCursor column, bool isThere)
        {
            if (column.Definition > 0 != isThere)
            {
                throw VerificationError.Failed(
                    block, $"{column.Name} of transaction {index} is {(isThere ? "null" : "not null")}, which it cannot be in a transaction of type {type}");
            }
        }
    }

    private void WriteValue(RlpWriter writer, ulong block, int index)
    {
        Span<byte> value = stackalloc byte[32];
        if (!TryParse(_value.Value, value))
        {
            throw VerificationError.Failed(block, $"{_value.Name} of transaction {index} is not a number in decimal digits of at most 256 bits");
        }

        writer.WriteNumber(value);
    }

    private void WriteAccessList(RlpWriter writer)
    {
        var list = writer.BeginList();
        if (_accessAddress.Definition == Element)
        {
            do
            {
                var item = writer.BeginList();
                writer.WriteBytes(_accessAddress.Value);
                var keys = writer.BeginList();
                if (_accessKey.HasValue)
                {
                    do
                    {
                        writer.WriteBytes(_accessKey.Value);
                    }
                    while (_accessKey.TryMoveWithinRow(2));
                }

                writer.EndList(keys);
                writer.EndList(item);
            }
            while (_accessAddress.TryMoveWithinRow(1) && _accessKey.TryMoveWithinRow(1));
        }

        writer.EndList(list);
    }

    private void WriteBlobHashes(RlpWriter writer)
    {
        var list = writer.BeginList();
        if (_blobHash.Definition == Element)
        {
            do
            {
                writer.WriteBytes(_blobHash.Value);
            }
            while (_blobHash.TryMoveWithinRow(1));
        }

        writer.EndList(list);
    }

    private void WriteAuthorizations(RlpWriter writer)
    {
        var list = writer.BeginList();
        if (_authorizationAddress.Definition == Element)
        {
            do
            {
                var item = writer.BeginList();
                writer.WriteNumber(_authorizationChainId.UInt64);
                writer.WriteBytes(_authorizationAddress.Value);
                writer.WriteNumber(_authorizationNonce.UInt64);
                writer.WriteNumber(_authorizationParity.Value[0]);
                writer.WriteNumber(_authorizationR.Value);
                writer.WriteNumber(_authorizationS.Value);
                writer.EndList(item);
            }
            while (_authorizationAddress.TryMoveWithinRow(1) && _authorizationChainId.TryMoveWithinRow(1)
                && _authorizationNonce.TryMoveWithinRow(1) && _authorizationParity.TryMoveWithinRow(1)
                && _authorizationR.TryMoveWithinRow(1) && _authorizationS.TryMoveWithinRow(1));
        }

        writer.EndList(list);
    }

    private static string Decimal(ColumnCursor column) =>
        BinaryPrimitives.ReadInt128BigEndian(column.Value).ToString(CultureInfo.InvariantCulture);

    /// <summary>Reads decimal digits without leading zeros as 32 bytes, the highest first.</summary>
    private static bool TryParse(ReadOnlySpan<byte> digits, Span<byte> bigEndian)
    {
        const int digitsAtOnce = 19;
        if (digits is [(byte)'0', _, ..])
        {
            return false;
        }

        // The lowest limb first.
        Span<ulong> limbs = [0, 0, 0, 0];
        do
        {
            var part = digits[..Math.Min(digitsAtOnce, digits.Length)];
            if (!ulong.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var value))
            {
                return false;
            }

            UInt128 carry = value;
            foreach (ref var limb in limbs)
            {
                carry += (UInt128)limb * PowersOfTen[part.Length];
                limb = (ulong)carry;
                carry >>= 64;
            }

            if (carry != 0)
            {
                return false;
            }

            digits = digits[part.Length..];
        }
        while (!digits.IsEmpty);

        for (var i = 0; i < limbs.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bigEndian[(8 * (limbs.Length - 1 - i))..], limbs[i]);
        }

        return true;
    }
}
