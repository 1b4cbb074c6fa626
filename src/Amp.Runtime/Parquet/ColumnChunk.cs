namespace Amp.Parquet;

/// <summary>A data page as the page index describes it.</summary>
/// <param name="Offset">Where it begins, header included: in the chunk's data pages, later in the file.</param>
/// <param name="CompressedSize">Bytes it takes in the file, header included.</param>
/// <param name="FirstRow">Number of its first row in the row group.</param>
/// <param name="NullCount">Entries without a value.</param>
/// <param name="Bounds">Smallest and largest value, shortened; null when there are none.</param>
internal readonly record struct PageInfo(long Offset, int CompressedSize, long FirstRow, long NullCount, ValueBounds Bounds);

/// <summary>A written column chunk as the footer describes it. Offsets are the file's.</summary>
internal sealed record ColumnChunkInfo
{
    public required LeafColumn Leaf { get; init; }

    public required ValueOrder Order { get; init; }

    /// <summary>Values, nulls and empty lists.</summary>
    public required long EntryCount { get; init; }

    /// <summary>Size before compression, page headers included.</summary>
    public required long UncompressedSize { get; init; }

    /// <summary>Size in the file, page headers included.</summary>
    public required long CompressedSize { get; init; }

    /// <summary>Where the dictionary page begins; null without a dictionary.</summary>
    public required long? DictionaryOffset { get; init; }

    /// <summary>Where the first data page begins.</summary>
    public required long DataOffset { get; init; }

    /// <summary>Number of data pages of each encoding.</summary>
    public required IReadOnlyList<(PageEncoding Encoding, int Count)> DataPageEncodings { get; init; }

    /// <summary>Smallest and largest value, shortened.</summary>
    public required ValueBounds Bounds { get; init; }

    /// <summary>Whether the bounds are values of the column rather than shortened ones.</summary>
    public required (bool Min, bool Max) BoundsExact { get; init; }

    /// <summary>Entries without a value.</summary>
    public required long NullCount { get; init; }

    /// <summary>The data pages, in order.</summary>
    public required IReadOnlyList<PageInfo> Pages { get; init; }

    /// <summary>Whether values never fall from row to row; only known of columns that were watched.</summary>
    public required bool IsSorted { get; init; }

    /// <summary>Where the Bloom filter is and how long; null without one.</summary>
    public (long Offset, int Length)? BloomFilter { get; init; }
}

/// <summary>A written row group as the footer describes it.</summary>
internal sealed record RowGroupInfo(long RowCount, long Offset, IReadOnlyList<ColumnChunkInfo> Columns)
{
    /// <summary>Size in the file, Bloom filters and indexes not included.</summary>
    public long CompressedSize => Columns.Sum(column => column.CompressedSize);

    /// <summary>Size before compression.</summary>
    public long UncompressedSize => Columns.Sum(column => column.UncompressedSize);
}
