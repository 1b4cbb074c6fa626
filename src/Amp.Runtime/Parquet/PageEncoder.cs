using System.Runtime.InteropServices;
using Amp.Parquet.Compression;
using Amp.Parquet.Encodings;

namespace Amp.Parquet;

/// <summary>
/// Turns values and levels into the pages of the file, with working memory that all columns of a writer share. Not
/// safe for use by two threads at once.
/// </summary>
internal sealed class PageEncoder(PageCompressor compressor) : IDisposable
{
    /// <summary>The format's number of data pages.</summary>
    public const int DataPage = 0;

    /// <summary>The format's number of dictionary pages.</summary>
    public const int DictionaryPage = 2;

    private const int UnpackingShare = 64;
    private readonly ByteBuffer _body = new(1 << 16);
    private readonly ByteBuffer _compressed = new(1 << 16);
    private readonly ByteBuffer _header = new(64);
    private int[] _indices = [];

    /// <summary>The encoding other than a dictionary that makes a page's values cheapest.</summary>
    public PageEncoding ChoosePlainOrPacked(ColumnBuffer page, out int cost)
    {
        cost = EncodedCost(page, PageEncoding.Plain);
        var packed = ParquetTypes.PhysicalTypeOf(page.Leaf.Type) switch
        {
            PhysicalType.Boolean => PageEncoding.Rle,
            PhysicalType.Int32 or PhysicalType.Int64 => PageEncoding.DeltaBinaryPacked,
            _ => PageEncoding.Plain,
        };
        if (packed == PageEncoding.Plain || EncodedCost(page, packed) is var packedCost && packedCost >= cost)
        {
            return PageEncoding.Plain;
        }

        cost = packedCost;
        return packed;
    }

    /// <summary>
    /// Whether a dictionary costs no more than <paramref name="cost"/> for a page's values. Leaves the values in the
    /// dictionary when so; clears it when not.
    /// </summary>
    public bool DictionaryPays(ColumnBuffer page, ValueDictionary dictionary, int cost)
    {
        // Values that hardly ever repeat have no use for it.
        if (TryIndex(page, dictionary, out var indices) && dictionary.Count <= page.ValueCount * 9L / 10)
        {
            _body.Clear();
            EncodeIndices(indices, dictionary.Count);
            var indicesCost = BodyCost();
            _body.Clear();
            _body.Write(dictionary.Content);
            if (indicesCost + BodyCost() <= cost)
            {
                return true;
            }
        }

        dictionary.Clear();
        return false;
    }

    /// <summary>
    /// Adds a data page to a chunk. Returns false, and adds nothing, when the encoding is by dictionary and the
    /// dictionary would outgrow its limit.
    /// </summary>
    public bool TryWriteDataPage(
        ColumnBuffer page, PageEncoding encoding, ValueDictionary dictionary, ChunkStore store, out PageSize size)
    {
        size = default;
        ReadOnlySpan<int> indices = [];
        if (encoding == PageEncoding.RleDictionary && !TryIndex(page, dictionary, out indices))
        {
            return false;
        }

        _body.Clear();
        WriteLevels(page.RepetitionLevels, page.Leaf.MaxRepetition);
        WriteLevels(page.DefinitionLevels, page.Leaf.MaxDefinition);
        if (encoding == PageEncoding.RleDictionary)
        {
            EncodeIndices(indices, dictionary.Count);
        }
        else
        {
            EncodeValues(page, encoding);
        }

        var header = BeginPage(DataPage);
        header.BeginStruct(5);
        header.I32(1, page.EntryCount);
        header.I32(2, (int)encoding);
        header.I32(3, (int)PageEncoding.Rle);
        header.I32(4, (int)PageEncoding.Rle);
        header.EndStruct();
        size = EndPage(header, store);
        return true;
    }

