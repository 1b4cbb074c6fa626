using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Amp.Extraction.EvmRpc;

/// <summary>Hex digits in UTF-8 to bytes, without allocating.</summary>
internal static class Hex
{
    private const byte Bad = 0xff;

    private static readonly byte[] Nibbles = CreateNibbles();

    /// <summary>
    /// Decodes two digits per byte of <paramref name="destination"/>, which must be half as long as
    /// <paramref name="digits"/>. False when a character is no hex digit; the content of the destination is then
    /// arbitrary.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<byte> digits, Span<byte> destination)
    {
        if (digits.Length != destination.Length * 2)
        {
            throw new ArgumentException("the destination must be half as long as the digits", nameof(destination));
        }

        var done = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            ref var source = ref MemoryMarshal.GetReference(digits);
            ref var target = ref MemoryMarshal.GetReference(destination);
            var valid = Vector256<byte>.AllBitsSet;
            for (; done <= destination.Length - 16; done += 16)
            {
                var pairs = Join(ToNibbles(Vector256.LoadUnsafe(ref source, (nuint)done * 2), ref valid));
                Vector128.Narrow(pairs.GetLower(), pairs.GetUpper()).StoreUnsafe(ref target, (nuint)done);
            }

            if (valid != Vector256<byte>.AllBitsSet)
            {
                return false;
            }
        }

        var nibbles = Nibbles;
        var seen = 0;
        for (; done < destination.Length; done++)
        {
            var high = nibbles[digits[done * 2]];
            var low = nibbles[digits[(done * 2) + 1]];
            seen |= high | low;
            destination[done] = (byte)((high << 4) | low);
        }

        return seen < 16;
    }

    /// <summary>What a digit stands for; more than 15 when it is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Nibble(byte digit) => Nibbles[digit];

    // One nibble per byte; clears the lanes of `valid` that hold no digit.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> ToNibbles(Vector256<byte> text, ref Vector256<byte> valid)
    {
        var digit = text - Vector256.Create((byte)'0');
        var letter = (text | Vector256.Create((byte)0x20)) - Vector256.Create((byte)'a');
        var isDigit = Vector256.LessThan(digit, Vector256.Create((byte)10));
        var isLetter = Vector256.LessThan(letter, Vector256.Create((byte)6));
        valid &= isDigit | isLetter;
        return Vector256.ConditionalSelect(isDigit, digit, letter + Vector256.Create((byte)10));
    }

    // Pairs of nibbles, the first of each pair the high one, to bytes in 16-bit lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ushort> Join(Vector256<byte> nibbles)
    {
        var pairs = nibbles.AsUInt16();
        var joined = BitConverter.IsLittleEndian
            ? (pairs << 4) | (pairs >>> 8)
            : (pairs >>> 4) | pairs;
        return joined & Vector256.Create((ushort)0xff);
    }

    private static byte[] CreateNibbles()
    {
        var table = new byte[256];
        Array.Fill(table, Bad);
        for (var i = 0; i < 16; i++)
        {
            table["0123456789abcdef"[i]] = (byte)i;
            table["0123456789ABCDEF"[i]] = (byte)i;
        }

        return table;
    }
}
