namespace Amp.Extraction;

/// <summary>Blocks that some tables lack.</summary>
/// <param name="Blocks">The blocks; never across a multiple of <see cref="MissingRanges.FileBoundary"/>.</param>
/// <param name="Tables">Names of the tables that lack all of them.</param>
internal sealed record MissingRange(BlockRange Blocks, IReadOnlyList<string> Tables);

/// <summary>Works out what a job still has to fetch.</summary>
internal static class MissingRanges
{
    /// <summary>No file spans a multiple of this block number.</summary>
    public const ulong FileBoundary = 1_000_000;

    /// <summary>
    /// The blocks of <paramref name="wanted"/> that are in no file, per set of tables that lack them, in rising order.
    /// </summary>
    /// <param name="wanted">Range of the job.</param>
    /// <param name="covered">For each table, the ranges of its canonical files, in any order; they may touch or overlap.</param>
    public static IReadOnlyList<MissingRange> Plan(
        BlockRange wanted, IReadOnlyDictionary<string, IReadOnlyList<BlockRange>> covered)
    {
        // Between two neighbouring edges every table has all blocks or none.
        var edges = new SortedSet<ulong> { wanted.Start };
        foreach (var range in covered.Values.SelectMany(ranges => ranges))
        {
            AddEdge(range.Start);
            if (range.End < wanted.End)
            {
                AddEdge(range.End + 1);
            }
        }

        var starts = edges.ToArray();
        var plan = new List<MissingRange>();
        for (var i = 0; i < starts.Length; i++)
        {
            var end = i + 1 < starts.Length ? starts[i + 1] - 1 : wanted.End;
            string[] lacking =
                [.. covered.Where(table => !table.Value.Any(r => r.Start <= starts[i] && r.End >= end)).Select(table => table.Key)];
            if (lacking.Length > 0)
            {
                Add(plan, new BlockRange(starts[i], end), lacking);
            }
        }

        return plan;

        void AddEdge(ulong block)
        {
            if (block >= wanted.Start && block <= wanted.End)
            {
                edges.Add(block);
            }
        }
    }

    private static void Add(List<MissingRange> plan, BlockRange blocks, string[] tables)
    {
        if (plan.LastOrDefault() is { } last
            && last.Blocks.End + 1 == blocks.Start
            && blocks.Start % FileBoundary != 0
            && last.Tables.SequenceEqual(tables))
        {
            plan.RemoveAt(plan.Count - 1);
            blocks = blocks with { Start = last.Blocks.Start };
        }

        while (blocks.Start / FileBoundary != blocks.End / FileBoundary)
        {
            var end = (((blocks.Start / FileBoundary) + 1) * FileBoundary) - 1;
            plan.Add(new MissingRange(new BlockRange(blocks.Start, end), tables));
            blocks = blocks with { Start = end + 1 };
        }

        plan.Add(new MissingRange(blocks, tables));
    }
}
