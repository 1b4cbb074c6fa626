namespace Amp.Extraction;

/// <summary>Blocks that some tables lack.</summary>
/// <param name="Blocks">The blocks; never across a multiple of <see cref="MissingRanges.FileBoundary"/>.</param>
/// <param name="Tables">Names of the tables that lack all of them.</param>
internal sealed record MissingRange(BlockRange Blocks, IReadOnlyList<string> Tables);

/// <summary>Works out what a job has to fetch, and for which tables.</summary>
internal static class MissingRanges
{
    /// <summary>No file spans a multiple of this block number.</summary>
    public const ulong FileBoundary = 1_000_000;

    /// <summary>
    /// Joins what each table lacks into ranges that are fetched once for all tables that lack them, in rising order.
    /// </summary>
    /// <param name="missing">For each table, the ranges it lacks, in any order; they may touch or overlap.</param>
    public static IReadOnlyList<MissingRange> Plan(IReadOnlyDictionary<string, IReadOnlyList<BlockRange>> missing)
    {
        // Between two neighbouring edges a table lacks all blocks or none.
        var edges = new SortedSet<ulong>(missing.Values.SelectMany(ranges => ranges).SelectMany(r => new[] { r.Start, r.End + 1 }));
        var plan = new List<MissingRange>();
        foreach (var (start, next) in edges.Zip(edges.Skip(1)))
        {
            string[] lacking =
                [.. missing.Where(table => table.Value.Any(r => r.Start <= start && r.End >= next - 1)).Select(table => table.Key)];
            if (lacking.Length > 0)
            {
                Add(plan, new BlockRange(start, next - 1), lacking);
            }
        }

        return plan;
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
