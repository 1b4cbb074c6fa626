namespace Amp.Parquet;

/// <summary>Reads a column chunk front to back, a page at a time, and no page that is not needed.</summary>
/// <param name="file">The file; several readers may share it, one after the other.</param>
/// <param name="leaf">The column.</param>
/// <param name="chunk">Where its values are.</param>
/// <param name="places">Where its pages are; null when that is not known.</param>
internal sealed class ColumnChunkReader(Stream file, LeafColumn leaf, ChunkLayout chunk, PagePlace[]? places)
{
    // A header with two long bounds still fits; one that does not is read again.
    private const int ReadAtOnce = 16 << 10;
    private readonly PageDecoder _decoder = new(leaf, chunk.Codec);
    private readonly ColumnBuffer _page = new(leaf);
    private byte[] _bytes = [];
    private int _filled;
    private long _next = chunk.Start;
    private long _entriesLeft = chunk.EntryCount;
    private long _row;
    private int _entry;
    private int _value;

    // A row goes on in the next page only in files without a page index.
    private bool MayCrossPages => leaf.MaxRepetition > 0 && places is null;

    /// <summary>Goes forward to a row of the row group; pages before it are not read where their places are known.</summary>
    public async ValueTask SkipToAsync(long row, CancellationToken cancellationToken)
    {
        if (places is not null && row > _row)
        {
            var page = Array.FindLastIndex(places, place => place.FirstRow <= row);
            if (places[page].FirstRow > _row)
            {
                // The dictionary is before the first data page.
                if (_next == chunk.Start && chunk.Start < places[0].Offset)
                {
                    await ReadPageAsync(cancellationToken);
                }

                _next = places[page].Offset;
                _row = places[page].FirstRow;
                _page.Clear();
                (_entry, _value) = (0, 0);
            }
        }

        await MoveAsync(row - _row, into: null, cancellationToken);
    }

    /// <summary>Adds the next rows to a buffer of the column.</summary>
    public ValueTask ReadAsync(long count, ColumnBuffer into, CancellationToken cancellationToken) => MoveAsync(count, into, cancellationToken);

    private async ValueTask MoveAsync(long count, ColumnBuffer? into, CancellationToken cancellationToken)
    {
        var begun = 0L;
        while (begun < count || MayCrossPages)
        {
            if (_entry == _page.EntryCount)
            {
                if (_next == chunk.End)
                {
                    break;
                }

                await ReadPageAsync(cancellationToken);
                continue;
            }

            var end = EndOf(count - begun, out var rows);
            var values = CountValues(end);
            into?.Append(_page, _entry, end - _entry, _value, values);
            _entry = end;
            _value += values;
            begun += rows;
            if (end < _page.EntryCount)
            {
                break;
            }
        }

        _row += begun;
        if (begun < count)
        {
            throw new InvalidDataException($"column {leaf.DottedPath} has fewer rows than its footer says");
        }
    }

    /// <summary>Where the last entry ends of the rows that are read next, as far as the page has them, and how many of them begin.</summary>
    private int EndOf(long count, out long rows)
    {
        if (leaf.MaxRepetition == 0)
        {
            rows = Math.Min(count, _page.EntryCount - _entry);
            return _entry + (int)rows;
        }

        rows = 0;
        var levels = _page.RepetitionLevels;
        var end = _entry;
        while (end < levels.Length && (levels[end] > 0 || rows < count))
        {
            rows += levels[end] == 0 ? 1 : 0;
            end++;
        }

        return end;
    }

    private int CountValues(int end) =>
        leaf.MaxDefinition == 0 ? end - _entry : _page.DefinitionLevels[_entry..end].Count((byte)leaf.MaxDefinition);

    /// <summary>Reads the next page: a dictionary is kept, a data page becomes the present one, any other is passed over.</summary>
    private async ValueTask ReadPageAsync(CancellationToken cancellationToken)
    {
        var left = chunk.End - _next;
        var (header, headerLength) = await ReadHeaderAsync(left, cancellationToken);
        var length = (long)headerLength + header.CompressedSize;
        if (length > left || header.UncompressedSize > chunk.UncompressedSize || header.EntryCount > (header.IsData ? _entriesLeft : int.MaxValue))
        {
            throw new InvalidDataException($"a page of column {leaf.DottedPath} is larger than its column");
        }

        await FillAsync((int)length, cancellationToken);
        _next += length;
        var content = _bytes.AsSpan(headerLength, header.CompressedSize);
        if (header.IsDictionary)
        {
            _decoder.ReadDictionary(header, content);
        }
        else if (header.IsData)
        {
            _decoder.ReadData(header, content, _page);
            _entriesLeft = places is null ? _entriesLeft - header.EntryCount : _entriesLeft;
            (_entry, _value) = (0, 0);
        }
    }

    private async ValueTask<(PageHeader Header, int Length)> ReadHeaderAsync(long left, CancellationToken cancellationToken)
    {
        _filled = 0;
        for (var size = ReadAtOnce; ; size *= 4)
        {
            var isAll = size >= left;
            await FillAsync((int)Math.Min(size, left), cancellationToken);
            try
            {
                var header = PageHeader.Parse(_bytes.AsSpan(0, _filled), out var length);
                return (header, length);
            }
            catch (InvalidDataException) when (!isAll && size < 1 << 26)
            {
                // The header may be longer than what was read.
            }
        }
    }

    /// <summary>Reads on from the page's beginning until so many of its bytes are there.</summary>
    private async ValueTask FillAsync(int length, CancellationToken cancellationToken)
    {
        if (length > _filled)
        {
            if (_bytes.Length < length)
            {
                Array.Resize(ref _bytes, length);
            }

            file.Seek(_next + _filled, SeekOrigin.Begin);
            await file.ReadExactlyAsync(_bytes.AsMemory(_filled, length - _filled), cancellationToken);
            _filled = length;
        }
    }
}
