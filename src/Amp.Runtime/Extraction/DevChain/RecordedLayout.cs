using System.Buffers;

namespace Amp.Extraction.DevChains;

/// <summary>
/// A recorded document with room for block numbers and timestamps of a certain number of digits: its bytes, the places
/// that are patched, and the long hex strings that are varied, all found beforehand and in rising order.
/// </summary>
internal sealed class RecordedLayout(byte[] bytes, (int Position, SlotKind Kind)[] slots, (int Start, int Length)[] varied)
{
    /// <summary>Where the contents of the array of transactions or receipts are.</summary>
    public required Range List { get; init; }

    /// <summary>Where each transaction or receipt is.</summary>
    public required IReadOnlyList<Range> Items { get; init; }

    /// <summary>Writes the part in a range, patched. No slot and no string may stand across the range's ends.</summary>
    public void Write(Range range, in ReplayPatch patch, IBufferWriter<byte> output)
    {
        var (start, length) = range.GetOffsetAndLength(bytes.Length);
        var target = output.GetSpan(length)[..length];
        bytes.AsSpan(start, length).CopyTo(target);
        for (var i = FirstAt(varied, start); i < varied.Length && varied[i].Start < start + length; i++)
        {
            patch.Digits.Apply(target.Slice(varied[i].Start - start, varied[i].Length));
        }

        for (var i = FirstAt(slots, start); i < slots.Length && slots[i].Position < start + length; i++)
        {
            patch.For(slots[i].Kind).CopyTo(target[(slots[i].Position - start)..]);
        }

        output.Advance(length);
    }

    // Index of the first entry at or after a position.
    private static int FirstAt<T>((int Position, T Value)[] entries, int position)
    {
        var (low, high) = (0, entries.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = entries[middle].Position < position ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}
