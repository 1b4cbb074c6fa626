using System.Buffers.Binary;
using Amp.Parquet.Compression;
using Amp.Parquet.Encodings;

namespace Amp.Parquet;

/// <summary>
/// Turns pages of a column chunk back into values and levels. Pages that are malformed are an <see cref="InvalidDataException"/>;
/// encodings that <see cref="PageEncoder"/> does not write are a <see cref="NotSupportedException"/>.
/// </summary>
internal sealed class PageDecoder(LeafColumn leaf, ParquetCodec codec)
{
    private readonly ColumnBuffer _dictionary = new(leaf with { MaxDefinition = 0, MaxRepetition = 0 });
    private byte[] _body = [];

    /// <summary>Takes a dictionary page, which data pages after it may refer to.</summary>
    public void ReadDictionary(PageHeader header, ReadOnlySpan<byte> content)
    {
        _dictionary.Clear();
        var values = new PlainDecoder(Decompress(header.UncompressedSize, content, isCompressed: true), leaf.Type);
        for (var i = 0; i < header.EntryCount; i++)
        {
            values.AddNext(_dictionary);
        }
    }

    /// <summary>Fills <paramref name="page"/> from a data page. What it holds is valid until the next call.</summary>
    public void ReadData(PageHeader header, ReadOnlySpan<byte> content, ColumnBuffer page)
    {
        page.Clear();
        if (!header.HasRunLengthLevels && leaf.MaxDefinition > 0)
        {
            throw new NotSupportedException($"column {leaf.DottedPath} has levels in an encoding that cannot be read");
        }

        ReadOnlyMemory<byte> values;
        RleHybridDecoder? repetition;
        RleHybridDecoder? definition;
        if (header.HasLevelsInFront)
        {
            var levels = header.RepetitionLength + (long)header.DefinitionLength;
            if (levels > content.Length || levels > header.UncompressedSize)
            {
                throw new InvalidDataException("the levels of a page are cut off");
            }

            repetition = Levels(content[..header.RepetitionLength].ToArray(), leaf.MaxRepetition);
            definition = Levels(content[header.RepetitionLength..(int)levels].ToArray(), leaf.MaxDefinition);
            values = Decompress(header.UncompressedSize - (int)levels, content[(int)levels..], header.IsCompressed);
        }
        else
        {
            values = Decompress(header.UncompressedSize, content, isCompressed: true);
            repetition = Levels(ref values, leaf.MaxRepetition);
            definition = Levels(ref values, leaf.MaxDefinition);
        }

        var addNext = Values(header.Encoding, values);
        for (var i = 0; i < header.EntryCount; i++)
        {
            page.Repetition = Level(repetition, leaf.MaxRepetition);
            var level = Level(definition, leaf.MaxDefinition);
            if (level == leaf.MaxDefinition)
            {
                addNext(page);
            }
            else
            {
                page.AddNull(level);
            }
        }
    }

    private Action<ColumnBuffer> Values(PageEncoding encoding, ReadOnlyMemory<byte> values)
    {
        switch (encoding, ParquetTypes.PhysicalTypeOf(leaf.Type))
        {
            case (PageEncoding.Plain, _):
                return new PlainDecoder(values, leaf.Type).AddNext;
            case (PageEncoding.Rle, PhysicalType.Boolean):
                var booleans = Levels(ref values, max: 1)!;
                return column => column.AddBoolean(booleans.Next() == 1);
            case (PageEncoding.DeltaBinaryPacked, PhysicalType.Int32):
                var integers = new DeltaBinaryPackedDecoder(values);
                return column => column.AddUInt32((uint)integers.Next());
            case (PageEncoding.DeltaBinaryPacked, PhysicalType.Int64):
                var longs = new DeltaBinaryPackedDecoder(values);
                return column => column.AddUInt64((ulong)longs.Next());
            case (PageEncoding.RleDictionary or PageEncoding.PlainDictionary, _):
                var indices = values.IsEmpty ? new RleHybridDecoder(values, 0) : new RleHybridDecoder(values[1..], values.Span[0]);
                return column => column.AddValue(DictionaryValue(indices.Next()));
            default:
                throw new NotSupportedException($"column {leaf.DottedPath} has pages in encoding number {(int)encoding}, which cannot be read");
        }
    }

    private ReadOnlySpan<byte> DictionaryValue(uint index) => index < _dictionary.ValueCount
        ? _dictionary.ValueAt((int)index)
        : throw new InvalidDataException("a page refers to a value that its dictionary does not have");

    private static byte Level(RleHybridDecoder? levels, int max)
    {
        var level = levels?.Next() ?? 0;
        return level <= max ? (byte)level : throw new InvalidDataException("a page has a level that its column does not have");
    }

    private static RleHybridDecoder? Levels(ReadOnlyMemory<byte> bytes, int max) =>
        max == 0 ? null : new RleHybridDecoder(bytes, RleHybridEncoder.BitWidth(max));

    /// <summary>Takes run lengths, and their length before them, from the beginning of a page.</summary>
    private static RleHybridDecoder? Levels(ref ReadOnlyMemory<byte> page, int max)
    {
        if (max == 0)
        {
            return null;
        }

        const int Prefix = 4;
        var length = page.Length < Prefix ? -1 : BinaryPrimitives.ReadInt32LittleEndian(page.Span);
        if (length < 0 || length > page.Length - Prefix)
        {
            throw new InvalidDataException("run lengths in a page are cut off");
        }

        var levels = Levels(page.Slice(Prefix, length), max);
        page = page[(Prefix + length)..];
        return levels;
    }

    private Memory<byte> Decompress(int size, ReadOnlySpan<byte> content, bool isCompressed)
    {
        // Some writers leave out the compressed form of nothing.
        if (size == 0)
        {
            return Memory<byte>.Empty;
        }

        if (_body.Length < size)
        {
            _body = new byte[size];
        }

        PageDecompressor.Decompress(isCompressed ? codec : ParquetCodec.Uncompressed, content, _body.AsSpan(0, size));
        return _body.AsMemory(0, size);
    }
}
