using Amp.MetadataDb;
using Amp.Parquet;
using Amp.Storage;
using Microsoft.Extensions.Logging;

namespace Amp.Extraction;

/// <summary>When a segment is closed and how its files are written.</summary>
/// <param name="Parquet">How files are encoded and compressed.</param>
/// <param name="MaxSegmentBytes">A segment is closed when its largest file reaches this size.</param>
/// <param name="FlushInterval">A segment is closed when it has been open for so long.</param>
internal sealed record SegmentOptions(ParquetWriterOptions Parquet, long MaxSegmentBytes, TimeSpan FlushInterval);

/// <summary>
/// Moves blocks from a source into committed segments. Fetching and decoding go on inside the source while the
/// blocks before them are encoded and written here.
/// </summary>
internal sealed class DatasetExtractor(
    string network,
    IBlockSource source,
    SegmentStore store,
    SegmentOptions options,
    TimeProvider time,
    ILogger logger)
{
    /// <summary>
    /// Extracts the planned ranges in order. <paramref name="commit"/> is given each segment's rows once its files are
    /// on disk under their names, and makes them part of the tables in one transaction.
    /// </summary>
    public async Task RunAsync(
        IReadOnlyList<MissingRange> plan,
        IReadOnlyList<TargetTable> tables,
        Func<IReadOnlyList<NewFile>, CancellationToken, Task> commit,
        CancellationToken cancellationToken)
    {
        foreach (var range in plan)
        {
            await ExtractAsync(
                range.Blocks, [.. tables.Where(table => range.Tables.Contains(table.Schema.Name))], commit, cancellationToken);
        }
    }

    private async Task ExtractAsync(
        BlockRange blocks,
        IReadOnlyList<TargetTable> tables,
        Func<IReadOnlyList<NewFile>, CancellationToken, Task> commit,
        CancellationToken cancellationToken)
    {
        SegmentWriter? segment = null;
        try
        {
            await foreach (var batch in source.ReadAsync(blocks, cancellationToken))
            {
                using (batch)
                {
                    segment ??= await SegmentWriter.CreateAsync(
                        network, batch, tables, store, options.Parquet, time.GetUtcNow(), cancellationToken);
                    await segment.WriteAsync(batch, cancellationToken);
                }

                if (segment.LargestFileBytes >= options.MaxSegmentBytes
                    || time.GetUtcNow() - segment.StartedAt >= options.FlushInterval)
                {
                    await CloseAsync(segment);
                    segment = null;
                }
            }

            if (segment is not null)
            {
                await CloseAsync(segment);
                segment = null;
            }
        }
        finally
        {
            if (segment is not null)
            {
                await segment.DisposeAsync();
            }
        }

        async Task CloseAsync(SegmentWriter finished)
        {
            var files = await finished.PublishAsync(time.GetUtcNow(), cancellationToken);

            // Checkpoint: the files are on disk and complete, and belong to nothing yet.
            await commit(files, cancellationToken);

            // Checkpoint: they are part of their tables. Nothing below may fail the job.
            await finished.DisposeAsync();
            logger.SegmentCommitted(files[0].FileName, files.Count, files.Sum(file => file.Size));
        }
    }
}
