using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Amp.Parquet;

/// <summary>
/// Parquet's split-block Bloom filter of a column chunk: says of a value that it is certainly not there, or that it
/// may be (wrongly for about one in a hundred). Collects hashes first, since the size follows from their number.
/// </summary>
internal sealed class BloomFilterBuilder
{
    private const int BlockBytes = 32;
    private const int MaxBytes = 1 << 27;
    private const double BitsPerValue = 9.7;
    private static readonly uint[] Salts =
        [0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31];

    private readonly List<ulong> _hashes = [];

    /// <summary>Bytes held.</summary>
    public long BufferedBytes => 8L * _hashes.Count;

    /// <summary>Adds values of <paramref name="width"/> bytes each.</summary>
    public void Add(ReadOnlySpan<byte> values, int width)
    {
        for (var at = 0; at < values.Length; at += width)
        {
            var value = values.Slice(at, width);
            if (at == 0 || !value.SequenceEqual(values.Slice(at - width, width)))
            {
                _hashes.Add(Hash(value));
            }
        }
    }

    /// <summary>Adds the filter, its header first, to <paramref name="output"/>.</summary>
    public void Write(ByteBuffer output)
    {
        var hashes = CollectionsMarshal.AsSpan(_hashes);
        hashes.Sort();
        var distinct = 0;
        for (var i = 0; i < hashes.Length; i++)
        {
            distinct += i == 0 || hashes[i] != hashes[i - 1] ? 1 : 0;
        }

        var size = (int)Math.Min(MaxBytes, BitOperations.RoundUpToPowerOf2((ulong)Math.Max(BlockBytes, distinct * BitsPerValue / 8)));
        var header = new ThriftCompactWriter(output);
        header.BeginStruct();
        header.I32(1, size);
        for (short choice = 2; choice <= 4; choice++)
        {
            // Algorithm: block; hash: xxHash64; compression: none. Each is the first and only choice of its union.
            header.BeginStruct(choice);
            header.BeginStruct(1);
            header.EndStruct();
            header.EndStruct();
        }

        header.EndStruct();
        var bytes = output.GetSpan(size)[..size];
        bytes.Clear();
        foreach (var hash in hashes)
        {
            var block = (int)(((hash >> 32) * (uint)(size / BlockBytes)) >> 32) * BlockBytes;
            for (var i = 0; i < Salts.Length; i++)
            {
                var word = bytes.Slice(block + (4 * i), 4);
                var bit = 1u << (int)(((uint)hash * Salts[i]) >> 27);
                BinaryPrimitives.WriteUInt32LittleEndian(word, BinaryPrimitives.ReadUInt32LittleEndian(word) | bit);
            }
        }

        output.Advance(size);
    }

    /// <summary>Forgets all values.</summary>
    public void Clear() => _hashes.Clear();

    /// <summary>xxHash64 with seed 0, as the format demands.</summary>
    internal static ulong Hash(ReadOnlySpan<byte> value)
    {
        const ulong Prime1 = 0x9E3779B185EBCA87;
        const ulong Prime2 = 0xC2B2AE3D27D4EB4F;
        const ulong Prime3 = 0x165667B19E3779F9;
        const ulong Prime4 = 0x85EBCA77C2B2AE63;
        const ulong Prime5 = 0x27D4EB2F165667C5;
        var length = (ulong)value.Length;
        ulong hash;
        if (value.Length >= 32)
        {
            Span<ulong> lanes = [unchecked(Prime1 + Prime2), Prime2, 0, unchecked(0 - Prime1)];
            while (value.Length >= 32)
            {
                for (var i = 0; i < 4; i++)
                {
                    lanes[i] = Round(lanes[i], BinaryPrimitives.ReadUInt64LittleEndian(value[(8 * i)..]));
                }

                value = value[32..];
            }

            hash = BitOperations.RotateLeft(lanes[0], 1) + BitOperations.RotateLeft(lanes[1], 7)
                + BitOperations.RotateLeft(lanes[2], 12) + BitOperations.RotateLeft(lanes[3], 18);
            foreach (var lane in lanes)
            {
                hash = ((hash ^ Round(0, lane)) * Prime1) + Prime4;
            }
        }
        else
        {
            hash = Prime5;
        }

        hash += length;
        while (value.Length >= 8)
        {
            hash = (BitOperations.RotateLeft(hash ^ Round(0, BinaryPrimitives.ReadUInt64LittleEndian(value)), 27) * Prime1) + Prime4;
            value = value[8..];
        }

        if (value.Length >= 4)
        {
            hash = (BitOperations.RotateLeft(hash ^ (BinaryPrimitives.ReadUInt32LittleEndian(value) * Prime1), 23) * Prime2) + Prime3;
            value = value[4..];
        }

        foreach (var next in value)
        {
            hash = BitOperations.RotateLeft(hash ^ (next * Prime5), 11) * Prime1;
        }

        hash = (hash ^ (hash >> 33)) * Prime2;
        hash = (hash ^ (hash >> 29)) * Prime3;
        return hash ^ (hash >> 32);

        static ulong Round(ulong lane, ulong input) => BitOperations.RotateLeft(lane + (input * Prime2), 31) * Prime1;
    }
}
