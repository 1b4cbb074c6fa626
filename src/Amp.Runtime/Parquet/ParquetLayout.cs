namespace Amp.Parquet;

/// <summary>Bytes of a file.</summary>
/// <param name="Offset">Where they begin.</param>
/// <param name="Length">How many.</param>
internal readonly record struct FilePlace(long Offset, int Length);

/// <summary>A column chunk as its footer describes it.</summary>
internal sealed record ChunkLayout
{
    /// <summary>Compression of its pages.</summary>
    public required ParquetCodec Codec { get; init; }

    /// <summary>Values, nulls and empty lists.</summary>
    public required long EntryCount { get; init; }

    /// <summary>Size before compression, page headers included.</summary>
    public required long UncompressedSize { get; init; }

    /// <summary>Where its first page begins, of the dictionary or of data.</summary>
    public required long Start { get; init; }

    /// <summary>Where its last page ends.</summary>
    public required long End { get; init; }

    /// <summary>Smallest and largest value; null when the file does not say.</summary>
    public ValueBounds Bounds { get; init; }

    /// <summary>Where the bounds of its pages are; null when they are not there.</summary>
    public FilePlace? ColumnIndex { get; init; }

    /// <summary>Where the places of its pages are; null when they are not there.</summary>
    public FilePlace? OffsetIndex { get; init; }
}

/// <summary>A row group as its footer describes it, with a chunk for each leaf of the schema.</summary>
internal sealed record RowGroupLayout(long RowCount, IReadOnlyList<ChunkLayout> Chunks);

/// <summary>What a file's footer says of its columns and where their values are.</summary>
internal sealed record ParquetLayout(TableSchema Schema, IReadOnlyList<RowGroupLayout> RowGroups)
{
    /// <summary>
    /// Reads a footer. One that contradicts itself is an <see cref="InvalidDataException"/>; types and compressions that tables here do
    /// not have are a <see cref="NotSupportedException"/>.
    /// </summary>
    /// <param name="footer">The footer.</param>
    /// <param name="dataEnd">Where the footer begins in its file: everything else is before it.</param>
    public static ParquetLayout Parse(ReadOnlySpan<byte> footer, long dataEnd)
    {
        var reader = new ThriftCompactReader(footer);
        TableSchema? schema = null;
        var groups = new List<RowGroupLayout>();
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (2, ThriftType.List):
                    schema = ParquetSchemaReader.Read(ref reader);
                    break;
                case (4, ThriftType.List):
                    for (var count = reader.ReadListHeader(out _); count > 0; count--)
                    {
                        groups.Add(ReadRowGroup(ref reader, dataEnd));
                    }

                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return schema is not null && groups.TrueForAll(group => group.RowCount >= 0 && group.Chunks.Count == schema.Leaves.Count)
            ? new ParquetLayout(schema, groups)
            : throw new InvalidDataException("its footer contradicts itself");
    }

    private static RowGroupLayout ReadRowGroup(ref ThriftCompactReader reader, long dataEnd)
    {
        var chunks = new List<ChunkLayout>();
        var rowCount = 0L;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (1, ThriftType.List):
                    for (var count = reader.ReadListHeader(out _); count > 0; count--)
                    {
                        chunks.Add(ReadChunk(ref reader, dataEnd));
                    }

                    break;
                case (3, ThriftType.I64):
                    rowCount = reader.ReadInteger();
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return new RowGroupLayout(rowCount, chunks);
    }

    private static ChunkLayout ReadChunk(ref ThriftCompactReader reader, long dataEnd)
    {
        ChunkLayout? chunk = null;
        Span<long> index = stackalloc long[8];
        index.Clear();
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (3, ThriftType.Struct):
                    chunk = ReadMetadata(ref reader);
                    break;
                case ( >= 4 and <= 7, ThriftType.I32 or ThriftType.I64):
                    index[id] = reader.ReadInteger();
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return chunk is not null && chunk.Start >= ParquetTypes.Magic.Length && chunk.Start <= chunk.End && chunk.End <= dataEnd
            ? chunk with { OffsetIndex = Place(index[4], index[5], dataEnd), ColumnIndex = Place(index[6], index[7], dataEnd) }
            : throw new InvalidDataException("its footer does not say where a column is");
    }

    private static FilePlace? Place(long offset, long length, long dataEnd) =>
        offset > 0 && length > 0 && length <= int.MaxValue && offset <= dataEnd - length ? new FilePlace(offset, (int)length) : null;

    private static ChunkLayout ReadMetadata(ref ThriftCompactReader reader)
    {
        var codec = 0L;
        var entryCount = 0L;
        var uncompressedSize = 0L;
        var size = 0L;
        var dataOffset = 0L;
        var dictionaryOffset = 0L;
        var bounds = default(ValueBounds);
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (4, ThriftType.I32):
                    codec = reader.ReadInteger();
                    break;
                case (5, ThriftType.I64):
                    entryCount = reader.ReadInteger();
                    break;
                case (6, ThriftType.I64):
                    uncompressedSize = reader.ReadInteger();
                    break;
                case (7, ThriftType.I64):
                    size = reader.ReadInteger();
                    break;
                case (9, ThriftType.I64):
                    dataOffset = reader.ReadInteger();
                    break;
                case (11, ThriftType.I64):
                    dictionaryOffset = reader.ReadInteger();
                    break;
                case (12, ThriftType.Struct):
                    bounds = ReadBounds(ref reader);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        // A writer without a dictionary may give 0 for its place.
        var start = dictionaryOffset > 0 ? Math.Min(dictionaryOffset, dataOffset) : dataOffset;
        return new ChunkLayout
        {
            Codec = Enum.IsDefined((ParquetCodec)codec) ? (ParquetCodec)codec : throw new NotSupportedException($"compression number {codec} cannot be read"),
            EntryCount = entryCount,
            UncompressedSize = uncompressedSize,
            Start = start,
            End = size > long.MaxValue - start ? -1 : start + size,
            Bounds = bounds,
        };
    }

    private static ValueBounds ReadBounds(ref ThriftCompactReader reader)
    {
        byte[]? min = null;
        byte[]? max = null;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (5, ThriftType.Binary):
                    max = reader.ReadBinary().ToArray();
                    break;
                case (6, ThriftType.Binary):
                    min = reader.ReadBinary().ToArray();
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return min is not null && max is not null ? new ValueBounds(min, max) : default;
    }
}
