using System.Buffers.Binary;
using Amp.Storage;

namespace Amp.Parquet;

/// <summary>Size of a row group.</summary>
/// <param name="RowCount">Number of its rows.</param>
/// <param name="UncompressedSize">Bytes before compression.</param>
/// <param name="CompressedSize">Bytes in the file; 0 when the file does not say.</param>
internal readonly record struct RowGroupSize(long RowCount, long UncompressedSize, long CompressedSize);

/// <summary>What a Parquet file says of itself: enough to restore a table's segments from its files.</summary>
internal sealed record ParquetFooter(
    long RowCount, IReadOnlyDictionary<string, string> KeyValueMetadata, IReadOnlyList<RowGroupSize> RowGroups, string? CreatedBy)
{
    private const int TailLength = 8;

    /// <summary>
    /// Reads the footer of a file from a stream that can seek. A file that is not Parquet, or was cut off, is refused
    /// as <c>ParquetFileInvalid</c>.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="name">Its name, for errors.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static Task<ParquetFooter> ReadAsync(Stream file, string name, CancellationToken cancellationToken) =>
        ReadAsync(name, async () => Parse(await ReadFooterAsync(file, cancellationToken)));

    /// <summary>
    /// Reads the footer as <see cref="ReadAsync(Stream, string, CancellationToken)"/> does, and what
    /// <c>footer_cache.footer</c> holds of the file: the bytes of <see cref="ParquetFileInfo.Footer"/>.
    /// </summary>
    public static Task<(ParquetFooter Footer, byte[] Cached)> ReadForCacheAsync(Stream file, string name, CancellationToken cancellationToken) =>
        ReadAsync(name, async () =>
        {
            var footer = await ReadFooterAsync(file, cancellationToken);
            var places = PageIndexPlaces.Find(footer);
            var footerStart = file.Length - TailLength - footer.Length;
            var indexStart = places.Count == 0 ? footerStart : places.Min(place => place.Offset);
            if (indexStart < ParquetTypes.Magic.Length || indexStart > footerStart)
            {
                throw new InvalidDataException($"its page index claims to be at {indexStart}");
            }

            var index = new byte[footerStart - indexStart];
            file.Seek(indexStart, SeekOrigin.Begin);
            await file.ReadExactlyAsync(index, cancellationToken);
            return (Parse(footer), PageIndexPlaces.MoveTo(index, footer, places, indexStart));
        });

    /// <summary>
    /// Reads the footer as <see cref="ReadAsync(Stream, string, CancellationToken)"/> does, and what it says of columns and their
    /// places. A file with types, compressions or encodings that tables here do not have is refused as <c>ParquetNotSupported</c>.
    /// </summary>
    public static Task<(ParquetFooter Footer, ParquetLayout Layout)> ReadWithLayoutAsync(Stream file, string name, CancellationToken cancellationToken) =>
        ReadAsync(name, async () =>
        {
            var footer = await ReadFooterAsync(file, cancellationToken);
            return (Parse(footer), ParquetLayout.Parse(footer, file.Length - TailLength - footer.Length));
        });

    /// <summary>Reads something of a file. What is wrong with the file becomes an error that names it.</summary>
    public static async Task<T> ReadAsync<T>(string name, Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new AmpException("ParquetFileInvalid", AmpErrorKind.InvalidData, $"{name} is not a complete Parquet file: {e.Message}.", e)
            {
                Target = name,
                RecommendedAction = "Remove the file, or restore it from a copy.",
            };
        }
        catch (Exception e) when (StorageError.IsKnown(e))
        {
            throw StorageError.Of(e, "read", name);
        }
        catch (NotSupportedException e)
        {
            throw new AmpException("ParquetNotSupported", AmpErrorKind.InvalidData, $"{name} has something that is not read here: {e.Message}.", e)
            {
                Target = name,
                RecommendedAction = "Read files that Amp or ampd wrote; others with a tool such as DuckDB.",
            };
        }
    }

    private static async Task<byte[]> ReadFooterAsync(Stream file, CancellationToken cancellationToken)
    {
        if (file.Length < ParquetTypes.Magic.Length + TailLength)
        {
            throw new InvalidDataException($"it has {file.Length} bytes, fewer than any Parquet file");
        }

        var tail = new byte[TailLength];
        file.Seek(-TailLength, SeekOrigin.End);
        await file.ReadExactlyAsync(tail, cancellationToken);
        var length = BinaryPrimitives.ReadInt32LittleEndian(tail);
        if (!tail.AsSpan(4).SequenceEqual(ParquetTypes.Magic))
        {
            throw new InvalidDataException("it does not end as Parquet files do; writing it was not finished");
        }

        if (length <= 0 || length > file.Length - ParquetTypes.Magic.Length - TailLength)
        {
            throw new InvalidDataException($"its footer claims a length of {length} bytes");
        }

        var footer = new byte[length];
        file.Seek(-TailLength - length, SeekOrigin.End);
        await file.ReadExactlyAsync(footer, cancellationToken);
        return footer;
    }

    private static ParquetFooter Parse(ReadOnlySpan<byte> bytes)
    {
        var reader = new ThriftCompactReader(bytes);
        var rowCount = 0L;
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var rowGroups = new List<RowGroupSize>();
        string? createdBy = null;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (3, ThriftType.I64):
                    rowCount = reader.ReadInteger();
                    break;
                case (4, ThriftType.List):
                    for (var count = reader.ReadListHeader(out _); count > 0; count--)
                    {
                        rowGroups.Add(ReadRowGroup(ref reader));
                    }

                    break;
                case (5, ThriftType.List):
                    for (var count = reader.ReadListHeader(out _); count > 0; count--)
                    {
                        var (key, value) = ReadKeyValue(ref reader);
                        metadata[key] = value;
                    }

                    break;
                case (6, ThriftType.Binary):
                    createdBy = reader.ReadString();
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return new ParquetFooter(rowCount, metadata, rowGroups, createdBy);
    }

    private static RowGroupSize ReadRowGroup(ref ThriftCompactReader reader)
    {
        var size = default(RowGroupSize);
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (2, ThriftType.I64):
                    size = size with { UncompressedSize = reader.ReadInteger() };
                    break;
                case (3, ThriftType.I64):
                    size = size with { RowCount = reader.ReadInteger() };
                    break;
                case (6, ThriftType.I64):
                    size = size with { CompressedSize = reader.ReadInteger() };
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return size;
    }

    private static (string Key, string Value) ReadKeyValue(ref ThriftCompactReader reader)
    {
        var (key, value) = ("", "");
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (1, ThriftType.Binary):
                    key = reader.ReadString();
                    break;
                case (2, ThriftType.Binary):
                    value = reader.ReadString();
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return (key, value);
    }
}
