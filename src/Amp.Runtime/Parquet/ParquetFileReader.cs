using System.Runtime.CompilerServices;

namespace Amp.Parquet;

/// <summary>
/// Reads rows of files that Amp or ampd wrote: the types of tables here, every codec and encoding that is written here, data pages of
/// both versions. Reads what is asked for and little else: by the page index, of the columns that are wanted, the pages that have
/// wanted rows.
/// </summary>
internal sealed class ParquetFileReader : IAsyncDisposable
{
    private readonly Stream _file;
    private readonly string _name;
    private readonly ParquetLayout _layout;

    private ParquetFileReader(Stream file, string name, ParquetFooter footer, ParquetLayout layout)
    {
        _file = file;
        _name = name;
        _layout = layout;
        Footer = footer;
    }

    /// <summary>What the file says of itself.</summary>
    public ParquetFooter Footer { get; }

    /// <summary>Its columns.</summary>
    public TableSchema Schema => _layout.Schema;

    /// <summary>
    /// Reads the footer of a file from a stream that can seek, which is this reader's from here on. Refused are files as
    /// <c>ParquetFileInvalid</c> and <c>ParquetNotSupported</c>.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="name">Its name, for errors.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static async Task<ParquetFileReader> OpenAsync(Stream file, string name, CancellationToken cancellationToken)
    {
        try
        {
            var (footer, layout) = await ParquetFooter.ReadWithLayoutAsync(file, name, cancellationToken);
            return new ParquetFileReader(file, name, footer, layout);
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads rows in the file's order: the values of each, as <see cref="RowAssembler"/> gives them.</summary>
    /// <param name="fields">Columns of <see cref="Schema"/>, in the order of the values.</param>
    /// <param name="filter">Which rows; null for all.</param>
    /// <param name="skipRows">Rows of the file to leave out at the beginning.</param>
    /// <param name="rowsAtOnce">Rows to put together at a time, at most.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="AmpException"><c>ParquetFileInvalid</c>, <c>ParquetNotSupported</c>.</exception>
    public async IAsyncEnumerable<object?[]> ReadAsync(
        IReadOnlyList<ArrowField> fields, UInt64Filter? filter, long skipRows, int rowsAtOnce, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // What the filter looks at comes last, so that it is read also when it is not wanted.
        IReadOnlyList<ArrowField> read = filter is null ? fields : [.. fields, filter.Field];
        var buffer = new TableBuffer(new TableSchema(Schema.Name, read));
        var assembler = new RowAssembler(buffer.Schema);
        int[] leaves = [.. read.SelectMany(LeavesOf)];
        foreach (var group in _layout.RowGroups)
        {
            var skipped = Math.Min(skipRows, group.RowCount);
            skipRows -= skipped;
            var ranges = await Guard(() => RangesAsync(group, filter, skipped, cancellationToken));
            if (ranges.Count == 0)
            {
                continue;
            }

            var columns = new ColumnChunkReader[leaves.Length];
            for (var i = 0; i < leaves.Length; i++)
            {
                var chunk = group.Chunks[leaves[i]];
                var places = ranges is [(0, _)] ? null : await Guard(() => PlacesAsync(chunk, cancellationToken));
                columns[i] = new ColumnChunkReader(_file, Schema.Leaves[leaves[i]], chunk, places);
            }

            foreach (var (start, end) in ranges)
            {
                for (var row = start; row < end; row += buffer.RowCount)
                {
                    var rows = await Guard(async () =>
                    {
                        buffer.Clear();
                        buffer.RowCount = (int)Math.Min(rowsAtOnce, end - row);
                        for (var i = 0; i < columns.Length; i++)
                        {
                            await columns[i].SkipToAsync(row, cancellationToken);
                            await columns[i].ReadAsync(buffer.RowCount, buffer.Columns[i], cancellationToken);
                        }

                        return Assemble(assembler, buffer, fields.Count, filter);
                    });
                    foreach (var values in rows)
                    {
                        yield return values;
                    }
                }
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _file.DisposeAsync();

    private static List<object?[]> Assemble(RowAssembler assembler, TableBuffer buffer, int fieldCount, UInt64Filter? filter)
    {
        var rows = new List<object?[]>(buffer.RowCount);
        assembler.Begin(buffer);
        for (var row = 0; row < buffer.RowCount; row++)
        {
            assembler.MoveNext();
            if (filter?.IsMatch(assembler[^1].UInt64) != false)
            {
                rows.Add(assembler.Read(fieldCount));
            }
        }

        return rows;
    }

    private static IEnumerable<(long Start, long End)> Rows(RowGroupLayout group, PagePlace[] places, IEnumerable<bool> mayMatch) =>
        mayMatch.Select((may, page) => (May: may, places[page].FirstRow, End: page + 1 < places.Length ? places[page + 1].FirstRow : group.RowCount))
            .Where(page => page.May).Select(page => (page.FirstRow, page.End));

    private Task<T> Guard<T>(Func<Task<T>> read) => ParquetFooter.ReadAsync(_name, read);

    private IEnumerable<int> LeavesOf(ArrowField field)
    {
        var first = Schema.Fields.TakeWhile(other => !ReferenceEquals(other, field)).Sum(other => other.LeafCount);
        return Enumerable.Range(first, field.LeafCount);
    }

    /// <summary>The rows of a row group that have to be read, in order.</summary>
    private async Task<List<(long Start, long End)>> RangesAsync(
        RowGroupLayout group, UInt64Filter? filter, long skipped, CancellationToken cancellationToken)
    {
        IEnumerable<(long Start, long End)> ranges = [(0, group.RowCount)];
        if (filter is not null)
        {
            var chunk = group.Chunks[LeavesOf(filter.Field).Single()];
            var places = await PlacesAsync(chunk, cancellationToken);
            if (!filter.MayMatch(chunk.Bounds))
            {
                ranges = [];
            }
            else if (places is not null && chunk.ColumnIndex is { } index)
            {
                var bounds = PageIndex.ReadBounds(await ReadAsync(index, cancellationToken));
                ranges = bounds.Length == places.Length
                    ? Rows(group, places, bounds.Select(page => page.Min is not null && filter.MayMatch(page)))
                    : throw new InvalidDataException("a page index contradicts itself");
            }
        }

        return [.. ranges.Select(range => (Math.Max(range.Start, skipped), range.End)).Where(range => range.Item1 < range.End)];
    }

    private async Task<PagePlace[]?> PlacesAsync(ChunkLayout chunk, CancellationToken cancellationToken)
    {
        if (chunk.OffsetIndex is not { } index)
        {
            return null;
        }

        var places = PageIndex.ReadPlaces(await ReadAsync(index, cancellationToken), chunk);
        return places.Length > 0 ? places : null;
    }

    private async Task<byte[]> ReadAsync(FilePlace place, CancellationToken cancellationToken)
    {
        var bytes = new byte[place.Length];
        _file.Seek(place.Offset, SeekOrigin.Begin);
        await _file.ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }
}
