namespace Amp.Parquet;

/// <summary>Where a data page is, and its first row in the row group.</summary>
internal readonly record struct PagePlace(long Offset, int Length, long FirstRow);

/// <summary>Reads the page index of a column chunk.</summary>
internal static class PageIndex
{
    /// <summary>Where the pages are (the offset index).</summary>
    /// <param name="bytes">The index.</param>
    /// <param name="chunk">The chunk that it is of: pages outside of it are refused.</param>
    public static PagePlace[] ReadPlaces(ReadOnlySpan<byte> bytes, ChunkLayout chunk)
    {
        var reader = new ThriftCompactReader(bytes);
        PagePlace[] places = [];
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if ((id, type) != (1, ThriftType.List))
            {
                reader.Skip(type);
                continue;
            }

            places = new PagePlace[reader.ReadListHeader(out _)];
            for (var i = 0; i < places.Length; i++)
            {
                places[i] = ReadPlace(ref reader);
                var isInOrder = i == 0 ? places[0].FirstRow == 0 : places[i].FirstRow > places[i - 1].FirstRow;
                if (!isInOrder || places[i].Offset < chunk.Start || places[i].Length <= 0 || places[i].Offset > chunk.End - places[i].Length)
                {
                    throw new InvalidDataException("a page index contradicts its footer");
                }
            }
        }

        return places;
    }

    /// <summary>The bounds of the pages' values (the column index); null for a page without values.</summary>
    public static ValueBounds[] ReadBounds(ReadOnlySpan<byte> bytes)
    {
        var reader = new ThriftCompactReader(bytes);
        bool[] isEmpty = [];
        byte[][] least = [];
        byte[][] most = [];
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (1, ThriftType.List):
                    isEmpty = new bool[reader.ReadListHeader(out _)];
                    for (var i = 0; i < isEmpty.Length; i++)
                    {
                        isEmpty[i] = reader.ReadByte() == (byte)ThriftType.True;
                    }

                    break;
                case (2, ThriftType.List):
                    least = ReadValues(ref reader);
                    break;
                case (3, ThriftType.List):
                    most = ReadValues(ref reader);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return least.Length == isEmpty.Length && most.Length == isEmpty.Length
            ? [.. isEmpty.Select((empty, i) => empty ? default : new ValueBounds(least[i], most[i]))]
            : throw new InvalidDataException("a page index contradicts itself");
    }

    private static byte[][] ReadValues(ref ThriftCompactReader reader)
    {
        var values = new byte[reader.ReadListHeader(out _)][];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = reader.ReadBinary().ToArray();
        }

        return values;
    }

    private static PagePlace ReadPlace(ref ThriftCompactReader reader)
    {
        var place = default(PagePlace);
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (1, ThriftType.I64):
                    place = place with { Offset = reader.ReadInteger() };
                    break;
                case (2, ThriftType.I32):
                    place = place with { Length = (int)reader.ReadInteger() };
                    break;
                case (3, ThriftType.I64):
                    place = place with { FirstRow = reader.ReadInteger() };
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return place;
    }
}
