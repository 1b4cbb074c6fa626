using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace Amp.Parquet;

/// <summary>
/// Smallest and largest of some values in their column's <see cref="ValueOrder"/>, as Parquet stores them in
/// statistics; null when there are no values.
/// </summary>
internal readonly record struct ValueBounds(byte[]? Min, byte[]? Max);

/// <summary>Finds, compares and shortens bounds.</summary>
internal static class ValueStatistics
{
    /// <summary>Longest bound kept of values that differ in length; longer ones are cut so that they still bound.</summary>
    public const int MaxBoundLength = 64;

    /// <summary>Finds the bounds of all values of a column.</summary>
    public static ValueBounds BoundsOf(ColumnBuffer column, ValueOrder order)
    {
        var values = column.Values;
        if (column.ValueCount == 0)
        {
            return default;
        }

        return order switch
        {
            ValueOrder.Boolean => new([values.Contains((byte)0) ? (byte)0 : (byte)1], [values.Contains((byte)1) ? (byte)1 : (byte)0]),
            ValueOrder.Int32 => BoundsOf<int>(values),
            ValueOrder.UInt32 => BoundsOf<uint>(values),
            ValueOrder.Int64 => BoundsOf<long>(values),
            ValueOrder.UInt64 => BoundsOf<ulong>(values),
            ValueOrder.Decimal => BoundsOfDecimals(values),
            _ when column.Leaf.Type.ValueWidth is > 0 and var width => BoundsOfFixed(values, width),
            _ => BoundsOfVariable(values, column.ValueEnds),
        };
    }

    /// <summary>Compares two stored values; negative when the first comes first.</summary>
    public static int Compare(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ValueOrder order) => order switch
    {
        ValueOrder.Int32 => BinaryPrimitives.ReadInt32LittleEndian(first).CompareTo(BinaryPrimitives.ReadInt32LittleEndian(second)),
        ValueOrder.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(first).CompareTo(BinaryPrimitives.ReadUInt32LittleEndian(second)),
        ValueOrder.Int64 => BinaryPrimitives.ReadInt64LittleEndian(first).CompareTo(BinaryPrimitives.ReadInt64LittleEndian(second)),
        ValueOrder.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(first).CompareTo(BinaryPrimitives.ReadUInt64LittleEndian(second)),
        ValueOrder.Decimal => BinaryPrimitives.ReadInt128BigEndian(first).CompareTo(BinaryPrimitives.ReadInt128BigEndian(second)),
        _ => first.SequenceCompareTo(second),
    };

    /// <summary>The bounds of both.</summary>
    public static ValueBounds Union(ValueBounds first, ValueBounds second, ValueOrder order)
    {
        if (first.Min is null || second.Min is null)
        {
            return first.Min is null ? second : first;
        }

        return new(
            Compare(first.Min, second.Min, order) <= 0 ? first.Min : second.Min,
            Compare(first.Max, second.Max, order) >= 0 ? first.Max : second.Max);
    }

    /// <summary>A prefix that is not larger than a smallest value; the value itself when it is short. Text is cut between characters.</summary>
    public static byte[] ShortenMin(byte[] min, bool isText) =>
        min.Length <= MaxBoundLength ? min : min[..PrefixLength(min, isText)];

    /// <summary>
    /// A short value that is not smaller than a largest value: its prefix, raised in the last place that can be;
    /// the value itself when it is short or cannot be raised.
    /// </summary>
    public static byte[] ShortenMax(byte[] max, bool isText)
    {
        if (max.Length <= MaxBoundLength)
        {
            return max;
        }

        // Raising an ASCII character leaves text valid; other characters are dropped.
        var raisable = isText ? 0x7f : 0xff;
        for (var length = PrefixLength(max, isText); length > 0; length--)
        {
            if (max[length - 1] < raisable)
            {
                var raised = max[..length];
                raised[^1]++;
                return raised;
            }
        }

        return max;
    }

    private static int PrefixLength(byte[] value, bool isText)
    {
        var length = MaxBoundLength;
        if (isText)
        {
            // 10xxxxxx continues a character.
            while (length > 0 && (value[length] & 0xc0) == 0x80)
            {
                length--;
            }
        }

        return length;
    }

    private static ValueBounds BoundsOf<T>(ReadOnlySpan<byte> bytes)
        where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var values = MemoryMarshal.Cast<byte, T>(bytes);
        var min = T.MaxValue;
        var max = T.MinValue;
        if (values.Length >= 2 * Vector<T>.Count)
        {
            var vectors = MemoryMarshal.Cast<T, Vector<T>>(values);
            var least = vectors[0];
            var most = least;
            foreach (var vector in vectors)
            {
                least = Vector.Min(least, vector);
                most = Vector.Max(most, vector);
            }

            for (var i = 0; i < Vector<T>.Count; i++)
            {
                min = T.Min(min, least[i]);
                max = T.Max(max, most[i]);
            }

            values = values[(vectors.Length * Vector<T>.Count)..];
        }

        foreach (var value in values)
        {
            min = T.Min(min, value);
            max = T.Max(max, value);
        }

        return new(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in min)).ToArray(), MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in max)).ToArray());
    }

    private static ValueBounds BoundsOfDecimals(ReadOnlySpan<byte> values)
    {
        var min = Int128.MaxValue;
        var max = Int128.MinValue;
        for (var at = 0; at < values.Length; at += 16)
        {
            var value = BinaryPrimitives.ReadInt128BigEndian(values[at..]);
            min = Int128.Min(min, value);
            max = Int128.Max(max, value);
        }

        var bounds = new ValueBounds(new byte[16], new byte[16]);
        BinaryPrimitives.WriteInt128BigEndian(bounds.Min, min);
        BinaryPrimitives.WriteInt128BigEndian(bounds.Max, max);
        return bounds;
    }

    private static ValueBounds BoundsOfFixed(ReadOnlySpan<byte> values, int width)
    {
        var min = values[..width];
        var max = min;
        for (var at = width; at < values.Length; at += width)
        {
            Widen(values.Slice(at, width), ref min, ref max);
        }

        return new(min.ToArray(), max.ToArray());
    }

    private static ValueBounds BoundsOfVariable(ReadOnlySpan<byte> values, ReadOnlySpan<int> ends)
    {
        var min = values[..ends[0]];
        var max = min;
        for (var i = 1; i < ends.Length; i++)
        {
            Widen(values[ends[i - 1]..ends[i]], ref min, ref max);
        }

        return new(Head(min).ToArray(), max.Length > MaxBoundLength && CanBeRaised(max) ? Head(max).ToArray() : max.ToArray());
    }

    // As much of a long value as shortening looks at.
    private static ReadOnlySpan<byte> Head(ReadOnlySpan<byte> value) => value[..Math.Min(value.Length, MaxBoundLength + 1)];

    // Whether the first bytes of a long value suffice to shorten it; a character of text is at most 4 of them.
    private static bool CanBeRaised(ReadOnlySpan<byte> value) => value[..(MaxBoundLength - 4)].ContainsAnyInRange((byte)0, (byte)0x7e);

    private static void Widen(ReadOnlySpan<byte> value, ref ReadOnlySpan<byte> min, ref ReadOnlySpan<byte> max)
    {
        if (value.SequenceCompareTo(min) < 0)
        {
            min = value;
        }
        else if (value.SequenceCompareTo(max) > 0)
        {
            max = value;
        }
    }
}
