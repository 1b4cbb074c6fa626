using System.Buffers.Binary;
using System.Numerics;

namespace Amp.Parquet.Encodings;

/// <summary>Parquet's hybrid of run lengths and bit packing, for levels, booleans and dictionary indices.</summary>
internal static class RleHybridEncoder
{
    private const int Group = 8;

    /// <summary>Adds the values, each of which fits into <paramref name="bitWidth"/> bits.</summary>
    public static void Encode<T>(ReadOnlySpan<T> values, int bitWidth, ByteBuffer output)
        where T : unmanaged, IBinaryInteger<T>
    {
        var packedFrom = 0;
        var position = 0;
        while (position < values.Length)
        {
            var run = RunLength(values, position);

            // Packed values come in groups of eight: the first values of a run fill up the group before it.
            var fill = (Group - ((position - packedFrom) % Group)) % Group;
            if (run >= Group + fill)
            {
                position += fill;
                Pack(values[packedFrom..position], bitWidth, output);
                Repeat(values[position], run - fill, bitWidth, output);
                position += run - fill;
                packedFrom = position;
            }
            else
            {
                position += run;
            }
        }

        Pack(values[packedFrom..], bitWidth, output);
    }

    /// <summary>Number of bits that hold every number from 0 to <paramref name="max"/>.</summary>
    public static int BitWidth(int max) => 32 - BitOperations.LeadingZeroCount((uint)max);

    private static int RunLength<T>(ReadOnlySpan<T> values, int start)
        where T : unmanaged, IBinaryInteger<T>
    {
        var value = values[start];
        if (start + 1 == values.Length || values[start + 1] != value)
        {
            return 1;
        }

        var length = values[start..].IndexOfAnyExcept(value);
        return length < 0 ? values.Length - start : length;
    }

    private static void Repeat<T>(T value, int count, int bitWidth, ByteBuffer output)
        where T : unmanaged, IBinaryInteger<T>
    {
        output.WriteVarint((ulong)count << 1);
        var bits = uint.CreateTruncating(value);
        for (var written = 0; written < bitWidth; written += 8)
        {
            output.WriteByte((byte)bits);
            bits >>= 8;
        }
    }

    private static void Pack<T>(ReadOnlySpan<T> values, int bitWidth, ByteBuffer output)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (values.IsEmpty)
        {
            return;
        }

        var groups = (values.Length + Group - 1) / Group;
        output.WriteVarint(((ulong)groups << 1) | 1);
        var length = groups * bitWidth;
        var target = output.GetSpan(length + 8);
        target[..length].Clear();
        var bits = 0UL;
        var held = 0;
        var at = 0;
        foreach (var value in values)
        {
            bits |= (ulong)uint.CreateTruncating(value) << held;
            held += bitWidth;
            if (held >= 32)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(target[at..], (uint)bits);
                at += 4;
                bits >>= 32;
                held -= 32;
            }
        }

        for (; held > 0; held -= 8)
        {
            target[at++] = (byte)bits;
            bits >>= 8;
        }

        output.Advance(length);
    }
}
