using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using Amp.Parquet;
using Amp.Storage;

namespace Amp.Extraction.Rows;

/// <summary>Reads the rows of segments, one file after the other and no further than rows are asked for.</summary>
public static class SegmentRows
{
    private const int RowsAtOnce = 1024;

    // The first that a file has; they are the same where it has both.
    private static readonly string[] BlockColumns = ["_block_num", "block_num"];

    /// <summary>Reads the rows of files as if they were one. Rows come in the files' order, which is by block and place in it.</summary>
    /// <param name="paths">The files, as whole paths.</param>
    /// <param name="selection">Which rows and columns.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="AmpException">
    /// <c>ColumnNotFound</c>, before a row of the file is given; <c>StorageFileMissing</c>, <c>StorageNotReadable</c>,
    /// <c>ParquetFileInvalid</c>, <c>ParquetNotSupported</c>. Rows given before it are right.
    /// </exception>
    public static async IAsyncEnumerable<TableRow> ReadAsync(
        IReadOnlyList<string> paths, RowSelection selection, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (firstFile, skipRows) = selection.Last is { } last ? await FindLastAsync(paths, last, cancellationToken) : (0, 0L);
        var left = selection.First;
        for (var i = firstFile; i < paths.Count && left > 0; i++)
        {
            await using var file = await OpenAsync(paths[i], cancellationToken);
            var fields = ChooseFields(file, paths[i], selection);
            if (fields.Length == 0)
            {
                continue;
            }

            var filter = selection.Blocks.Count == 0 ? null : new UInt64Filter(BlockField(file, paths[i]), selection.Blocks);
            var table = TableOf(file);
            string[] columns = [.. fields.Select(field => field.Name)];
            var value = table == "transactions" ? Array.FindIndex(fields, field => field.Name == "value" && field.Type == ArrowType.Utf8) : -1;
            var rows = file.ReadAsync(fields, filter, i == firstFile ? skipRows : 0, (int)Math.Min(RowsAtOnce, left), cancellationToken);
            await foreach (var values in rows)
            {
                // 256 bits have no type of their own in the file: they are text there, and a number for whoever counts.
                if (value >= 0 && BigInteger.TryParse((string?)values[value], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                {
                    values[value] = number;
                }

                yield return new TableRow(table, columns, values);
                if (--left == 0)
                {
                    break;
                }
            }
        }
    }

    /// <summary>As <see cref="ReadAsync(IReadOnlyList{string}, RowSelection, CancellationToken)"/>, of files of a table: errors say what mends the table.</summary>
    /// <param name="dataset">The table's dataset.</param>
    /// <param name="table">The table.</param>
    /// <param name="paths">The files, as whole paths.</param>
    /// <param name="selection">Which rows and columns.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static async IAsyncEnumerable<TableRow> ReadAsync(
        string dataset, string table, IReadOnlyList<string> paths, RowSelection selection, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var rows = ReadAsync(paths, selection, cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (await MoveNextAsync())
        {
            yield return rows.Current;
        }

        async ValueTask<bool> MoveNextAsync()
        {
            try
            {
                return await rows.MoveNextAsync();
            }
            catch (AmpException e) when (e.ErrorCode is "StorageFileMissing" or "ParquetFileInvalid")
            {
                throw new AmpException(e.ErrorCode, e.Kind, $"{dataset} {table} cannot be read further: {e.Message}", e)
                {
                    Target = e.Target,
                    RecommendedAction = $"Test-AmpTable {dataset} {table} says what is wrong; Repair-AmpTable {dataset} {table} extracts the blocks again.",
                };
            }
        }
    }

    /// <summary>The blocks that a file says it covers; null when it does not say.</summary>
    /// <param name="path">The file, as a whole path.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException">Errors of files as for reading; <c>SegmentMetadataInvalid</c>.</exception>
    public static async Task<AmpBlockRange?> FindBlocksAsync(string path, CancellationToken cancellationToken)
    {
        await using var file = await OpenAsync(path, cancellationToken);
        return MetadataOf(file)?.Ranges is { Count: > 0 } ranges
            ? new AmpBlockRange(ranges.Min(range => range.Start), ranges.Max(range => range.End))
            : null;
    }

    private static Task<ParquetFileReader> OpenAsync(string path, CancellationToken cancellationToken) =>
        ParquetFileReader.OpenAsync(SegmentStore.OpenFile(path), path, cancellationToken);

    private static ParquetMeta? MetadataOf(ParquetFileReader file) =>
        file.Footer.KeyValueMetadata.TryGetValue(ParquetMeta.MetadataKey, out var json) ? ParquetMeta.Parse(json) : null;

    private static string? TableOf(ParquetFileReader file) => MetadataOf(file)?.Table;

    /// <summary>From the last file backward: in which one the last rows begin, and how many of its rows are before them.</summary>
    private static async Task<(int File, long SkipRows)> FindLastAsync(IReadOnlyList<string> paths, long last, CancellationToken cancellationToken)
    {
        var wanted = last;
        for (var i = paths.Count - 1; i >= 0; i--)
        {
            await using var file = await OpenAsync(paths[i], cancellationToken);
            if (file.Footer.RowCount >= wanted)
            {
                return (i, file.Footer.RowCount - wanted);
            }

            wanted -= file.Footer.RowCount;
        }

        return (0, 0);
    }

    private static ArrowField[] ChooseFields(ParquetFileReader file, string path, RowSelection selection)
    {
        var names = file.Schema.Fields.Select(field => field.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var missing = selection.RequiredColumns.FirstOrDefault(name => !names.Contains(name));
        return missing is null
            ? [.. file.Schema.Fields.Where(field => selection.IsWanted(field.Name))]
            : throw ColumnNotFound(file, path, missing);
    }

    private static ArrowField BlockField(ParquetFileReader file, string path) =>
        BlockColumns.Select(name => file.Schema.Fields.FirstOrDefault(field => field is { Nullable: false } && field.Name == name && field.Type == ArrowType.UInt64))
            .FirstOrDefault(field => field is not null) ?? throw ColumnNotFound(file, path, BlockColumns[0]);

    private static AmpException ColumnNotFound(ParquetFileReader file, string path, string column) => new(
        "ColumnNotFound", AmpErrorKind.NotFound, $"{(TableOf(file) is { } table ? $"Table {table}" : path)} has no column '{column}'.")
    {
        Target = column,
        RecommendedAction = $"Its columns are: {string.Join(", ", file.Schema.Fields.Select(field => field.Name))}.",
    };
}
