namespace Amp.Parquet;

/// <summary>Where in a footer's bytes an offset of the page index stands, and its value.</summary>
internal readonly record struct PageIndexPlace(int Start, int End, long Offset);

/// <summary>Takes page index and footer out of a file, so that they make sense without the data before them.</summary>
internal static class PageIndexPlaces
{
    private const short RowGroups = 4;
    private const short Columns = 1;
    private const short OffsetIndexOffset = 4;
    private const short ColumnIndexOffset = 6;

    /// <summary>Finds the offsets of the column and offset indexes, in the order in which they stand in the footer.</summary>
    public static List<PageIndexPlace> Find(ReadOnlySpan<byte> footer)
    {
        var places = new List<PageIndexPlace>();
        var reader = new ThriftCompactReader(footer);
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if ((id, type) != (RowGroups, ThriftType.List))
            {
                reader.Skip(type);
                continue;
            }

            for (var group = reader.ReadListHeader(out _); group > 0; group--)
            {
                FindInRowGroup(ref reader, places);
            }
        }

        return places;
    }

    /// <summary>Joins page index and footer, with the index's offsets counted from <paramref name="indexStart"/> on.</summary>
    public static byte[] MoveTo(ReadOnlySpan<byte> index, ReadOnlySpan<byte> footer, IReadOnlyList<PageIndexPlace> places, long indexStart)
    {
        using var output = new ByteBuffer(index.Length + footer.Length);
        output.Write(index);
        var copied = 0;
        foreach (var place in places)
        {
            output.Write(footer[copied..place.Start]);
            output.WriteVarint((ulong)(place.Offset - indexStart) << 1);
            copied = place.End;
        }

        output.Write(footer[copied..]);
        output.WriteInt32(output.Length - index.Length);
        output.Write(ParquetTypes.Magic);
        return output.Written.ToArray();
    }

    private static void FindInRowGroup(ref ThriftCompactReader reader, List<PageIndexPlace> places)
    {
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if ((id, type) != (Columns, ThriftType.List))
            {
                reader.Skip(type);
                continue;
            }

            for (var column = reader.ReadListHeader(out _); column > 0; column--)
            {
                FindInColumn(ref reader, places);
            }
        }
    }

    private static void FindInColumn(ref ThriftCompactReader reader, List<PageIndexPlace> places)
    {
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if (type == ThriftType.I64 && id is OffsetIndexOffset or ColumnIndexOffset)
            {
                var start = reader.Position;
                var offset = reader.ReadInteger();
                places.Add(new PageIndexPlace(start, reader.Position, offset));
            }
            else
            {
                reader.Skip(type);
            }
        }
    }
}
