using Amp.Parquet.Compression;

namespace Amp.Parquet;

/// <summary>
/// Writes the rows of one table to one Parquet file. Encoding and compression happen on the thread that calls
/// <c>WriteAsync</c>; what is held in memory is the encoded row group and a page per column. Only
/// <see cref="CompleteAsync"/> makes a file: without it, what the stream got has no footer and nobody takes it for
/// one. Not safe for use by two threads at once; the stream stays the caller's.
/// </summary>
internal sealed class ParquetFileWriter : IDisposable
{
    private readonly Stream _output;
    private readonly TableSchema _schema;
    private readonly ParquetWriterOptions _options;
    private readonly PageEncoder _encoder;
    private readonly ColumnChunkWriter[] _columns;
    private readonly List<RowGroupInfo> _rowGroups = [];
    private long _position;
    private long _groupRows;
    private bool _broken;
    private bool _ended;

    /// <summary>Begins a file. Refuses a compression level that does not exist and a compression library that is not there.</summary>
    public ParquetFileWriter(Stream output, TableSchema schema, ParquetWriterOptions options)
    {
        _output = output;
        _schema = schema;
        _options = options;
        _encoder = new PageEncoder(PageCompressor.Create(options.Codec, options.CompressionLevel));
        _columns = [.. schema.Leaves.Select(leaf => new ColumnChunkWriter(leaf, options))];
    }

    /// <summary>Number of rows written.</summary>
    public long RowCount { get; private set; }

    /// <summary>Bytes of the open row group: encoded pages, dictionaries, and pages that are not encoded yet.</summary>
    public long BufferedBytes => _columns.Sum(column => column.BufferedBytes);

    /// <summary>
    /// What the file would have about now: bytes handed to the stream and <see cref="BufferedBytes"/>. Too high by what
    /// compression will save on pages that are not encoded yet; without the footer.
    /// </summary>
    public long BytesWritten => _position + BufferedBytes;

    /// <summary>Adds rows. The buffer belongs to the caller again when this is done.</summary>
    public async ValueTask WriteAsync(TableBuffer rows, CancellationToken cancellationToken)
    {
        ThrowIfUnusable();
        cancellationToken.ThrowIfCancellationRequested();
        Check(rows);

        // From here until all columns have the rows, stopping would leave columns of different lengths.
        _broken = true;
        for (var i = 0; i < _columns.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _columns[i].Append(rows.Columns[i], _encoder);
        }

        RowCount += rows.RowCount;
        _groupRows += rows.RowCount;
        if (_groupRows >= _options.MaxRowGroupRows || BufferedBytes >= _options.MaxRowGroupBytes)
        {
            await WriteRowGroupAsync(cancellationToken);
        }

        _broken = false;
    }

    /// <summary>Ends the open row group and hands it to the stream, so that nothing is held; does nothing without one.</summary>
    public async ValueTask EndRowGroupAsync(CancellationToken cancellationToken)
    {
        ThrowIfUnusable();
        _broken = true;
        await WriteRowGroupAsync(cancellationToken);
        _broken = false;
    }

    /// <summary>
    /// Writes what is held, then the footer with <paramref name="keyValueMetadata"/> behind Arrow's schema. The stream
    /// is not flushed.
    /// </summary>
    public async Task<ParquetFileInfo> CompleteAsync(
        IReadOnlyList<KeyValuePair<string, string>> keyValueMetadata, CancellationToken cancellationToken)
    {
        ThrowIfUnusable();
        _broken = true;
        await WriteRowGroupAsync(cancellationToken);
        await BeginFileAsync(cancellationToken);
        KeyValuePair<string, string>[] metadata =
            [new(ArrowIpcSchema.MetadataKey, ArrowIpcSchema.ToBase64(_schema)), .. keyValueMetadata];
        using var buffer = new ByteBuffer(1 << 16);
        ParquetFooterWriter.Write(_schema, _options, _rowGroups, metadata, offset: 0, buffer);
        var footer = buffer.Written.ToArray();
        buffer.Clear();
        ParquetFooterWriter.Write(_schema, _options, _rowGroups, metadata, _position, buffer);
        await EmitAsync(buffer, cancellationToken);
        _ended = true;
        return new ParquetFileInfo(_position, RowCount, _rowGroups.Count, footer);
    }

    /// <summary>Abandons the file unless it is complete, and frees the memory.</summary>
    public void Dispose()
    {
        _ended = true;
        _encoder.Dispose();
        foreach (var column in _columns)
        {
            column.Dispose();
        }
    }

    private async ValueTask WriteRowGroupAsync(CancellationToken cancellationToken)
    {
        if (_groupRows == 0)
        {
            return;
        }

        await BeginFileAsync(cancellationToken);
        var start = _position;
        var chunks = new List<ColumnChunkInfo>(_columns.Length);
        foreach (var column in _columns)
        {
            column.Finish(_encoder);
            chunks.Add(column.Describe(_position));
            var (dictionary, data) = column.Encoded;
            await EmitAsync(dictionary, cancellationToken);
            await EmitAsync(data, cancellationToken);
        }

        await WriteBloomFiltersAsync(chunks, cancellationToken);
        foreach (var column in _columns)
        {
            column.Reset();
        }

        _rowGroups.Add(new RowGroupInfo(_groupRows, start, chunks));
        _groupRows = 0;
    }

    private async ValueTask WriteBloomFiltersAsync(List<ColumnChunkInfo> chunks, CancellationToken cancellationToken)
    {
        if (!_options.BloomFilters)
        {
            return;
        }

        using var buffer = new ByteBuffer();
        for (var i = 0; i < _columns.Length; i++)
        {
            if (_columns[i].BloomFilter is { } filter)
            {
                buffer.Clear();
                filter.Write(buffer);
                chunks[i] = chunks[i] with { BloomFilter = (_position, buffer.Length) };
                await EmitAsync(buffer, cancellationToken);
            }
        }
    }

    private async ValueTask BeginFileAsync(CancellationToken cancellationToken)
    {
        if (_position == 0)
        {
            await _output.WriteAsync(ParquetTypes.Magic.ToArray(), cancellationToken);
            _position = ParquetTypes.Magic.Length;
        }
    }

    private async ValueTask EmitAsync(ChunkStore store, CancellationToken cancellationToken)
    {
        await store.CopyToAsync(_output, cancellationToken);
        _position += store.Length;
    }

    private async ValueTask EmitAsync(ByteBuffer buffer, CancellationToken cancellationToken)
    {
        await _output.WriteAsync(buffer.WrittenMemory, cancellationToken);
        _position += buffer.Length;
    }

    private void Check(TableBuffer rows)
    {
        if (rows.Columns.Length != _columns.Length)
        {
            throw new ArgumentException($"table {_schema.Name} has {_columns.Length} columns, the rows have {rows.Columns.Length}", nameof(rows));
        }

        foreach (var column in rows.Columns)
        {
            var count = column.Leaf.MaxRepetition == 0 ? column.EntryCount : column.RepetitionLevels.Count((byte)0);
            if (count != rows.RowCount)
            {
                throw new ArgumentException(
                    $"column {column.Leaf.DottedPath} of table {_schema.Name} has {count} rows of {rows.RowCount}", nameof(rows));
            }
        }
    }

    private void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        if (_broken)
        {
            throw new InvalidOperationException($"writing the file of table {_schema.Name} failed before; begin another one");
        }
    }
}
