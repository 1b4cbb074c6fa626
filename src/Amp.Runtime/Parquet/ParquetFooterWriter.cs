using System.Reflection;

namespace Amp.Parquet;

/// <summary>Writes what stands behind a file's row groups: the page index, the footer, its length and the magic.</summary>
internal static class ParquetFooterWriter
{
    private const int FormatVersion = 1;
    private const int Repeated = 2;
    private const int ConvertedUtf8 = 0;
    private const int ConvertedList = 3;
    private const int ConvertedDecimal = 5;
    private const int ConvertedUInt32 = 13;
    private const int ConvertedUInt64 = 14;

    private static readonly string CreatedBy =
        $"amp-powershell version {typeof(ParquetFooterWriter).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]}";

    /// <summary>Adds everything to <paramref name="output"/>, which will stand in the file at <paramref name="offset"/>.</summary>
    public static void Write(
        TableSchema schema,
        ParquetWriterOptions options,
        IReadOnlyList<RowGroupInfo> rowGroups,
        IReadOnlyList<KeyValuePair<string, string>> keyValueMetadata,
        long offset,
        ByteBuffer output)
    {
        var start = output.Length;
        var columnIndexes = Place(rowGroups, WriteColumnIndex);
        var offsetIndexes = Place(rowGroups, WriteOffsetIndex);
        var footerStart = output.Length;
        var thrift = new ThriftCompactWriter(output);
        thrift.BeginStruct();
        thrift.I32(1, FormatVersion);
        WriteSchema(thrift, schema);
        thrift.I64(3, rowGroups.Sum(group => group.RowCount));
        thrift.BeginList(4, ThriftType.Struct, rowGroups.Count);
        for (var ordinal = 0; ordinal < rowGroups.Count; ordinal++)
        {
            WriteRowGroup(thrift, options, rowGroups[ordinal], ordinal, columnIndexes[ordinal], offsetIndexes[ordinal]);
        }

        thrift.BeginList(5, ThriftType.Struct, keyValueMetadata.Count);
        foreach (var (key, value) in keyValueMetadata)
        {
            thrift.BeginStruct();
            thrift.String(1, key);
            thrift.String(2, value);
            thrift.EndStruct();
        }

        thrift.String(6, CreatedBy);
        thrift.BeginList(7, ThriftType.Struct, schema.Leaves.Count);
        for (var i = 0; i < schema.Leaves.Count; i++)
        {
            // The order that the column's type defines, the only choice there is.
            thrift.BeginStruct();
            thrift.BeginStruct(1);
            thrift.EndStruct();
            thrift.EndStruct();
        }

        thrift.EndStruct();
        output.WriteInt32(output.Length - footerStart);
        output.Write(ParquetTypes.Magic);

        IndexPlace[][] Place(IReadOnlyList<RowGroupInfo> groups, Action<ColumnChunkInfo, ByteBuffer> write)
        {
            return [.. groups.Select(group => group.Columns.Select(PlaceColumn).ToArray())];

            IndexPlace PlaceColumn(ColumnChunkInfo column)
            {
                var before = output.Length;
                write(column, output);
                return new IndexPlace(offset + before - start, output.Length - before);
            }
        }
    }

    private static void WriteColumnIndex(ColumnChunkInfo column, ByteBuffer output)
    {
        var thrift = new ThriftCompactWriter(output);
        thrift.BeginStruct();
        thrift.BeginList(1, ThriftType.True, column.Pages.Count);
        foreach (var page in column.Pages)
        {
            thrift.BooleanElement(page.Bounds.Min is null);
        }

        thrift.BeginList(2, ThriftType.Binary, column.Pages.Count);
        foreach (var page in column.Pages)
        {
            thrift.BinaryElement(page.Bounds.Min);
        }

        thrift.BeginList(3, ThriftType.Binary, column.Pages.Count);
        foreach (var page in column.Pages)
        {
            thrift.BinaryElement(page.Bounds.Max);
        }

        thrift.I32(4, BoundaryOrder(column));
        thrift.BeginList(5, ThriftType.I64, column.Pages.Count);
        foreach (var page in column.Pages)
        {
            thrift.IntegerElement(page.NullCount);
        }

        thrift.EndStruct();
    }

    /// <summary>1 when the bounds of the pages rise, 2 when they fall, 0 when neither.</summary>
    private static int BoundaryOrder(ColumnChunkInfo column)
    {
        var (rises, falls) = (true, true);
        ValueBounds? last = null;
        foreach (var (min, max) in column.Pages.Select(page => page.Bounds).Where(bounds => bounds.Min is not null))
        {
            if (last is { } before)
            {
                var minStep = ValueStatistics.Compare(min, before.Min, column.Order);
                var maxStep = ValueStatistics.Compare(max, before.Max, column.Order);
                rises &= minStep >= 0 && maxStep >= 0;
                falls &= minStep <= 0 && maxStep <= 0;
            }

            last = new(min, max);
        }

        return rises ? 1 : falls ? 2 : 0;
    }

