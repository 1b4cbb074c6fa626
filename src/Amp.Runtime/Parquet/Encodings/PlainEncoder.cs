namespace Amp.Parquet.Encodings;

/// <summary>Parquet's PLAIN: values as they are; lengths in front of those that differ in length; a bit per boolean.</summary>
internal static class PlainEncoder
{
    /// <summary>Adds all values of a column.</summary>
    public static void Encode(ColumnBuffer column, ByteBuffer output)
    {
        switch (ParquetTypes.PhysicalTypeOf(column.Leaf.Type))
        {
            case PhysicalType.Boolean:
                EncodeBooleans(column.Values, output);
                break;
            case PhysicalType.ByteArray:
                EncodeByteArrays(column.Values, column.ValueEnds, output);
                break;
            default:
                output.Write(column.Values);
                break;
        }
    }

    private static void EncodeBooleans(ReadOnlySpan<byte> values, ByteBuffer output)
    {
        var length = (values.Length + 7) / 8;
        var target = output.GetSpan(length)[..length];
        target.Clear();
        for (var i = 0; i < values.Length; i++)
        {
            target[i >> 3] |= (byte)(values[i] << (i & 7));
        }

        output.Advance(length);
    }

    private static void EncodeByteArrays(ReadOnlySpan<byte> values, ReadOnlySpan<int> ends, ByteBuffer output)
    {
        output.GetSpan(checked(values.Length + (4 * ends.Length)));
        var start = 0;
        foreach (var end in ends)
        {
            output.WriteInt32(end - start);
            output.Write(values[start..end]);
            start = end;
        }
    }
}
