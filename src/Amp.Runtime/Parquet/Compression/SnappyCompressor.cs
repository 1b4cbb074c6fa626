using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Amp.Parquet.Compression;

/// <summary>Snappy's block format: blocks of 64 KiB, found repeats within a block as copies, the rest as literals.</summary>
internal sealed class SnappyCompressor : PageCompressor
{
    private const int BlockSize = 1 << 16;
    private const int HashBits = 14;
    private const int MinMatch = 4;

    // The encoder may look at this many bytes at once; nearer to the end everything is a literal.
    private const int Margin = 15;
    private readonly ushort[] _table = new ushort[1 << HashBits];

    /// <inheritdoc/>
    public override void Compress(ReadOnlySpan<byte> source, ByteBuffer output)
    {
        output.WriteVarint((uint)source.Length);
        for (var start = 0; start < source.Length; start += BlockSize)
        {
            CompressBlock(source.Slice(start, Math.Min(BlockSize, source.Length - start)), output);
        }
    }

    private void CompressBlock(ReadOnlySpan<byte> block, ByteBuffer output)
    {
        var literalFrom = 0;
        if (block.Length > Margin)
        {
            Array.Clear(_table);
            var last = block.Length - Margin;
            var position = 1;
            while (position < last)
            {
                // The longer nothing was found, the larger the steps: random bytes pass quickly.
                var step = 1 + ((position - literalFrom) >> 5);
                var current = Read32(block, position);
                ref var slot = ref _table[(current * 0x1E35A7BD) >> (32 - HashBits)];
                int candidate = slot;
                slot = (ushort)position;
                if (candidate >= position || Read32(block, candidate) != current)
                {
                    position += step;
                    continue;
                }

                Literal(block[literalFrom..position], output);
                var length = MinMatch + block[(candidate + MinMatch)..].CommonPrefixLength(block[(position + MinMatch)..]);
                Copy(position - candidate, length, output);
                position += length;
                literalFrom = position;
            }
        }

        Literal(block[literalFrom..], output);
    }

    private static void Literal(ReadOnlySpan<byte> bytes, ByteBuffer output)
    {
        if (bytes.IsEmpty)
        {
            return;
        }

        var length = bytes.Length - 1;
        switch (length)
        {
            case < 60:
                output.WriteByte((byte)(length << 2));
                break;
            case < 1 << 8:
                output.WriteByte(60 << 2);
                output.WriteByte((byte)length);
                break;
            default:
                output.WriteByte(61 << 2);
                output.WriteByte((byte)length);
                output.WriteByte((byte)(length >> 8));
                break;
        }

        output.Write(bytes);
    }

    private static void Copy(int offset, int length, ByteBuffer output)
    {
        // Pieces of at most 64; the last is kept at 4 or more, so that it fits the short form.
        while (length >= 68)
        {
            LongCopy(offset, 64, output);
            length -= 64;
        }

        if (length > 64)
        {
            LongCopy(offset, 60, output);
            length -= 60;
        }

        if (length >= 12 || offset >= 2048)
        {
            LongCopy(offset, length, output);
        }
        else
        {
            output.WriteByte((byte)(1 | ((length - 4) << 2) | ((offset >> 8) << 5)));
            output.WriteByte((byte)offset);
        }
    }

    private static void LongCopy(int offset, int length, ByteBuffer output)
    {
        output.WriteByte((byte)(2 | ((length - 1) << 2)));
        output.WriteByte((byte)offset);
        output.WriteByte((byte)(offset >> 8));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Read32(ReadOnlySpan<byte> bytes, int position) => MemoryMarshal.Read<uint>(bytes[position..]);
}