    private static void WriteOffsetIndex(ColumnChunkInfo column, ByteBuffer output)
    {
        var thrift = new ThriftCompactWriter(output);
        thrift.BeginStruct();
        thrift.BeginList(1, ThriftType.Struct, column.Pages.Count);
        foreach (var page in column.Pages)
        {
            thrift.BeginStruct();
            thrift.I64(1, page.Offset);
            thrift.I32(2, page.CompressedSize);
            thrift.I64(3, page.FirstRow);
            thrift.EndStruct();
        }

        thrift.EndStruct();
    }

    private static void WriteSchema(ThriftCompactWriter thrift, TableSchema schema)
    {
        thrift.BeginList(2, ThriftType.Struct, 1 + schema.Fields.Sum(ElementCount));
        thrift.BeginStruct();
        thrift.String(4, "arrow_schema");
        thrift.I32(5, schema.Fields.Count);
        thrift.EndStruct();
        foreach (var field in schema.Fields)
        {
            WriteField(thrift, field);
        }
    }

    private static int ElementCount(ArrowField field) => field.Type switch
    {
        ArrowType.List list => 2 + ElementCount(list.Item),
        ArrowType.Struct group => 1 + group.Fields.Sum(ElementCount),
        _ => 1,
    };

    private static void WriteField(ThriftCompactWriter thrift, ArrowField field)
    {
        var repetition = field.Nullable ? 1 : 0;
        switch (field.Type)
        {
            case ArrowType.List list:
                thrift.BeginStruct();
                thrift.I32(3, repetition);
                thrift.String(4, field.Name);
                thrift.I32(5, 1);
                thrift.I32(6, ConvertedList);
                LogicalType(thrift, 3);
                thrift.EndStruct();
                thrift.BeginStruct();
                thrift.I32(3, Repeated);
                thrift.String(4, "list");
                thrift.I32(5, 1);
                thrift.EndStruct();
                WriteField(thrift, list.Item);
                break;
            case ArrowType.Struct group:
                thrift.BeginStruct();
                thrift.I32(3, repetition);
                thrift.String(4, field.Name);
                thrift.I32(5, group.Fields.Count);
                thrift.EndStruct();
                foreach (var child in group.Fields)
                {
                    WriteField(thrift, child);
                }

                break;
            default:
                WriteLeaf(thrift, field, repetition);
                break;
        }
    }

    private static void WriteLeaf(ThriftCompactWriter thrift, ArrowField field, int repetition)
    {
        var type = field.Type;
        var physical = ParquetTypes.PhysicalTypeOf(type);
        thrift.BeginStruct();
        thrift.I32(1, (int)physical);
        if (physical == PhysicalType.FixedLenByteArray)
        {
            thrift.I32(2, type.ValueWidth);
        }

        thrift.I32(3, repetition);
        thrift.String(4, field.Name);
        if (type == ArrowType.Utf8)
        {
            thrift.I32(6, ConvertedUtf8);
            LogicalType(thrift, 1);
        }
        else if (type == ArrowType.UInt32 || type == ArrowType.UInt64)
        {
            thrift.I32(6, type == ArrowType.UInt32 ? ConvertedUInt32 : ConvertedUInt64);
            thrift.BeginStruct(10);
            thrift.BeginStruct(10);
            thrift.Byte(1, (byte)(8 * type.ValueWidth));
            thrift.Boolean(2, false);
            thrift.EndStruct();
            thrift.EndStruct();
        }
        else if (type == ArrowType.TimestampNanos)
        {
            thrift.BeginStruct(10);
            thrift.BeginStruct(8);
            thrift.Boolean(1, true);
            thrift.BeginStruct(2);
            thrift.BeginStruct(3);
            thrift.EndStruct();
            thrift.EndStruct();
            thrift.EndStruct();
            thrift.EndStruct();
        }
        else if (type == ArrowType.Decimal38)
        {
            thrift.I32(6, ConvertedDecimal);
            thrift.I32(7, 0);
            thrift.I32(8, 38);
            thrift.BeginStruct(10);
            thrift.BeginStruct(5);
            thrift.I32(1, 0);
            thrift.I32(2, 38);
            thrift.EndStruct();
            thrift.EndStruct();
        }

        thrift.EndStruct();
    }

    // A logical type without parameters.
    private static void LogicalType(ThriftCompactWriter thrift, short choice)
    {
        thrift.BeginStruct(10);
        thrift.BeginStruct(choice);
        thrift.EndStruct();
        thrift.EndStruct();
    }

