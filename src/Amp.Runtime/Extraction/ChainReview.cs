using Amp.MetadataDb;

namespace Amp.Extraction;

/// <summary>What of a table's segments belongs to the chain as the source has it now.</summary>
/// <param name="Covered">Segments whose blocks need not be fetched, in rising order.</param>
/// <param name="Beyond">
/// Segments that begin after the chain's head: a reorg orphaned them, and nothing can replace them until the chain has
/// grown, so their rows have to go.
/// </param>
internal sealed record ReviewedTable(IReadOnlyList<Segment> Covered, IReadOnlyList<Segment> Beyond);

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
        if (chain.Canonical is not [.., var last])
        {
            return new ReviewedTable([], []);
        }

        Segment[] beyond = [.. segments.Where(segment => segment.Start > head)];
        var valid = await CountValidAsync(chain.Canonical, cancellationToken);
        var covered = chain.Canonical.Take(valid).ToList();
        if (valid < chain.Canonical.Count)
        {
            // A reorg. What is written from the first invalid segment's start on is newer than all that is there, and so
            // takes its place by the readers' rule; nothing behind it counts, even if it is on the chain (again).
            return new ReviewedTable(covered, beyond);
        }

        // Segments behind a gap become canonical when the gap is filled, if they are on the chain and linked to each other.
        foreach (var segment in CanonicalChain.Order(chain.Orphaned))
        {
            var fits = last.End + 1 == segment.Start ? last.IsFollowedBy(segment) : last.End < segment.Start;
            if (fits && await IsOnChainAsync(segment, cancellationToken))
            {
                covered.Add(segment);
                last = segment;
            }
        }

        return new ReviewedTable(covered, beyond);
    }

    /// <summary>The blocks of <paramref name="wanted"/> that <paramref name="covered"/>, in rising order, leaves out.</summary>
    public static IReadOnlyList<BlockRange> Missing(BlockRange wanted, IReadOnlyList<Segment> covered)
    {
        var missing = new List<BlockRange>();
        var next = wanted.Start;
        foreach (var segment in covered)
        {
            if (segment.Start > wanted.End)
            {
                break;
            }

            if (segment.Start > next)
            {
                missing.Add(new BlockRange(next, segment.Start - 1));
            }

            next = Math.Max(next, segment.End + 1);
        }

        if (next <= wanted.End)
        {
            missing.Add(new BlockRange(next, wanted.End));
        }

        return missing;
    }

    /// <summary>How many of the canonical segments are on the chain; those are the first ones, so halving finds the number.</summary>
    private async Task<int> CountValidAsync(IReadOnlyList<Segment> canonical, CancellationToken cancellationToken)
    {
        if (await IsOnChainAsync(canonical[^1], cancellationToken))
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
