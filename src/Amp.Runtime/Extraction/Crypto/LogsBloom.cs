using System.Buffers.Binary;

namespace Amp.Extraction.Crypto;

/// <summary>The 2048-bit filter over the addresses and topics of logs that receipts and headers carry.</summary>
internal static class LogsBloom
{
    /// <summary>Bytes in a filter.</summary>
    public const int Length = 256;

    /// <summary>Adds an address (20 bytes) or a topic (32 bytes) to a filter.</summary>
    public static void Add(Span<byte> bloom, ReadOnlySpan<byte> value) => Set(bloom, BitsOf(value));

    /// <summary>The three bits that stand for an address or a topic, as three numbers of 16 bits.</summary>
    public static ulong BitsOf(ReadOnlySpan<byte> value)
    {
        Span<byte> hash = stackalloc byte[Keccak256.HashLength];
        Keccak256.Hash(value, hash);
        return BinaryPrimitives.ReadUInt64BigEndian(hash) >> 16;
    }

    /// <summary>Sets the bits of <see cref="BitsOf"/>.</summary>
    public static void Set(Span<byte> bloom, ulong bits)
    {
        for (var i = 0; i < 3; i++, bits >>= 16)
        {
            // The lowest 11 bits number a bit, counted from the last byte's lowest bit.
            var bit = (int)bits & 0x7ff;
            bloom[Length - 1 - (bit / 8)] |= (byte)(1 << (bit % 8));
        }
    }

    /// <summary>Adds everything that is in <paramref name="other"/>.</summary>
    public static void Merge(Span<byte> bloom, ReadOnlySpan<byte> other)
    {
        for (var i = 0; i < Length; i++)
        {
            bloom[i] |= other[i];
        }
    }
}