    private static void WriteRowGroup(
        ThriftCompactWriter thrift,
        ParquetWriterOptions options,
        RowGroupInfo group,
        int ordinal,
        IndexPlace[] columnIndexes,
        IndexPlace[] offsetIndexes)
    {
        thrift.BeginStruct();
        thrift.BeginList(1, ThriftType.Struct, group.Columns.Count);
        for (var i = 0; i < group.Columns.Count; i++)
        {
            thrift.BeginStruct();
            thrift.I64(2, 0);
            WriteColumnMetadata(thrift, options, group.Columns[i]);
            thrift.I64(4, offsetIndexes[i].Offset);
            thrift.I32(5, offsetIndexes[i].Length);
            thrift.I64(6, columnIndexes[i].Offset);
            thrift.I32(7, columnIndexes[i].Length);
            thrift.EndStruct();
        }

        thrift.I64(2, group.UncompressedSize);
        thrift.I64(3, group.RowCount);
        var sorted = options.SortingColumns
            .Select(name => group.Columns.FirstOrDefault(column => column.Leaf.DottedPath == name))
            .OfType<ColumnChunkInfo>().Where(column => column.IsSorted).ToArray();
        if (sorted.Length > 0)
        {
            thrift.BeginList(4, ThriftType.Struct, sorted.Length);
            foreach (var column in sorted)
            {
                thrift.BeginStruct();
                thrift.I32(1, column.Leaf.Index);
                thrift.Boolean(2, false);
                thrift.Boolean(3, false);
                thrift.EndStruct();
            }
        }

        thrift.I64(5, group.Offset);
        thrift.I64(6, group.CompressedSize);
        if (ordinal <= short.MaxValue)
        {
            thrift.I16(7, (short)ordinal);
        }

        thrift.EndStruct();
    }

    private static void WriteColumnMetadata(ThriftCompactWriter thrift, ParquetWriterOptions options, ColumnChunkInfo column)
    {
        var hasDictionary = column.DictionaryOffset is not null;
        var hasLevels = column.Leaf.MaxDefinition > 0;
        var encodings = column.DataPageEncodings.Select(page => page.Encoding)
            .Concat(hasDictionary ? [PageEncoding.Plain] : [])
            .Concat(hasLevels ? [PageEncoding.Rle] : [])
            .Distinct().Order().ToArray();
        thrift.BeginStruct(3);
        thrift.I32(1, (int)ParquetTypes.PhysicalTypeOf(column.Leaf.Type));
        thrift.BeginList(2, ThriftType.I32, encodings.Length);
        foreach (var encoding in encodings)
        {
            thrift.IntegerElement((int)encoding);
        }

        thrift.BeginList(3, ThriftType.Binary, column.Leaf.Path.Length);
        foreach (var name in column.Leaf.Path)
        {
            thrift.BinaryElement(System.Text.Encoding.UTF8.GetBytes(name));
        }

        thrift.I32(4, (int)options.Codec);
        thrift.I64(5, column.EntryCount);
        thrift.I64(6, column.UncompressedSize);
        thrift.I64(7, column.CompressedSize);
        thrift.I64(9, column.DataOffset);
        if (column.DictionaryOffset is { } dictionaryOffset)
        {
            thrift.I64(11, dictionaryOffset);
        }

        thrift.BeginStruct(12);
        thrift.I64(3, column.NullCount);
        if (column.Bounds.Min is not null)
        {
            thrift.Binary(5, column.Bounds.Max);
            thrift.Binary(6, column.Bounds.Min);
            thrift.Boolean(7, column.BoundsExact.Max);
            thrift.Boolean(8, column.BoundsExact.Min);
        }

        thrift.EndStruct();
        thrift.BeginList(13, ThriftType.Struct, column.DataPageEncodings.Count + (hasDictionary ? 1 : 0));
        if (hasDictionary)
        {
            EncodingStatistics(thrift, PageEncoder.DictionaryPage, PageEncoding.Plain, 1);
        }

        foreach (var (encoding, count) in column.DataPageEncodings)
        {
            EncodingStatistics(thrift, PageEncoder.DataPage, encoding, count);
        }

        if (column.BloomFilter is { } filter)
        {
            thrift.I64(14, filter.Offset);
            thrift.I32(15, filter.Length);
        }

        thrift.EndStruct();
    }

    private static void EncodingStatistics(ThriftCompactWriter thrift, int pageType, PageEncoding encoding, int count)
    {
        thrift.BeginStruct();
        thrift.I32(1, pageType);
        thrift.I32(2, (int)encoding);
        thrift.I32(3, count);
        thrift.EndStruct();
    }

    private readonly record struct IndexPlace(long Offset, int Length);
}
