using System.Buffers.Binary;

namespace Amp.Parquet;

/// <summary>Which rows are wanted, by a column of type UInt64 outside of lists.</summary>
/// <param name="Field">The column.</param>
/// <param name="Ranges">The wanted values.</param>
internal sealed record UInt64Filter(ArrowField Field, IReadOnlyList<AmpBlockRange> Ranges)
{
    /// <summary>Whether a row with this value is wanted.</summary>
    public bool IsMatch(ulong value) => Ranges.Any(range => range.Contains(value));

    /// <summary>Whether a row may be wanted among those with values in these bounds; bounds that are not known exclude nothing.</summary>
    public bool MayMatch(ValueBounds bounds) => bounds is not { Min.Length: sizeof(ulong), Max.Length: sizeof(ulong) }
        || Ranges.Any(range => range.Overlaps(BinaryPrimitives.ReadUInt64LittleEndian(bounds.Min), BinaryPrimitives.ReadUInt64LittleEndian(bounds.Max)));
}
