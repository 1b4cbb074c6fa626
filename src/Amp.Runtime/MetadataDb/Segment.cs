namespace Amp.MetadataDb;

/// <summary>One file of a table, as far as its place in the chain needs it.</summary>
/// <param name="FileId">Number of its row in <c>file_metadata</c>.</param>
/// <param name="FileName">File name.</param>
/// <param name="Start">First block.</param>
/// <param name="End">Last block.</param>
/// <param name="Network">Network.</param>
/// <param name="Hash">Hash of the last block, <c>0x…</c>.</param>
/// <param name="PrevHash">Hash of the block before the first, <c>0x…</c>; zeros at the start of a chain.</param>
/// <param name="CreatedAt">When it was written: of two segments that fit, the newer one is canonical.</param>
/// <param name="Size">Size in bytes.</param>
internal sealed record Segment(
    long FileId, string FileName, ulong Start, ulong End, string Network, string Hash, string PrevHash,
    DateTimeOffset CreatedAt, long Size)
{
    /// <summary>Whether <paramref name="next"/> links to this one: by hash; numbers may have a gap on chains that skip blocks.</summary>
    public bool IsFollowedBy(Segment next) =>
        End < next.Start && Network == next.Network && Hash.Equals(next.PrevHash, StringComparison.OrdinalIgnoreCase);
}
