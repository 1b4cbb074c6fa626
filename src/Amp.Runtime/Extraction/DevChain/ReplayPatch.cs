using System.Globalization;
using System.Text;

namespace Amp.Extraction.DevChains;

/// <summary>What differs between a recorded block and its replay as one block of a chain, as the text that is patched in.</summary>
internal readonly struct ReplayPatch(DevLink block, ulong timestamp, HexPermutation digits)
{
    private readonly byte[] _number = Text(block.Number);
    private readonly byte[] _timestamp = Text(timestamp);
    private readonly byte[] _hash = Text(block.Hash);
    private readonly byte[] _parentHash = Text(block.ParentHash);

    /// <summary>Replacement of the digits of everything long.</summary>
    public HexPermutation Digits { get; } = digits;

    /// <summary>Hex digits for a slot.</summary>
    public ReadOnlySpan<byte> For(SlotKind kind) => kind switch
    {
        SlotKind.Number => _number,
        SlotKind.Timestamp => _timestamp,
        SlotKind.Hash => _hash,
        _ => _parentHash,
    };

    private static byte[] Text(ulong value) => Encoding.ASCII.GetBytes(value.ToString("x", CultureInfo.InvariantCulture));

    private static byte[] Text(Hash32 hash) => Encoding.ASCII.GetBytes(hash.ToString()[2..]);
}

/// <summary>What a patched place in a recorded document holds.</summary>
internal enum SlotKind
{
    /// <summary>The block's number.</summary>
    Number,

    /// <summary>Its timestamp.</summary>
    Timestamp,

    /// <summary>Its hash.</summary>
    Hash,

    /// <summary>Its parent's hash.</summary>
    ParentHash,
}
