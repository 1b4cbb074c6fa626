using System.Runtime.InteropServices;
using Amp.Parquet.Encodings;

namespace Amp.Parquet;

/// <summary>
/// Collects one column of a row group: cuts the entries into pages, encodes each as soon as it is full, and holds the
/// encoded pages until the row group is written. Reused from row group to row group.
/// </summary>
internal sealed class ColumnChunkWriter : IDisposable
{
    private const int EnoughValues = 100;
    private readonly LeafColumn _leaf;
    private readonly ParquetWriterOptions _options;
    private readonly ValueOrder _order;
    private readonly bool _isText;
    private readonly bool _watchOrder;
    private readonly ColumnBuffer _page;
    private readonly ValueDictionary _dictionary;
    private readonly BloomFilterBuilder? _bloomFilter;
    private readonly ChunkStore _dataPages = new();
    private readonly ChunkStore _dictionaryPage = new();
    private readonly List<PageInfo> _pages = [];
    private readonly SortedDictionary<PageEncoding, int> _encodings = [];
    private PageEncoding? _encoding;
    private PageEncoding _fallback;
    private ValueBounds _bounds;
    private (bool Min, bool Max) _boundsExact;
    private long _uncompressedSize;
    private long _entryCount;
    private long _nullCount;
    private long _rowCount;
    private int _pageRows;
    private bool _isSorted;
    private ulong _lastValue;

    public ColumnChunkWriter(LeafColumn leaf, ParquetWriterOptions options)
    {
        _leaf = leaf;
        _options = options;
        _order = ParquetTypes.OrderOf(leaf.Type);
        _isText = leaf.Type == ArrowType.Utf8;
        _watchOrder = leaf.Type == ArrowType.UInt64 && leaf.MaxDefinition == 0 && options.SortingColumns.Contains(leaf.DottedPath);
        _page = new ColumnBuffer(leaf);
        _dictionary = new ValueDictionary(leaf.Type.ValueWidth, options.DictionaryBytes);
        _bloomFilter = options.BloomFilters && leaf.Type is ArrowType.FixedSizeBinary ? new BloomFilterBuilder() : null;
        _isSorted = _watchOrder;
    }

    /// <summary>Bytes held: encoded pages, the dictionary, and what is not encoded yet.</summary>
    public long BufferedBytes => _dataPages.Length + _dictionary.Content.Length + _page.ByteCount + (_bloomFilter?.BufferedBytes ?? 0);

    /// <summary>The encoded pages; complete after <see cref="Finish"/>.</summary>
    public (ChunkStore Dictionary, ChunkStore Data) Encoded => (_dictionaryPage, _dataPages);

    /// <summary>The Bloom filter of the values so far; null when the column has none.</summary>
    public BloomFilterBuilder? BloomFilter => _bloomFilter;

    /// <summary>Adds all entries of a column.</summary>
    public void Append(ColumnBuffer column, PageEncoder encoder)
    {
        var entry = 0;
        var value = 0;
        while (entry < column.EntryCount)
        {
            var slice = NextSlice(column, entry, value);
            if (slice.EntryCount == 0)
            {
                WritePage(encoder);
                continue;
            }

            _page.Append(column, entry, slice.EntryCount, value, slice.ValueCount);
            _pageRows += slice.RowCount;
            entry += slice.EntryCount;
            value += slice.ValueCount;
            if (_pageRows >= _options.DataPageRows || _page.ByteCount >= _options.DataPageBytes)
            {
                WritePage(encoder);
            }
        }
    }

    /// <summary>Encodes what is left of the row group.</summary>
    public void Finish(PageEncoder encoder)
    {
        if (_page.EntryCount > 0)
        {
            WritePage(encoder);
        }

        if (_dictionary.Count > 0)
        {
            _uncompressedSize += encoder.WriteDictionaryPage(_dictionary, _dictionaryPage).Uncompressed;
        }
    }

    /// <summary>Describes the finished chunk, written to the file at <paramref name="offset"/>.</summary>
    public ColumnChunkInfo Describe(long offset)
    {
        var dataOffset = offset + _dictionaryPage.Length;
        return new ColumnChunkInfo
        {
            Leaf = _leaf,
            Order = _order,
            EntryCount = _entryCount,
            UncompressedSize = _uncompressedSize,
            CompressedSize = _dictionaryPage.Length + _dataPages.Length,
            DictionaryOffset = _dictionaryPage.Length > 0 ? offset : null,
            DataOffset = dataOffset,
            DataPageEncodings = [.. _encodings.Select(pair => (pair.Key, pair.Value))],
            Bounds = _bounds,
            BoundsExact = _boundsExact,
            NullCount = _nullCount,
            Pages = [.. _pages.Select(page => page with { Offset = dataOffset + page.Offset })],
            IsSorted = _isSorted,
        };
    }

