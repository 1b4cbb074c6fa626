using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Amp.Parquet.Compression;

/// <summary>LZ4's block format without any frame, which Parquet calls LZ4_RAW.</summary>
internal sealed class Lz4Compressor : PageCompressor
{
    private const int HashBits = 14;
    private const int MinMatch = 4;
    private const int MaxOffset = ushort.MaxValue;

    // The format wants the last five bytes as literals and no match to begin in the last twelve.
    private const int LastLiterals = 5;
    private const int LastMatchStart = 12;
    private readonly int[] _table = new int[1 << HashBits];

    /// <inheritdoc/>
    public override void Compress(ReadOnlySpan<byte> source, ByteBuffer output)
    {
        var literalFrom = 0;
        Array.Clear(_table);
        var last = source.Length - LastMatchStart;
        var position = 1;
        while (position < last)
        {
            var step = 1 + ((position - literalFrom) >> 6);
            var current = Read32(source, position);
            ref var slot = ref _table[(current * 2654435761u) >> (32 - HashBits)];
            var candidate = slot;
            slot = position;
            if (candidate >= position || position - candidate > MaxOffset || Read32(source, candidate) != current)
            {
                position += step;
                continue;
            }

            var longest = source[(position + MinMatch)..^LastLiterals];
            var extra = source[(candidate + MinMatch)..].CommonPrefixLength(longest);
            Sequence(source[literalFrom..position], position - candidate, extra, output);
            position += MinMatch + extra;
            literalFrom = position;
        }

        var rest = source[literalFrom..];
        output.WriteByte((byte)(Math.Min(rest.Length, 15) << 4));
        Length(rest.Length, output);
        output.Write(rest);
    }

    private static void Sequence(ReadOnlySpan<byte> literals, int offset, int extra, ByteBuffer output)
    {
        output.WriteByte((byte)((Math.Min(literals.Length, 15) << 4) | Math.Min(extra, 15)));
        Length(literals.Length, output);
        output.Write(literals);
        output.WriteByte((byte)offset);
        output.WriteByte((byte)(offset >> 8));
        Length(extra, output);
    }

    private static void Length(int length, ByteBuffer output)
    {
        if (length < 15)
        {
            return;
        }

        for (length -= 15; length >= 255; length -= 255)
        {
            output.WriteByte(255);
        }

        output.WriteByte((byte)length);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Read32(ReadOnlySpan<byte> bytes, int position) => MemoryMarshal.Read<uint>(bytes[position..]);
}
