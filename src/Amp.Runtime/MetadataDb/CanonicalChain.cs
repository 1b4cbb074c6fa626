using Amp.Extraction;

namespace Amp.MetadataDb;

/// <summary>
/// Which segments of a table hold its rows, by ampd's rule, so that both read the same rows from the same files: from
/// the earliest block on, each time the newest segment whose previous hash is the hash of the one before.
/// Pure; the order of the input does not matter.
/// </summary>
internal sealed class CanonicalChain
{
    private CanonicalChain(IReadOnlyList<Segment> canonical, IReadOnlyList<Segment> orphaned, IReadOnlyList<Segment> fork)
    {
        Canonical = canonical;
        Orphaned = orphaned;
        Fork = fork;
    }

    /// <summary>The segments that readers read, in order of blocks; each links to the next.</summary>
    public IReadOnlyList<Segment> Canonical { get; }

    /// <summary>All others: replaced, on another branch, or beyond a gap.</summary>
    public IReadOnlyList<Segment> Orphaned { get; }

    /// <summary>
    /// A linked run of orphaned segments that reaches higher than the canonical chain and touches or overlaps it: the sign
    /// of a reorg. Empty when there is none.
    /// </summary>
    public IReadOnlyList<Segment> Fork { get; }

    /// <summary>First to last canonical block; null when there is none.</summary>
    public BlockRange? Range => Canonical.Count == 0 ? null : new BlockRange(Canonical[0].Start, Canonical[^1].End);

    /// <summary>Total size of the canonical segments in bytes.</summary>
    public long TotalSize => Canonical.Sum(s => s.Size);

    /// <summary>Finds the canonical chain.</summary>
    public static CanonicalChain Build(IEnumerable<Segment> segments)
    {
        var canonical = new List<Segment>();
        var orphaned = new List<Segment>();
        var ordered = segments.OrderBy(s => s.Start).ThenByDescending(s => s.CreatedAt).ThenByDescending(s => s.FileId);
        foreach (var segment in ordered)
        {
            var fits = canonical.Count == 0 || canonical[^1].IsFollowedBy(segment);
            (fits ? canonical : orphaned).Add(segment);
        }

        return new CanonicalChain(canonical, orphaned, FindFork(canonical, orphaned));
    }

    /// <summary>
    /// Blocks of a range that have to be fetched: those no segment covers, and, after a reorg, the canonical segment at
    /// the fork's foot, whose blocks up to the fork were replaced. Ordered, without overlaps.
    /// </summary>
    public IReadOnlyList<BlockRange> MissingRanges(BlockRange desired)
    {
        var missing = new List<BlockRange>();
        ulong? next = desired.Start;
        foreach (var segment in Canonical.Concat(Orphaned).OrderBy(s => s.Start))
        {
            if (next is not { } from || segment.Start > desired.End)
            {
                break;
            }

            if (segment.Start > from)
            {
                missing.Add(new BlockRange(from, segment.Start - 1));
            }

            if (segment.End >= from)
            {
                next = segment.End == ulong.MaxValue ? null : segment.End + 1;
            }
        }

        if (next is { } rest && rest <= desired.End)
        {
            missing.Add(new BlockRange(rest, desired.End));
        }

        if (ReplacedRange() is { } replaced && replaced.Start <= desired.End && replaced.End >= desired.Start)
        {
            missing.Add(new BlockRange(Math.Max(replaced.Start, desired.Start), Math.Min(replaced.End, desired.End)));
        }

        return Merge(missing);
    }

    private BlockRange? ReplacedRange()
    {
        if (Fork.Count == 0 || Fork[0].Start == 0)
        {
            return null;
        }

        var last = Fork[0].Start - 1;
        var segment = Canonical.LastOrDefault(s => s.Start <= last && last <= s.End);
        return segment is null ? null : new BlockRange(segment.Start, last);
    }

    private static List<Segment> FindFork(List<Segment> canonical, List<Segment> orphaned)
    {
        if (orphaned.Count == 0)
        {
            return [];
        }

        var end = canonical[^1].End;
        var byHash = orphaned.OrderByDescending(s => s.End).ThenByDescending(s => s.CreatedAt).ThenByDescending(s => s.FileId)
            .ToLookup(s => (s.Network, s.Hash.ToLowerInvariant()));
        var canonicalEnds = canonical.Select(s => (s.End, s.Hash.ToLowerInvariant())).ToHashSet();
        foreach (var tip in orphaned.Where(s => s.End > end)
            .OrderByDescending(s => s.End).ThenByDescending(s => s.CreatedAt).ThenByDescending(s => s.FileId))
        {
            var fork = new List<Segment> { tip };
            while (byHash[(fork[^1].Network, fork[^1].PrevHash.ToLowerInvariant())].FirstOrDefault(s => s.IsFollowedBy(fork[^1])) is { } before
                && !canonicalEnds.Contains((before.End, before.Hash.ToLowerInvariant())))
            {
                fork.Add(before);
            }

            if (fork[^1].Start - 1 <= end || fork[^1].Start == 0)
            {
                fork.Reverse();
                return fork;
            }
        }

        return [];
    }

    private static List<BlockRange> Merge(List<BlockRange> ranges)
    {
        var merged = new List<BlockRange>();
        foreach (var range in ranges.OrderBy(r => r.Start))
        {
            if (merged.Count > 0 && (range.Start == 0 || range.Start - 1 <= merged[^1].End))
            {
                merged[^1] = new BlockRange(merged[^1].Start, Math.Max(merged[^1].End, range.End));
            }
            else
            {
                merged.Add(range);
            }
        }

        return merged;
    }
}
