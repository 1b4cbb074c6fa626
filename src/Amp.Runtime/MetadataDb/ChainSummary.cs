using Amp.Extraction;

namespace Amp.MetadataDb;

/// <summary>How far the files of a table have come.</summary>
/// <param name="Range">First to last canonical block; null when there is none.</param>
/// <param name="BlocksCount">Number of blocks in the canonical files and in those behind a gap.</param>
/// <param name="FilesCount">Number of canonical files.</param>
/// <param name="TotalSize">Total size of the canonical files in bytes.</param>
internal sealed record ChainSummary(BlockRange? Range, ulong BlocksCount, long FilesCount, long TotalSize)
{
    /// <summary>A table without files.</summary>
    public static readonly ChainSummary Empty = new(null, 0, 0, 0);

    /// <summary>A table all of whose files are canonical.</summary>
    public static ChainSummary OfLinked(BlockRange range, long filesCount, long totalSize) => new(range, range.Count, filesCount, totalSize);

    /// <summary>A table with the files of a chain and some beside it.</summary>
    public static ChainSummary Of(CanonicalChain chain) => new(chain.Range, chain.CountBlocks(), chain.Canonical.Count, chain.TotalSize);
}