    /// <summary>Adds a chunk's dictionary page.</summary>
    public PageSize WriteDictionaryPage(ValueDictionary dictionary, ChunkStore store)
    {
        _body.Clear();
        _body.Write(dictionary.Content);
        var header = BeginPage(DictionaryPage);
        header.BeginStruct(7);
        header.I32(1, dictionary.Count);
        header.I32(2, (int)PageEncoding.Plain);
        header.EndStruct();
        return EndPage(header, store);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        compressor.Dispose();
        _body.Dispose();
        _compressed.Dispose();
        _header.Dispose();
    }

    private ThriftCompactWriter BeginPage(int type)
    {
        var compressedSize = CompressBody();
        _header.Clear();
        var header = new ThriftCompactWriter(_header);
        header.BeginStruct();
        header.I32(1, type);
        header.I32(2, _body.Length);
        header.I32(3, compressedSize);
        return header;
    }

    private PageSize EndPage(ThriftCompactWriter header, ChunkStore store)
    {
        header.EndStruct();
        store.Write(_header.Written);
        store.Write(_compressed.Written);
        return new PageSize(_header.Length + _body.Length, _header.Length + _compressed.Length);
    }

    private int EncodedCost(ColumnBuffer page, PageEncoding encoding)
    {
        _body.Clear();
        EncodeValues(page, encoding);
        return BodyCost();
    }

    // What a page takes in the file, and a little for what readers must unpack: repeats that compression takes out are
    // better not put in.
    private int BodyCost() => CompressBody() + (_body.Length / UnpackingShare);

    private int CompressBody()
    {
        _compressed.Clear();
        compressor.Compress(_body.Written, _compressed);
        return _compressed.Length;
    }

    private void EncodeValues(ColumnBuffer page, PageEncoding encoding)
    {
        switch (encoding)
        {
            case PageEncoding.Plain:
                PlainEncoder.Encode(page, _body);
                break;
            case PageEncoding.Rle:
                var start = BeginLengthPrefix();
                RleHybridEncoder.Encode(page.Values, bitWidth: 1, _body);
                EndLengthPrefix(start);
                break;
            case PageEncoding.DeltaBinaryPacked when page.Leaf.Type.ValueWidth == 8:
                DeltaBinaryPackedEncoder.Encode(MemoryMarshal.Cast<byte, long>(page.Values), _body);
                break;
            case PageEncoding.DeltaBinaryPacked:
                DeltaBinaryPackedEncoder.Encode(MemoryMarshal.Cast<byte, int>(page.Values), _body);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(encoding), encoding, "not an encoding of values");
        }
    }

    private void EncodeIndices(ReadOnlySpan<int> indices, int dictionaryCount)
    {
        var bitWidth = RleHybridEncoder.BitWidth(Math.Max(0, dictionaryCount - 1));
        _body.WriteByte((byte)bitWidth);
        RleHybridEncoder.Encode(indices, bitWidth, _body);
    }

    private bool TryIndex(ColumnBuffer page, ValueDictionary dictionary, out ReadOnlySpan<int> indices)
    {
        if (_indices.Length < page.ValueCount)
        {
            _indices = new int[Math.Max(page.ValueCount, 2 * _indices.Length)];
        }

        indices = _indices.AsSpan(0, page.ValueCount);
        return dictionary.TryAdd(page, _indices.AsSpan(0, page.ValueCount));
    }

    private void WriteLevels(ReadOnlySpan<byte> levels, int max)
    {
        if (max > 0)
        {
            var start = BeginLengthPrefix();
            RleHybridEncoder.Encode(levels, RleHybridEncoder.BitWidth(max), _body);
            EndLengthPrefix(start);
        }
    }

    private int BeginLengthPrefix()
    {
        _body.WriteInt32(0);
        return _body.Length;
    }

    private void EndLengthPrefix(int start) => _body.SetInt32(start - 4, _body.Length - start);
}

/// <summary>Bytes of a page, its header included, before and after compression.</summary>
internal readonly record struct PageSize(int Uncompressed, int Compressed);
