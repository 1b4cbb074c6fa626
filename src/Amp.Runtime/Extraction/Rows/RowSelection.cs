namespace Amp.Extraction.Rows;

/// <summary>Which rows of a table or file are wanted, and which of their columns.</summary>
public sealed record RowSelection
{
    private readonly IReadOnlyList<AmpBlockRange> _blocks = [];

    /// <summary>Rows of these blocks, in any order; they may overlap. Empty for all.</summary>
    public IReadOnlyList<AmpBlockRange> Blocks
    {
        get => _blocks;
        init => _blocks = Join(value);
    }

    /// <summary>Which columns.</summary>
    public Predicate<string> IsWanted { get; init; } = static _ => true;

    /// <summary>Columns that must be there, in any case of letters.</summary>
    public IReadOnlyList<string> RequiredColumns { get; init; } = [];

    /// <summary>How many rows at most.</summary>
    public long First { get; init; } = long.MaxValue;

    /// <summary>Only so many rows at the end; not together with <see cref="Blocks"/>. Null for all.</summary>
    public long? Last { get; init; }

    /// <summary>Whether rows of some blocks can be wanted.</summary>
    /// <param name="startBlock">First block.</param>
    /// <param name="endBlock">Last block.</param>
    public bool MayBeIn(ulong startBlock, ulong endBlock) => Blocks.Count == 0 || Blocks.Any(range => range.Overlaps(startBlock, endBlock));

    /// <summary>Says which of the wanted blocks a table does not have; null when it has them all.</summary>
    /// <param name="table">The table.</param>
    public AmpException? FindMissing(AmpTable table)
    {
        AmpBlockRange[] missing = table is { StartBlock: { } start, CurrentBlock: { } end }
            ? [.. Blocks.SelectMany(range => Outside(range, start, end))]
            : [.. Blocks];
        return missing.Length == 0 ? null : NotFound(
            $"{table.Dataset} {table.Table}", table.Dataset, missing, table.StartBlock, table.CurrentBlock, $"Get-AmpTable {table.Dataset} {table.Table} shows how far it reaches.");
    }

    /// <summary>The error for blocks that none of some files has.</summary>
    /// <param name="files">What was read, to show to a user.</param>
    /// <param name="startBlock">First block of the files.</param>
    /// <param name="endBlock">Last block of the files.</param>
    public AmpException NotInFiles(string files, ulong startBlock, ulong endBlock) =>
        NotFound(files, files, Blocks, startBlock, endBlock, "Get-AmpFile shows which file has which blocks.");

    private static AmpException NotFound(
        string what, string target, IReadOnlyList<AmpBlockRange> missing, ulong? start, ulong? end, string action) =>
        new(
            "BlockNotFound", AmpErrorKind.NotFound,
            $"In {what} there are {(start is null ? "no blocks" : $"blocks {start} to {end}")}, and not {string.Join(", ", missing.Take(3))}{(missing.Count > 3 ? " and others" : "")}.")
        {
            Target = target,
            RecommendedAction = action,
        };

    /// <summary>The parts of a range before and behind others. A range without an end, or from 0 on, means what there is.</summary>
    private static List<AmpBlockRange> Outside(AmpBlockRange range, ulong start, ulong end)
    {
        if (!range.Overlaps(start, end))
        {
            return [range];
        }

        var outside = new List<AmpBlockRange>();
        if (range.Start > 0 && range.Start < start)
        {
            outside.Add(new AmpBlockRange(range.Start, start - 1));
        }

        if (range.End > end && range.End < ulong.MaxValue)
        {
            outside.Add(new AmpBlockRange(end + 1, range.End));
        }

        return outside;
    }

    private static List<AmpBlockRange> Join(IReadOnlyList<AmpBlockRange> ranges)
    {
        var joined = new List<AmpBlockRange>();
        foreach (var range in ranges.OrderBy(range => range.Start))
        {
            if (joined.Count > 0 && (joined[^1].End == ulong.MaxValue || range.Start <= joined[^1].End + 1))
            {
                joined[^1] = new AmpBlockRange(joined[^1].Start, Math.Max(joined[^1].End, range.End));
            }
            else
            {
                joined.Add(range);
            }
        }

        return joined;
    }
}
