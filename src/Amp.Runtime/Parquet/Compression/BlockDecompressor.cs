using System.Buffers.Binary;

namespace Amp.Parquet.Compression;

/// <summary>
/// Reads Snappy and LZ4 blocks. Bytes that are not such a block, or do not yield exactly the expected length, are an
/// <see cref="InvalidDataException"/>; nothing outside the given spans is ever touched.
/// </summary>
internal static class BlockDecompressor
{
    /// <summary>Fills <paramref name="output"/> from a Snappy block.</summary>
    public static void Snappy(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var at = 0;
        var length = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var next = Next(input, ref at);
            length |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                break;
            }

            if (shift > 28)
            {
                throw Malformed();
            }
        }

        if (length != (ulong)output.Length)
        {
            throw Malformed();
        }

        var to = 0;
        while (at < input.Length)
        {
            int tag = Next(input, ref at);
            switch (tag & 3)
            {
                case 0:
                    long count = tag >> 2;
                    if (count >= 60)
                    {
                        var size = (int)count - 59;
                        count = 0;
                        for (var i = 0; i < size; i++)
                        {
                            count |= (long)Next(input, ref at) << (8 * i);
                        }
                    }

                    Literal(input, ref at, output, ref to, count + 1);
                    break;
                case 1:
                    Copy(output, ref to, ((tag >> 5) << 8) | Next(input, ref at), ((tag >> 2) & 7) + 4);
                    break;
                case 2:
                    Copy(output, ref to, Next(input, ref at) | (Next(input, ref at) << 8), (tag >> 2) + 1);
                    break;
                default:
                    if (input.Length - at < 4)
                    {
                        throw Malformed();
                    }

                    var offset = BinaryPrimitives.ReadInt32LittleEndian(input[at..]);
                    at += 4;
                    Copy(output, ref to, offset, (tag >> 2) + 1);
                    break;
            }
        }

        Finish(output, to);
    }

    /// <summary>Fills <paramref name="output"/> from an LZ4 block.</summary>
    public static void Lz4(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var at = 0;
        var to = 0;
        while (true)
        {
            int token = Next(input, ref at);
            Literal(input, ref at, output, ref to, Lz4Length(input, ref at, token >> 4));
            if (at == input.Length)
            {
                break;
            }

            var offset = Next(input, ref at) | (Next(input, ref at) << 8);
            Copy(output, ref to, offset, Lz4Length(input, ref at, token & 15) + 4);
        }

        Finish(output, to);
    }

    private static long Lz4Length(ReadOnlySpan<byte> input, ref int at, long length)
    {
        if (length == 15)
        {
            byte next;
            do
            {
                next = Next(input, ref at);
                length += next;
            }
            while (next == 255);
        }

        return length;
    }

    private static void Literal(ReadOnlySpan<byte> input, ref int at, Span<byte> output, ref int to, long count)
    {
        if (count > input.Length - at || count > output.Length - to)
        {
            throw Malformed();
        }

        input.Slice(at, (int)count).CopyTo(output[to..]);
        at += (int)count;
        to += (int)count;
    }

    private static void Copy(Span<byte> output, ref int to, int offset, long count)
    {
        if (offset <= 0 || offset > to || count > output.Length - to)
        {
            throw Malformed();
        }

        var end = to + (int)count;
        var from = to - offset;

        // A copy may read what it writes (a run): each step copies what is there already, which doubles.
        while (to < end)
        {
            var piece = Math.Min(to - from, end - to);
            output.Slice(from, piece).CopyTo(output[to..]);
            to += piece;
        }
    }

    private static byte Next(ReadOnlySpan<byte> input, ref int at) =>
        (uint)at < (uint)input.Length ? input[at++] : throw Malformed();

    private static void Finish(Span<byte> output, int to)
    {
        if (to != output.Length)
        {
            throw Malformed();
        }
    }

    private static InvalidDataException Malformed() => new("the compressed block is malformed or cut off");
}
