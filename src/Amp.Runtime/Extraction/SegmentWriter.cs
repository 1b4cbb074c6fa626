using Amp.MetadataDb;
using Amp.Parquet;
using Amp.Storage;

namespace Amp.Extraction;

/// <summary>
/// Writes one segment: a file per table, all covering the same consecutive blocks. Nothing of it exists for readers
/// until <see cref="PublishAsync"/> has returned and its rows are in <c>file_metadata</c>; disposing it before that
/// leaves nothing behind.
/// </summary>
internal sealed class SegmentWriter : IAsyncDisposable
{
    private readonly string _network;
    private readonly SegmentStore _store;
    private readonly List<TableFile> _files = [];
    private readonly long _bufferBytes;
    private BlockLink _first;

    private SegmentWriter(string network, IReadOnlyList<TargetTable> tables, SegmentStore store, long bufferBytes, DateTimeOffset startedAt)
    {
        _network = network;
        _store = store;
        _bufferBytes = bufferBytes;
        Tables = tables;
        StartedAt = startedAt;
    }

    /// <summary>The tables that it has a file of.</summary>
    public IReadOnlyList<TargetTable> Tables { get; }

    /// <summary>Its last block so far.</summary>
    public BlockLink Last { get; private set; }

    /// <summary>Its blocks so far.</summary>
    public BlockRange Blocks => new(_first.Number, Last.Number);

    /// <summary>When its first block came.</summary>
    public DateTimeOffset StartedAt { get; }

    /// <summary>Size of its largest file so far, in bytes.</summary>
    public long LargestFileBytes => _files.Max(file => file.Writer.BytesWritten);

    /// <summary>Bytes that its files hold in memory.</summary>
    public long BufferedBytes => _files.Sum(file => file.Writer.BufferedBytes);

    /// <summary>Opens the files of a segment that begins with the first block of <paramref name="batch"/>.</summary>
    public static async Task<SegmentWriter> CreateAsync(
        string network,
        BlockBatch batch,
        IReadOnlyList<TargetTable> tables,
        SegmentStore store,
        SegmentOptions options,
        DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        var segment = new SegmentWriter(network, tables, store, options.BufferBytes, now) { _first = batch.Blocks[0] };
        try
        {
            foreach (var table in tables)
            {
                var name = ParquetMeta.NewFileName(segment._first.Number);
                var pending = await store.CreateAsync($"{table.Path}/{name}", cancellationToken);
                segment._files.Add(
                    new TableFile(table, name, pending, new ParquetFileWriter(pending.Content, table.Schema, options.Parquet)));
            }

            return segment;
        }
        catch
        {
            await segment.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Adds the rows of a batch that follows the last one. What the files hold beyond their share of the memory goes to the
    /// disk before this returns, so that a slow disk slows the source.
    /// </summary>
    public async Task WriteAsync(BlockBatch batch, CancellationToken cancellationToken)
    {
        await Task.WhenAll(_files.Select(
            file => Task.Run(
                () => file.Writer.WriteAsync(batch.Tables[file.Table.Index], cancellationToken).AsTask(), cancellationToken)));
        Last = batch.Blocks[^1];
        while (BufferedBytes > _bufferBytes)
        {
            await _files.MaxBy(file => file.Writer.BufferedBytes)!.Writer.EndRowGroupAsync(cancellationToken);
        }
    }

    /// <summary>
    /// Finishes the files and gives them their names. When that fails for one of them, those before it are removed. A crash
    /// from here to the commit of the returned rows leaves files that no row names; they are removed when the job starts again.
    /// </summary>
    /// <param name="createdAt">The segment's time; later than that of any segment it is to replace.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyList<NewFile>> PublishAsync(DateTimeOffset createdAt, CancellationToken cancellationToken)
    {
        var rows = new List<NewFile>();
        try
        {
            foreach (var file in _files)
            {
                rows.Add(await FinishAsync(file, createdAt, cancellationToken));
            }

            return rows;
        }
        catch
        {
            await WithdrawAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var file in _files)
        {
            file.Writer.Dispose();
            await file.Pending.DisposeAsync();
        }
    }

    private async Task<NewFile> FinishAsync(TableFile file, DateTimeOffset createdAt, CancellationToken cancellationToken)
    {
        var metadata = new ParquetMeta(
            file.Table.Schema.Name,
            file.Name,
            createdAt,
            [new SegmentRange(_first.Number, Last.Number, _network, Last.Hash.ToString(), _first.ParentHash.ToString())]);
        var written = await file.Writer.CompleteAsync(metadata.ToKeyValueMetadata(), cancellationToken);
        var stored = await file.Pending.PublishAsync(cancellationToken);
        return new NewFile
        {
            LocationId = file.Table.LocationId,
            FileName = file.Name,
            MetadataJson = metadata.Serialize(),
            Size = stored.Size,
            Url = new Uri(stored.FullPath).AbsoluteUri,
            Footer = written.Footer,
        };
    }

    /// <summary>Removes the files that are published, since no row will name them: on a full disk they would stay in the way.</summary>
    private async Task WithdrawAsync()
    {
        foreach (var file in _files.Where(file => file.Pending.IsPublished))
        {
            try
            {
                await _store.DeleteAsync($"{file.Table.Path}/{file.Name}", CancellationToken.None);
            }
            catch (AmpException)
            {
                // What stopped the publishing may stop this too; the file is removed when the job starts again.
            }
        }
    }

    private sealed record TableFile(TargetTable Table, string Name, PendingFile Pending, ParquetFileWriter Writer);
}

/// <summary>A table that a job writes.</summary>
/// <param name="Index">Its place among <see cref="BlockBatch.Tables"/>.</param>
/// <param name="Schema">Its columns.</param>
/// <param name="LocationId">Its active revision (<c>physical_table_revisions.id</c>).</param>
/// <param name="Path">The revision's folder, relative to the data folder.</param>
internal sealed record TargetTable(int Index, TableSchema Schema, long LocationId, string Path);
