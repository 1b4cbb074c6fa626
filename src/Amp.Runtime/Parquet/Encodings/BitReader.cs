namespace Amp.Parquet.Encodings;

/// <summary>Reads packed numbers, lowest bit first.</summary>
internal static class BitReader
{
    /// <summary>Reads a number of up to 64 bits; the bytes must be there.</summary>
    /// <param name="bytes">Where the numbers are packed.</param>
    /// <param name="bit">Place of the number's first bit.</param>
    /// <param name="width">Number of its bits.</param>
    public static ulong Read(ReadOnlySpan<byte> bytes, long bit, int width)
    {
        var value = 0UL;
        for (var read = 0; read < width;)
        {
            var from = (int)(bit & 7);
            var count = Math.Min(8 - from, width - read);
            value |= (((ulong)bytes[(int)(bit >> 3)] >> from) & ((1UL << count) - 1)) << read;
            read += count;
            bit += count;
        }

        return value;
    }

    /// <summary>Reads a number of 7 bits per byte, lowest first, and moves <paramref name="at"/> behind it.</summary>
    public static ulong ReadVarint(ReadOnlySpan<byte> bytes, ref int at)
    {
        var value = 0UL;
        for (var shift = 0; shift < 64 && at < bytes.Length; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("a number in a page is malformed or cut off");
    }
}
