using Amp.MetadataDb;

namespace Amp.Extraction;

/// <summary>What of a table's segments belongs to the chain as the source has it now.</summary>
/// <param name="Covered">Blocks that need not be fetched, in rising order.</param>
/// <param name="Beyond">
/// Canonical segments that a reorg orphaned and that begin after the chain's head: nothing can replace them until the chain
/// has grown, so their rows have to go.
/// </param>
internal sealed record ReviewedTable(IReadOnlyList<BlockRange> Covered, IReadOnlyList<Segment> Beyond);

/// <summary>
/// Holds committed segments against the chain. A segment's blocks are linked by parent hashes, and so are the segments of
/// the canonical chain: one look at the last block's hash speaks for all before it. Remembers what it has asked, so make one
/// for each look at the chain.
/// </summary>
internal sealed class ChainReview(IBlockSource source, ulong head)
{
    private readonly Dictionary<ulong, Hash32?> _hashes = [];

    /// <summary>Reviews the segments of one table.</summary>
    public async Task<ReviewedTable> ReviewAsync(IReadOnlyCollection<Segment> segments, CancellationToken cancellationToken)
    {
        var chain = CanonicalChain.Build(segments);
        var valid = await CountValidAsync(chain.Canonical, cancellationToken);
        var covered = chain.Canonical.Take(valid).Select(Blocks).ToList();
        if (valid < chain.Canonical.Count)
        {
            // A reorg. What is written from the first invalid segment's start on is newer than all that is there, and so
            // takes its place by the readers' rule; nothing behind it counts, even if it is on the chain (again).
            return new ReviewedTable(covered, [.. chain.Canonical.Skip(valid).Where(segment => segment.Start > head)]);
        }

        // Segments behind a gap become canonical when the gap is filled, if they are on the chain.
        var end = covered.Count == 0 ? (ulong?)null : covered[^1].End;
        foreach (var segment in chain.Orphaned.OrderBy(s => s.Start).ThenByDescending(s => s.CreatedAt).ThenByDescending(s => s.FileId))
        {
            if ((end is null || segment.Start > end) && await IsOnChainAsync(segment, cancellationToken))
            {
                covered.Add(Blocks(segment));
                end = segment.End;
            }
        }

        return new ReviewedTable(covered, []);
    }

    /// <summary>The blocks of <paramref name="wanted"/> that <paramref name="covered"/>, in rising order, leaves out.</summary>
    public static IReadOnlyList<BlockRange> Missing(BlockRange wanted, IReadOnlyList<BlockRange> covered)
    {
        var missing = new List<BlockRange>();
        var next = wanted.Start;
        foreach (var range in covered)
        {
            if (range.Start > wanted.End)
            {
                break;
            }

            if (range.Start > next)
            {
                missing.Add(new BlockRange(next, range.Start - 1));
            }

            next = Math.Max(next, range.End + 1);
        }

        if (next <= wanted.End)
        {
            missing.Add(new BlockRange(next, wanted.End));
        }

        return missing;
    }

    private static BlockRange Blocks(Segment segment) => new(segment.Start, segment.End);

    /// <summary>How many of the canonical segments are on the chain; those are the first ones, so halving finds the number.</summary>
    private async Task<int> CountValidAsync(IReadOnlyList<Segment> canonical, CancellationToken cancellationToken)
    {
        if (canonical.Count == 0 || await IsOnChainAsync(canonical[^1], cancellationToken))
        {
            return canonical.Count;
        }

        var (valid, invalid) = (0, canonical.Count - 1);
        while (valid < invalid)
        {
            var middle = valid + ((invalid - valid) / 2);
            if (await IsOnChainAsync(canonical[middle], cancellationToken))
            {
                valid = middle + 1;
            }
            else
            {
                invalid = middle;
            }
        }

        return valid;
    }

    private async Task<bool> IsOnChainAsync(Segment segment, CancellationToken cancellationToken)
    {
        if (segment.End > head)
        {
            return false;
        }

        if (!_hashes.TryGetValue(segment.End, out var hash))
        {
            hash = (await source.GetLinkAsync(segment.End, cancellationToken))?.Hash;
            _hashes.Add(segment.End, hash);
        }

        return hash == Hash32.Parse(segment.Hash);
    }
}
