using Amp.Extraction;

namespace Amp.Hosting.Reports;

/// <summary>Which blocks of a range a table has. Pure.</summary>
/// <param name="Range">The blocks it is to have; null when nothing is known of them.</param>
/// <param name="Runs">Blocks it has, in rising order, none touching the next.</param>
/// <param name="IsExact">Whether each block it has is in <paramref name="Runs"/>; false where only the canonical range is known.</param>
internal sealed record Coverage(BlockRange? Range, IReadOnlyList<BlockRange> Runs, bool IsExact)
{
    /// <summary>What lacks before blocks that are there, in rising order.</summary>
    public IReadOnlyList<BlockRange> Gaps
    {
        get
        {
            var gaps = new List<BlockRange>();
            var next = Range?.Start ?? 0;
            foreach (var run in Runs)
            {
                if (run.Start > next)
                {
                    gaps.Add(new BlockRange(next, run.Start - 1));
                }

                next = run.End + 1;
            }

            return gaps;
        }
    }

    /// <summary>What lacks behind the last block that is there; null for nothing.</summary>
    public BlockRange? Rest => Range is not { } range ? null
        : Runs.Count == 0 ? range
        : Runs[^1].End < range.End ? range with { Start = Runs[^1].End + 1 }
        : null;

    /// <summary>
    /// The coverage that files give: the canonical ones are one run, numbers that a chain skips included; behind it the others that begin
    /// after it.
    /// </summary>
    /// <param name="files">The table's files.</param>
    /// <param name="start">First block it is to have; its own first when null.</param>
    /// <param name="end">Last block it is to have; its own last when null.</param>
    public static Coverage Of(IReadOnlyCollection<AmpFile> files, ulong? start, ulong? end)
    {
        var runs = new List<BlockRange>();
        if (files.Any(file => file.IsCanonical))
        {
            var canonical = files.Where(file => file.IsCanonical);
            runs.Add(new BlockRange(canonical.Min(file => file.StartBlock), canonical.Max(file => file.EndBlock)));
        }

        foreach (var file in files.Where(file => !file.IsCanonical).OrderBy(file => file.StartBlock))
        {
            Add(runs, new BlockRange(file.StartBlock, file.EndBlock));
        }

        return Of(runs, start, end, isExact: true);
    }

    /// <summary>The coverage of a table whose files are not known.</summary>
    public static Coverage Of(AmpTable table, ulong? start, ulong? end)
    {
        BlockRange[] runs = table is { StartBlock: { } first, CurrentBlock: { } last } ? [new BlockRange(first, last)] : [];
        return Of(runs, start, end, isExact: table.BlocksCount == runs.Aggregate(0UL, (sum, run) => sum + run.Count));
    }

    /// <summary>How many of the blocks of a range are there.</summary>
    public ulong CountIn(BlockRange range) => Runs
        .Where(run => run.Start <= range.End && run.End >= range.Start)
        .Aggregate(0UL, (sum, run) => sum + Math.Min(run.End, range.End) - Math.Max(run.Start, range.Start) + 1);

    private static Coverage Of(IReadOnlyList<BlockRange> runs, ulong? start, ulong? end, bool isExact)
    {
        var first = runs.Count > 0 ? Math.Min(start ?? ulong.MaxValue, runs[0].Start) : start;
        var last = runs.Count > 0 ? Math.Max(end ?? 0, runs[^1].End) : end;
        return new Coverage(first <= last ? new BlockRange(first.Value, last.Value) : null, runs, isExact);
    }

    private static void Add(List<BlockRange> runs, BlockRange blocks)
    {
        if (runs.Count == 0 || blocks.Start > runs[^1].End + 1)
        {
            runs.Add(blocks);
        }
        else if (blocks.End > runs[^1].End)
        {
            runs[^1] = runs[^1] with { End = blocks.End };
        }
    }
}
