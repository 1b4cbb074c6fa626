using Amp.Extraction;

namespace Amp.MetadataDb;

/// <summary>
/// Which segments of a table hold its rows, by ampd's rule, so that both read the same rows from the same files: from
/// the earliest block on, each time the newest segment whose previous hash is the hash of the one before.
/// Pure; the order of the input does not matter.
/// </summary>
internal sealed class CanonicalChain
{
    private CanonicalChain(IReadOnlyList<Segment> canonical, IReadOnlyList<Segment> orphaned)
    {
        Canonical = canonical;
        Orphaned = orphaned;
    }

    /// <summary>The segments that readers read, in order of blocks; each links to the next.</summary>
    public IReadOnlyList<Segment> Canonical { get; }

    /// <summary>All others: replaced, on another branch, or beyond a gap.</summary>
    public IReadOnlyList<Segment> Orphaned { get; }

    /// <summary>First to last canonical block; null when there is none.</summary>
    public BlockRange? Range => Canonical.Count == 0 ? null : new BlockRange(Canonical[0].Start, Canonical[^1].End);

    /// <summary>Total size of the canonical segments in bytes.</summary>
    public long TotalSize => Canonical.Sum(s => s.Size);

    /// <summary>Number of blocks in the canonical segments and in those behind a gap.</summary>
    public ulong CountBlocks()
    {
        var (count, next) = Range is { } range ? (range.Count, range.End + 1) : (0, 0);
        foreach (var segment in Order(Orphaned))
        {
            if (segment.End >= next)
            {
                count += segment.End - Math.Max(segment.Start, next) + 1;
                next = segment.End + 1;
            }
        }

        return count;
    }

    /// <summary>Finds the canonical chain.</summary>
    public static CanonicalChain Build(IEnumerable<Segment> segments)
    {
        var canonical = new List<Segment>();
        var orphaned = new List<Segment>();
        foreach (var segment in Order(segments))
        {
            var fits = canonical.Count == 0 || canonical[^1].IsFollowedBy(segment);
            (fits ? canonical : orphaned).Add(segment);
        }

        return new CanonicalChain(canonical, orphaned);
    }

    /// <summary>The order in which readers try segments: by first block; of those that begin together, the newest first.</summary>
    public static IEnumerable<Segment> Order(IEnumerable<Segment> segments) =>
        segments.OrderBy(s => s.Start).ThenByDescending(s => s.CreatedAt).ThenByDescending(s => s.FileId);
}
