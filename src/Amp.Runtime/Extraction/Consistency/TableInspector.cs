using System.Collections.Concurrent;
using Amp.MetadataDb;
using Amp.Parquet;
using Amp.Storage;
using StoredFile = Amp.MetadataDb.StoredFile;

namespace Amp.Extraction.Consistency;

/// <summary>
/// Holds a table's rows, its files and their links against each other. Reads each file's footer, no data, and changes
/// nothing.
/// </summary>
internal sealed class TableInspector(SegmentStore store)
{
    private const int FootersAtOnce = 8;

    /// <summary>Inspects a table.</summary>
    /// <param name="table">The table; one without a location has nothing that could be wrong.</param>
    /// <param name="rows">Rows of its files.</param>
    /// <param name="startBlock">Block that the table begins with.</param>
    /// <param name="isBeingWritten">Whether a job writes it: a file without a row is a segment on its way then.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="progress">Is told how many of the files are done, from any thread; null for nobody.</param>
    public async Task<AmpTableTest> InspectAsync(
        AmpTable table, IReadOnlyList<StoredFile> rows, ulong startBlock, bool isBeingWritten, CancellationToken cancellationToken,
        IProgress<(int Done, int All)>? progress)
    {
        var problems = new List<AmpTableProblem>();
        var segments = new Dictionary<StoredFile, Segment>();
        foreach (var row in rows)
        {
            if (TryParse(row, out var segment))
            {
                segments.Add(row, segment);
            }
            else
            {
                problems.Add(Problem(AmpTableProblemKind.FileInvalid, row, null, $"The row of {row.FileName} does not say which one range of blocks it covers."));
            }
        }

        var files = await TableFiles.CompareAsync(store, table.Path!, rows.Select(row => (row.FileName, row.Size)), cancellationToken);
        problems.AddRange(await CheckFilesAsync(table, segments, files, progress, cancellationToken));
        problems.AddRange(isBeingWritten ? [] : files.Unnamed.Concat(files.Temporary).Select(file => new AmpTableProblem
        {
            Kind = AmpTableProblemKind.FileUnnamed,
            File = Path.GetFileName(file.RelativePath),
            Message = $"{file.RelativePath} belongs to no table; its next job removes it.",
        }));
        var chain = CanonicalChain.Build(segments.Values);
        problems.AddRange(ChainProblems.Find(chain, startBlock));
        return new AmpTableTest
        {
            Dataset = table.Dataset,
            Table = table.Table,
            ManifestHash = table.ManifestHash,
            StartBlock = chain.Range?.Start,
            CurrentBlock = chain.Range?.End,
            HighestBlock = segments.Count == 0 ? null : segments.Values.Max(segment => segment.End),
            FilesCount = chain.Canonical.Count,
            OrphanedFilesCount = chain.Orphaned.Count,
            Problems = [.. problems.OrderBy(problem => problem.StartBlock ?? ulong.MaxValue).ThenBy(problem => problem.File, StringComparer.Ordinal)],
        };
    }

    /// <summary>What is wrong with files that rows name: missing ones, those of another size, and those with other content.</summary>
    private async Task<IEnumerable<AmpTableProblem>> CheckFilesAsync(
        AmpTable table, Dictionary<StoredFile, Segment> segments, TableFiles files, IProgress<(int Done, int All)>? progress,
        CancellationToken cancellationToken)
    {
        var missing = files.Missing.ToHashSet(StringComparer.Ordinal);
        var sizes = files.WrongSize.ToDictionary(file => Path.GetFileName(file.File.RelativePath), StringComparer.Ordinal);
        var found = new ConcurrentBag<AmpTableProblem>();
        var done = 0;
        await Parallel.ForEachAsync(
            segments, new ParallelOptions { MaxDegreeOfParallelism = FootersAtOnce, CancellationToken = cancellationToken },
            async (file, token) =>
            {
                var (row, segment) = file;
                if (missing.Contains(row.FileName))
                {
                    found.Add(Problem(AmpTableProblemKind.FileMissing, row, segment, $"{row.FileName} was committed and is not there."));
                }
                else if (sizes.TryGetValue(row.FileName, out var size))
                {
                    found.Add(Problem(
                        AmpTableProblemKind.FileSize, row, segment, $"{row.FileName} has {size.File.Size} bytes, but was committed with {size.Expected}."));
                }
                else if (await CheckContentAsync(table, row, segment, token) is { } fault)
                {
                    found.Add(Problem(AmpTableProblemKind.FileInvalid, row, segment, fault));
                }

                progress?.Report((Interlocked.Increment(ref done), segments.Count));
            });
        return found;
    }

    private async Task<string?> CheckContentAsync(AmpTable table, StoredFile row, Segment segment, CancellationToken cancellationToken)
    {
        try
        {
            await using var content = store.OpenRead($"{table.Path}/{row.FileName}");
            var footer = await ParquetFooter.ReadAsync(content, row.FileName, cancellationToken);
            if (!footer.KeyValueMetadata.TryGetValue(ParquetMeta.MetadataKey, out var said)
                || ParquetMeta.Parse(said).Serialize() != ParquetMeta.Parse(row.MetadataJson).Serialize())
            {
                return $"{row.FileName} says of itself that it is {said ?? "no segment"}, its row says {row.MetadataJson}.";
            }

            var blocks = (long)(segment.End - segment.Start + 1);
            return table.Table == "blocks" && footer.RowCount != blocks
                ? $"{row.FileName} has {footer.RowCount} rows for {blocks} blocks."
                : null;
        }
        catch (AmpException e)
        {
            return e.Message;
        }
    }

    private static bool TryParse(StoredFile row, out Segment segment)
    {
        segment = null!;
        try
        {
            var meta = ParquetMeta.Parse(row.MetadataJson);
            if (meta.Ranges is [var range])
            {
                segment = new Segment(
                    row.FileId, row.FileName, range.Start, range.End, range.Network, range.Hash, range.PrevHash, meta.CreatedAt, row.Size ?? 0);
            }
        }
        catch (AmpException)
        {
            // The caller says so.
        }

        return segment is not null;
    }

    private static AmpTableProblem Problem(AmpTableProblemKind kind, StoredFile row, Segment? segment, string message) => new()
    {
        Kind = kind,
        File = row.FileName,
        FileId = row.FileId,
        StartBlock = segment?.Start,
        EndBlock = segment?.End,
        Message = message,
    };
}
