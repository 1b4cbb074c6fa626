using System.Buffers.Binary;

namespace Amp.Extraction.Crypto;

/// <summary>
/// Adds to filters like <see cref="LogsBloom"/>, and remembers the bits of the addresses and topics seen last: the same few
/// make up most of a chain's logs, and hashing them is most of the work. Not for use by several threads.
/// </summary>
internal sealed class LogsBloomCache
{
    private const int Slots = 8192;
    private const int LongestKey = 32;

    private readonly byte[] _keys = new byte[Slots * LongestKey];

    // The key's length in the highest 16 bits, 0 in a slot that was never used; below it the key's bits.
    private readonly ulong[] _entries = new ulong[Slots];

    /// <summary>Adds an address (20 bytes) or a topic (32 bytes) to a filter.</summary>
    public void Add(Span<byte> bloom, ReadOnlySpan<byte> value)
    {
        var slot = SlotOf(value);
        ref var entry = ref _entries[slot];
        var key = _keys.AsSpan(slot * LongestKey, value.Length);
        if ((int)(entry >> 48) != value.Length || !value.SequenceEqual(key))
        {
            value.CopyTo(key);
            entry = ((ulong)value.Length << 48) | LogsBloom.BitsOf(value);
        }

        LogsBloom.Set(bloom, entry);
    }

    // Topics are hashes, or numbers and addresses padded in front: the end tells them apart.
    private static int SlotOf(ReadOnlySpan<byte> value)
    {
        var mixed = (BinaryPrimitives.ReadUInt64BigEndian(value[^8..]) ^ BinaryPrimitives.ReadUInt64BigEndian(value[^16..])) * 0x9e3779b97f4a7c15;
        return (int)(mixed >> 51);
    }
}
