namespace Amp.Parquet;

/// <summary>What stands before the bytes of a page.</summary>
internal sealed record PageHeader
{
    private const int DataPageV2 = 3;

    /// <summary>Bytes of the page before compression.</summary>
    public int UncompressedSize { get; private init; }

    /// <summary>Bytes of the page in the file, behind the header.</summary>
    public int CompressedSize { get; private init; }

    /// <summary>Whether it holds values of rows.</summary>
    public bool IsData { get; private init; }

    /// <summary>Whether it holds the chunk's dictionary.</summary>
    public bool IsDictionary { get; private init; }

    /// <summary>Whether its levels stand before the compressed bytes, without their lengths (data pages of version 2).</summary>
    public bool HasLevelsInFront { get; private init; }

    /// <summary>Entries, nulls included.</summary>
    public int EntryCount { get; private init; }

    /// <summary>How its values are encoded.</summary>
    public PageEncoding Encoding { get; private init; }

    /// <summary>Whether its levels are run lengths, as they must be.</summary>
    public bool HasRunLengthLevels { get; private init; } = true;

    /// <summary>Bytes of the definition levels in front.</summary>
    public int DefinitionLength { get; private init; }

    /// <summary>Bytes of the repetition levels in front.</summary>
    public int RepetitionLength { get; private init; }

    /// <summary>Whether what follows levels in front is compressed.</summary>
    public bool IsCompressed { get; private init; } = true;

    /// <summary>Reads a header and says how long it is; one that is malformed or cut off is an <see cref="InvalidDataException"/>.</summary>
    public static PageHeader Parse(ReadOnlySpan<byte> bytes, out int length)
    {
        var reader = new ThriftCompactReader(bytes);
        var header = new PageHeader();
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (1, ThriftType.I32):
                    var kind = reader.ReadInteger();
                    header = header with
                    {
                        IsData = kind is PageEncoder.DataPage or DataPageV2,
                        IsDictionary = kind == PageEncoder.DictionaryPage,
                        HasLevelsInFront = kind == DataPageV2,
                    };
                    break;
                case (2, ThriftType.I32):
                    header = header with { UncompressedSize = (int)reader.ReadInteger() };
                    break;
                case (3, ThriftType.I32):
                    header = header with { CompressedSize = (int)reader.ReadInteger() };
                    break;
                case (5 or 7 or 8, ThriftType.Struct):
                    header = header.ReadDetails(ref reader);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        length = reader.Position;
        return header is { UncompressedSize: >= 0, CompressedSize: >= 0, EntryCount: >= 0, DefinitionLength: >= 0, RepetitionLength: >= 0 }
            ? header
            : throw new InvalidDataException("the header of a page contradicts itself");
    }

    // Version 2 has two more fields before the encoding, and no encodings of levels.
    private PageHeader ReadDetails(ref ThriftCompactReader reader)
    {
        var header = this;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if (type is ThriftType.True or ThriftType.False)
            {
                header = HasLevelsInFront && id == 7 ? header with { IsCompressed = type == ThriftType.True } : header;
            }
            else if (type == ThriftType.I32)
            {
                var value = (int)reader.ReadInteger();
                header = (id, HasLevelsInFront) switch
                {
                    (1, _) => header with { EntryCount = value },
                    (2, false) or (4, true) => header with { Encoding = (PageEncoding)value },
                    (3 or 4, false) => header with { HasRunLengthLevels = header.HasRunLengthLevels && value == (int)PageEncoding.Rle },
                    (5, true) => header with { DefinitionLength = value },
                    (6, true) => header with { RepetitionLength = value },
                    _ => header,
                };
            }
            else
            {
                reader.Skip(type);
            }
        }

        return header;
    }
}
