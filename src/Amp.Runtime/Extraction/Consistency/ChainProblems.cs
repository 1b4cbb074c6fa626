using Amp.MetadataDb;

namespace Amp.Extraction.Consistency;

/// <summary>What is wrong with a table's segments as rows, whatever is on disk. Pure.</summary>
internal static class ChainProblems
{
    /// <summary>
    /// Walks the segments from the table's first block on: where readers cannot go on though there are blocks behind, it says
    /// why, and goes on there. Segments that a newer one replaced are as they should be, also where they reach further: the
    /// chain became shorter.
    /// </summary>
    /// <param name="chain">The segments.</param>
    /// <param name="startBlock">Block that the table begins with.</param>
    public static IEnumerable<AmpTableProblem> Find(CanonicalChain chain, ulong startBlock)
    {
        if (chain.Range is not { } range)
        {
            yield break;
        }

        if (range.Start > startBlock)
        {
            yield return Gap(startBlock, range.Start - 1);
        }

        var last = chain.Canonical[^1];
        foreach (var segment in CanonicalChain.Order(chain.Orphaned.Where(segment => segment.End > range.End)))
        {
            var isReplaced = segment.Start <= last.End && segment.CreatedAt <= last.CreatedAt;
            if (isReplaced || segment.End <= last.End)
            {
                continue;
            }

            if (!last.IsFollowedBy(segment))
            {
                yield return segment.Start > last.End + 1 ? Gap(last.End + 1, segment.Start - 1)
                    : segment.Start == last.End + 1 ? BrokenLink(last, segment)
                    : Overlap(last, segment);
            }

            last = segment;
        }
    }

    private static AmpTableProblem Gap(ulong start, ulong end) => new()
    {
        Kind = AmpTableProblemKind.Gap,
        StartBlock = start,
        EndBlock = end,
        Message = start == end ? $"Block {start} is missing." : $"Blocks {start} to {end} are missing.",
    };

    private static AmpTableProblem BrokenLink(Segment before, Segment segment) => new()
    {
        Kind = AmpTableProblemKind.BrokenLink,
        File = segment.FileName,
        FileId = segment.FileId,
        StartBlock = segment.Start,
        EndBlock = segment.End,
        Message = $"Block {segment.Start} has the parent {segment.PrevHash}, but block {before.End} in {before.FileName} is {before.Hash}.",
    };

    private static AmpTableProblem Overlap(Segment before, Segment segment) => new()
    {
        Kind = AmpTableProblemKind.Overlap,
        File = segment.FileName,
        FileId = segment.FileId,
        StartBlock = segment.Start,
        EndBlock = before.End,
        Message = $"Blocks {segment.Start} to {before.End} are in {before.FileName} too.",
    };
}
