using System.Buffers.Binary;
using System.Numerics;

namespace Amp.Parquet.Encodings;

/// <summary>
/// Parquet's DELTA_BINARY_PACKED: differences of neighbours, packed into as few bits as each run of 32 needs.
/// Differences wrap around, so that every value of 32 or 64 bits comes back, signed or not.
/// </summary>
internal static class DeltaBinaryPackedEncoder
{
    private const int BlockSize = 128;
    private const int MiniblockSize = 32;
    private const int Miniblocks = BlockSize / MiniblockSize;

    /// <summary>Adds 64-bit values.</summary>
    public static void Encode(ReadOnlySpan<long> values, ByteBuffer output)
    {
        Begin(values.Length, values.IsEmpty ? 0 : values[0], output);
        Span<long> deltas = stackalloc long[BlockSize];
        for (var start = 1; start < values.Length; start += BlockSize)
        {
            var count = Math.Min(BlockSize, values.Length - start);
            var least = long.MaxValue;
            for (var i = 0; i < count; i++)
            {
                var delta = values[start + i] - values[start + i - 1];
                deltas[i] = delta;
                least = Math.Min(least, delta);
            }

            Block(deltas[..count], least, ulong.MaxValue, output);
        }
    }

    /// <summary>Adds 32-bit values.</summary>
    public static void Encode(ReadOnlySpan<int> values, ByteBuffer output)
    {
        Begin(values.Length, values.IsEmpty ? 0 : values[0], output);
        Span<long> deltas = stackalloc long[BlockSize];
        for (var start = 1; start < values.Length; start += BlockSize)
        {
            var count = Math.Min(BlockSize, values.Length - start);
            var least = int.MaxValue;
            for (var i = 0; i < count; i++)
            {
                var delta = values[start + i] - values[start + i - 1];
                deltas[i] = delta;
                least = Math.Min(least, delta);
            }

            Block(deltas[..count], least, uint.MaxValue, output);
        }
    }

    private static void Begin(int count, long first, ByteBuffer output)
    {
        output.WriteVarint(BlockSize);
        output.WriteVarint(Miniblocks);
        output.WriteVarint((uint)count);
        output.WriteVarint(Zigzag(first));
    }

    private static void Block(Span<long> deltas, long least, ulong mask, ByteBuffer output)
    {
        output.WriteVarint(Zigzag(least));
        Span<byte> widths = stackalloc byte[Miniblocks];
        for (var miniblock = 0; miniblock < Miniblocks; miniblock++)
        {
            var all = 0UL;
            foreach (ref var delta in Slice(deltas, miniblock))
            {
                var above = (ulong)(delta - least) & mask;
                delta = (long)above;
                all |= above;
            }

            widths[miniblock] = (byte)(64 - BitOperations.LeadingZeroCount(all));
        }

        output.Write(widths);
        for (var miniblock = 0; miniblock < Miniblocks; miniblock++)
        {
            Pack(Slice(deltas, miniblock), widths[miniblock], output);
        }
    }

    private static Span<long> Slice(Span<long> deltas, int miniblock)
    {
        var start = Math.Min(deltas.Length, miniblock * MiniblockSize);
        return deltas.Slice(start, Math.Min(MiniblockSize, deltas.Length - start));
    }

    // A miniblock that has values is written in full length; one that has none, not at all (its width is 0).
    private static void Pack(ReadOnlySpan<long> values, int bitWidth, ByteBuffer output)
    {
        if (bitWidth == 0)
        {
            return;
        }

        var length = bitWidth * MiniblockSize / 8;
        var target = output.GetSpan(length + 8);
        target[..length].Clear();
        var bits = 0UL;
        var held = 0;
        var at = 0;
        foreach (var value in values)
        {
            bits |= (ulong)value << held;
            held += bitWidth;
            if (held >= 64)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(target[at..], bits);
                at += 8;
                held -= 64;
                bits = held == 0 ? 0 : (ulong)value >> (bitWidth - held);
            }
        }

        for (; held > 0; held -= 8)
        {
            target[at++] = (byte)bits;
            bits >>= 8;
        }

        output.Advance(length);
    }

    private static ulong Zigzag(long value) => (ulong)((value << 1) ^ (value >> 63));
}
