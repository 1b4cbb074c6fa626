using System.Buffers.Binary;

namespace Amp.Extraction;

/// <summary>A 32-byte hash as a value.</summary>
internal readonly record struct Hash32
{
    private readonly UInt128 _high;
    private readonly UInt128 _low;

    public Hash32(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != 32)
        {
            throw new ArgumentException($"a hash has 32 bytes, this has {bytes.Length}", nameof(bytes));
        }

        _high = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        _low = BinaryPrimitives.ReadUInt128BigEndian(bytes[16..]);
    }

    /// <summary>Whether all bytes are 0, as the parent hash of a chain's first block is.</summary>
    public bool IsZero => _high == UInt128.Zero && _low == UInt128.Zero;

    /// <summary>Reads <c>0x</c> and 64 hex digits.</summary>
    public static Hash32 Parse(string hex) => new(Convert.FromHexString(hex.AsSpan(2)));

    /// <summary>Writes the 32 bytes.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt128BigEndian(destination, _high);
        BinaryPrimitives.WriteUInt128BigEndian(destination[16..], _low);
    }

    /// <summary>Returns <c>0x</c> and 64 hex digits in lower case.</summary>
    public override string ToString() => $"0x{_high:x32}{_low:x32}";
}
