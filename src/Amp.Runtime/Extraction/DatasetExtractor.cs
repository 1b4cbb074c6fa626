using Amp.MetadataDb;
using Amp.Parquet;
using Amp.Storage;
using Microsoft.Extensions.Logging;

namespace Amp.Extraction;

/// <summary>When a segment is closed and how its files are written.</summary>
/// <param name="Parquet">How files are encoded and compressed.</param>
/// <param name="MaxSegmentBytes">A segment is closed when its largest file reaches this size.</param>
/// <param name="FlushInterval">A segment is closed when it has been open for so long.</param>
internal sealed record SegmentOptions(ParquetWriterOptions Parquet, long MaxSegmentBytes, TimeSpan FlushInterval)
{
    /// <summary>Bytes that the open files may hold together; row groups end early to keep to it.</summary>
    public long BufferBytes { get; init; } = long.MaxValue;
}

/// <summary>Makes a segment's rows part of its tables in one transaction; its files are on disk under their names.</summary>
internal delegate Task CommitSegment(IReadOnlyList<NewFile> files, CancellationToken cancellationToken);

/// <summary>
/// Moves blocks from a source into segments, one segment at a time. Fetching and decoding go on inside the source while the
/// blocks before them are encoded and written here. A segment stays open from one range to the next that follows it, so
/// that a live chain does not make a file per block. Disposing it drops what is not committed.
/// </summary>
internal sealed class DatasetExtractor(
    string network,
    IBlockSource source,
    SegmentStore store,
    SegmentOptions options,
    CommitSegment commit,
    SegmentClock clock,
    TimeProvider time,
    ILogger logger) : IAsyncDisposable
{
    private SegmentWriter? _open;

    /// <summary>The segment that is being written and not committed; null when there is none.</summary>
    public SegmentWriter? Open => _open;

    /// <summary>
    /// Extracts a range. Throws <c>ChainReorganized</c> when a block does not follow the one before it; what is open then
    /// may hold blocks that are no longer on the chain.
    /// </summary>
    public async Task ExtractAsync(MissingRange range, IReadOnlyList<TargetTable> tables, CancellationToken cancellationToken)
    {
        if (_open is not null && !(_open.Last.Number + 1 == range.Blocks.Start && _open.Tables.SequenceEqual(tables)))
        {
            await FlushAsync(cancellationToken);
        }

        await foreach (var batch in source.ReadAsync(range.Blocks, cancellationToken))
        {
            using (batch)
            {
                var first = batch.Blocks[0];
                if (_open is { } open && open.Last.Hash != first.ParentHash)
                {
                    throw Reorganized(first, open.Last);
                }

                _open ??= await SegmentWriter.CreateAsync(
                    network, batch, tables, store, options, time.GetUtcNow(), cancellationToken);
                await _open.WriteAsync(batch, cancellationToken);
            }

            if (_open.LargestFileBytes >= options.MaxSegmentBytes)
            {
                await FlushAsync(cancellationToken);
            }

            await FlushIfDueAsync(cancellationToken);
        }

        if ((range.Blocks.End + 1) % MissingRanges.FileBoundary == 0)
        {
            await FlushAsync(cancellationToken);
        }
    }

    /// <summary>Commits the open segment when it has been open for long enough.</summary>
    public Task FlushIfDueAsync(CancellationToken cancellationToken) =>
        _open is { } open && time.GetUtcNow() - open.StartedAt >= options.FlushInterval ? FlushAsync(cancellationToken) : Task.CompletedTask;

    /// <summary>Commits the open segment, if there is one.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        if (_open is not { } segment)
        {
            return;
        }

        var files = await segment.PublishAsync(clock.Next(), cancellationToken);

        // Checkpoint: the files are on disk and complete, and belong to nothing yet.
        await commit(files, cancellationToken);

        // Checkpoint: they are part of their tables. Nothing below may fail the job.
        _open = null;
        await segment.DisposeAsync();
        Log.SegmentCommitted(logger, files[0].FileName, files.Count, files.Sum(file => file.Size));
    }

    /// <summary>Drops the open segment, if there is one: its blocks are fetched again.</summary>
    public async Task AbandonAsync()
    {
        if (_open is { } segment)
        {
            _open = null;
            await segment.DisposeAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await AbandonAsync();

    private AmpException Reorganized(BlockLink block, BlockLink before) => new(
        "ChainReorganized", AmpErrorKind.InvalidData,
        $"Block {block.Number} of {network} has the parent {block.ParentHash}, but block {before.Number} was read as {before.Hash}: the chain was reorganized meanwhile.")
    {
        Target = block.Number,
        IsTransient = true,
    };
}