    /// <summary>Makes ready for the next row group.</summary>
    public void Reset()
    {
        _dataPages.Clear();
        _dictionaryPage.Clear();
        _dictionary.Clear();
        _bloomFilter?.Clear();
        _pages.Clear();
        _encodings.Clear();
        _encoding = null;
        _bounds = default;
        _uncompressedSize = 0;
        _entryCount = 0;
        _nullCount = 0;
        _rowCount = 0;
        _isSorted = _watchOrder;
        _lastValue = 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _dataPages.Dispose();
        _dictionaryPage.Dispose();
        _dictionary.Dispose();
    }

    /// <summary>
    /// The next rows of <paramref name="column"/> that fit into the page; none when the page must be written first. A
    /// row that alone is larger than a page gets one of its own.
    /// </summary>
    private Slice NextSlice(ColumnBuffer column, int entry, int value)
    {
        var room = _options.DataPageBytes - _page.ByteCount;
        for (var rows = _options.DataPageRows - _pageRows; ; rows = Math.Max(1, rows / 2))
        {
            var slice = Rows(column, entry, value, rows);
            if (column.BytesOf(slice.EntryCount, value, slice.ValueCount) <= room || (slice.RowCount == 1 && _pageRows == 0))
            {
                return slice;
            }

            // What is left of the page is not worth cutting finer for.
            if (slice.RowCount == 1 || (_pageRows > 0 && room < _options.DataPageBytes / 8))
            {
                return default;
            }

            rows = slice.RowCount;
        }
    }

    private Slice Rows(ColumnBuffer column, int entry, int value, int rows)
    {
        int count;
        if (_leaf.MaxRepetition == 0)
        {
            count = rows = Math.Min(rows, column.EntryCount - entry);
        }
        else
        {
            var levels = column.RepetitionLevels[entry..];
            var left = rows;
            for (count = 0; count < levels.Length; count++)
            {
                if (levels[count] == 0 && left-- == 0)
                {
                    left = 0;
                    break;
                }
            }

            rows -= left;
        }

        var values = _leaf.MaxDefinition == 0
            ? count
            : column.DefinitionLevels.Slice(entry, count).Count((byte)_leaf.MaxDefinition);
        return new Slice(rows, count, values);
    }

    private void WritePage(PageEncoder encoder)
    {
        var encoding = _encoding ?? Choose(encoder);
        if (!encoder.TryWriteDataPage(_page, encoding, _dictionary, _dataPages, out var size))
        {
            // The dictionary is full: what it has stays, and the pages from here on do without it.
            _encoding = encoding = _fallback;
            encoder.TryWriteDataPage(_page, encoding, _dictionary, _dataPages, out size);
        }

        var bounds = ValueStatistics.BoundsOf(_page, _order);
        var nullCount = _page.EntryCount - _page.ValueCount;
        Note(bounds);
        _pages.Add(new PageInfo(_dataPages.Length - size.Compressed, size.Compressed, _rowCount, nullCount, Shorten(bounds)));
        _encodings[encoding] = _encodings.GetValueOrDefault(encoding) + 1;
        _uncompressedSize += size.Uncompressed;
        _entryCount += _page.EntryCount;
        _nullCount += nullCount;
        _rowCount += _pageRows;
        _bloomFilter?.Add(_page.Values, _leaf.Type.ValueWidth);
        if (_isSorted)
        {
            WatchOrder();
        }

        _page.Clear();
        _pageRows = 0;
    }

    /// <summary>Chooses by trying; the choice holds for the row group once a page had enough values to judge by.</summary>
    private PageEncoding Choose(PageEncoder encoder)
    {
        if (_page.ValueCount == 0)
        {
            return PageEncoding.Plain;
        }

        _fallback = encoder.ChoosePlainOrPacked(_page, out var cost);
        if (_leaf.Type != ArrowType.Boolean && _options.DictionaryBytes > 0 && encoder.DictionaryPays(_page, _dictionary, cost))
        {
            _encoding = PageEncoding.RleDictionary;
        }
        else if (_page.ValueCount >= EnoughValues)
        {
            _encoding = _fallback;
        }

        return _encoding ?? _fallback;
    }

    private void Note(ValueBounds page)
    {
        if (page.Min is null)
        {
            return;
        }

        var shortened = Shorten(page);
        var all = ValueStatistics.Union(_bounds, shortened, _order);
        if (!ReferenceEquals(all.Min, _bounds.Min))
        {
            _boundsExact.Min = ReferenceEquals(shortened.Min, page.Min);
        }

        if (!ReferenceEquals(all.Max, _bounds.Max))
        {
            _boundsExact.Max = ReferenceEquals(shortened.Max, page.Max);
        }

        _bounds = all;
    }

    private ValueBounds Shorten(ValueBounds bounds) => bounds.Min is null || bounds.Max is null
        ? default
        : new(ValueStatistics.ShortenMin(bounds.Min, _isText), ValueStatistics.ShortenMax(bounds.Max, _isText));

    private void WatchOrder()
    {
        foreach (var value in MemoryMarshal.Cast<byte, ulong>(_page.Values))
        {
            if (value < _lastValue)
            {
                _isSorted = false;
                return;
            }

            _lastValue = value;
        }
    }

    private readonly record struct Slice(int RowCount, int EntryCount, int ValueCount);
}
