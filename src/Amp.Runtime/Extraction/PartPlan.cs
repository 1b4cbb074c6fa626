namespace Amp.Extraction;

/// <summary>Divides what a job has to fetch into parts for several workers.</summary>
internal static class PartPlan
{
    /// <summary>Fewer blocks than this are not worth a part of their own.</summary>
    public const ulong MinBlocks = 2_000;

    /// <summary>Parts for each worker: enough that a slow one does not keep the others waiting for long.</summary>
    private const ulong PartsPerWorker = 4;

    /// <summary>Parts of about equal size, in rising order; none when the blocks are too few to share. Short ranges are left out.</summary>
    /// <param name="missing">What is to be fetched, in rising order.</param>
    /// <param name="taken">Blocks that parts of before are fetching.</param>
    /// <param name="workers">How many workers there may be; 2 or more.</param>
    public static IReadOnlyList<BlockRange> Divide(IEnumerable<BlockRange> missing, IEnumerable<BlockRange> taken, int workers)
    {
        var free = Join(missing).SelectMany(range => Without(range, taken.OrderBy(part => part.Start))).Where(range => range.Count >= MinBlocks).ToArray();
        var total = free.Aggregate(0UL, (sum, range) => sum + range.Count);
        var size = Math.Max(MinBlocks, total / ((ulong)workers * PartsPerWorker));
        BlockRange[] parts = [.. free.SelectMany(range => Cut(range, Math.Max(1, range.Count / size)))];
        return parts.Length > 1 || taken.Any() ? parts : [];
    }

    private static IEnumerable<BlockRange> Join(IEnumerable<BlockRange> ranges)
    {
        BlockRange? open = null;
        foreach (var range in ranges)
        {
            if (open is { } before && before.End + 1 == range.Start)
            {
                open = before with { End = range.End };
                continue;
            }

            if (open is { } done)
            {
                yield return done;
            }

            open = range;
        }

        if (open is { } last)
        {
            yield return last;
        }
    }

    private static IEnumerable<BlockRange> Without(BlockRange range, IEnumerable<BlockRange> taken)
    {
        var next = range.Start;
        foreach (var other in taken.Where(other => other.End >= range.Start && other.Start <= range.End))
        {
            if (other.Start > next)
            {
                yield return new BlockRange(next, other.Start - 1);
            }

            next = Math.Max(next, other.End + 1);
        }

        if (next <= range.End)
        {
            yield return range with { Start = next };
        }
    }

    private static IEnumerable<BlockRange> Cut(BlockRange range, ulong pieces)
    {
        for (ulong i = 0; i < pieces; i++)
        {
            yield return new BlockRange(range.Start + (range.Count * i / pieces), range.Start + (range.Count * (i + 1) / pieces) - 1);
        }
    }
}
