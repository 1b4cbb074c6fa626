using System.Buffers.Binary;
using System.Globalization;

namespace Amp.Extraction.EvmRpc;

/// <summary>An unsigned number of 256 bits, as Ethereum counts value and difficulty.</summary>
/// <param name="High">The upper 128 bits.</param>
/// <param name="Low">The lower 128 bits.</param>
internal readonly record struct UInt256(UInt128 High, UInt128 Low)
{
    /// <summary>Decimal digits of the largest number.</summary>
    public const int MaxDigits = 78;

    private const ulong TenTo19 = 10_000_000_000_000_000_000;

    private static readonly UInt128 TenTo38 = UInt128.Parse("1" + new string('0', 38), CultureInfo.InvariantCulture);

    /// <summary>Reads 32 bytes, the highest first.</summary>
    public UInt256(ReadOnlySpan<byte> bytes)
        : this(BinaryPrimitives.ReadUInt128BigEndian(bytes), BinaryPrimitives.ReadUInt128BigEndian(bytes[16..]))
    {
    }

    /// <summary>Writes 32 bytes, the highest first.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt128BigEndian(destination, High);
        BinaryPrimitives.WriteUInt128BigEndian(destination[16..], Low);
    }

    /// <summary>The number as a decimal of at most 38 digits; false when it has more.</summary>
    public bool TryToDecimal38(out Int128 value)
    {
        var fits = High == 0 && Low < TenTo38;
        value = fits ? (Int128)Low : 0;
        return fits;
    }

    /// <summary>Writes the decimal digits, at most <see cref="MaxDigits"/>, and returns how many.</summary>
    public int Format(Span<byte> destination)
    {
        var written = 0;
        if (High == 0 && Low <= ulong.MaxValue)
        {
            ((ulong)Low).TryFormat(destination, out written, default, CultureInfo.InvariantCulture);
            return written;
        }

        // Parts of 19 digits, the lowest first, by dividing four 64-bit limbs.
        Span<ulong> limbs = [(ulong)(High >> 64), (ulong)High, (ulong)(Low >> 64), (ulong)Low];
        Span<ulong> parts = stackalloc ulong[5];
        var count = 0;
        while (limbs.ContainsAnyExcept(0UL))
        {
            UInt128 rest = 0;
            foreach (ref var limb in limbs)
            {
                var dividend = (rest << 64) | limb;
                limb = (ulong)(dividend / TenTo19);
                rest = dividend % TenTo19;
            }

            parts[count++] = (ulong)rest;
        }

        for (var i = count - 1; i >= 0; i--)
        {
            parts[i].TryFormat(destination[written..], out var length, i == count - 1 ? default : "D19", CultureInfo.InvariantCulture);
            written += length;
        }

        return written;
    }
}
