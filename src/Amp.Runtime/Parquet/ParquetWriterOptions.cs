namespace Amp.Parquet;

/// <summary>How a Parquet file is written.</summary>
internal sealed record ParquetWriterOptions
{
    /// <summary>Compression of pages.</summary>
    public ParquetCodec Codec { get; init; } = ParquetCodec.Zstd;

    /// <summary>Level of the compression: zstd 1 to 22, gzip 0 to 9, brotli 0 to 11; without meaning for the others.</summary>
    public int CompressionLevel { get; init; } = 1;

    /// <summary>Encoded bytes after which a row group is closed; what a writer holds in memory stays near this.</summary>
    public long MaxRowGroupBytes { get; init; } = 512L << 20;

    /// <summary>Rows after which a row group is closed, so that readers can work in parallel and little is held in memory.</summary>
    public int MaxRowGroupRows { get; init; } = 1 << 17;

    /// <summary>Bytes of values and levels after which a page is closed, before encoding.</summary>
    public int DataPageBytes { get; init; } = 1 << 20;

    /// <summary>Rows after which a page is closed, so that the page index skips in useful steps.</summary>
    public int DataPageRows { get; init; } = 20_000;

    /// <summary>Bytes a column's dictionary may grow to in a row group; 0 for no dictionaries.</summary>
    public int DictionaryBytes { get; init; } = 1 << 20;

    /// <summary>Whether columns of hashes and addresses get Bloom filters.</summary>
    public bool BloomFilters { get; init; }

    /// <summary>
    /// Columns that the rows are expected to be sorted by, ascending. A column outside of lists of type UInt64 that
    /// turns out sorted in a row group is declared so in the footer; others are left out.
    /// </summary>
    public IReadOnlyList<string> SortingColumns { get; init; } = ["_block_num", "block_num"];
}
