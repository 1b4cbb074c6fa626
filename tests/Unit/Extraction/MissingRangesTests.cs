namespace Amp.Extraction;

public class MissingRangesTests
{
    [Fact]
    public void Plan_WhenAllTablesLackARange_FetchesItOnce()
    {
        var plan = MissingRanges.Plan(Missing(("blocks", [new(5, 20)]), ("logs", [new(5, 20)])));

        var only = Assert.Single(plan);
        Assert.Equal(new BlockRange(5, 20), only.Blocks);
        Assert.Equal(["blocks", "logs"], only.Tables);
    }

    [Fact]
    public void Plan_WhenNothingIsMissing_IsEmpty() => Assert.Empty(MissingRanges.Plan(Missing(("blocks", []))));

    [Fact]
    public void Plan_AcrossAMillion_EndsARangeThere()
    {
        var plan = MissingRanges.Plan(Missing(("blocks", [new(999_998, 2_000_001)])));

        Assert.Equal(
            [new(999_998, 999_999), new(1_000_000, 1_999_999), new BlockRange(2_000_000, 2_000_001)],
            plan.Select(range => range.Blocks));
    }

    [Fact]
    public void Plan_WhenOneTableLacksMore_FetchesThatForItAlone()
    {
        var plan = MissingRanges.Plan(Missing(("blocks", [new(21, 30)]), ("logs", [new(10, 30)])));

        Assert.Equal(2, plan.Count);
        Assert.Equal(new BlockRange(10, 20), plan[0].Blocks);
        Assert.Equal(["logs"], plan[0].Tables);
        Assert.Equal(new BlockRange(21, 30), plan[1].Blocks);
        Assert.Equal(["blocks", "logs"], plan[1].Tables);
    }

    [Fact]
    public void Plan_ForRandomRanges_IsExactlyWhatEachTableLacks()
    {
        var random = new Random(20260115);
        for (var round = 0; round < 500; round++)
        {
            var missing = new Dictionary<string, IReadOnlyList<BlockRange>>();
            foreach (var table in new[] { "blocks", "transactions", "logs" })
            {
                missing[table] = [.. Enumerable.Range(0, random.Next(4)).Select(_ =>
                {
                    var start = (ulong)random.Next(0, 60) + 999_980;
                    return new BlockRange(start, start + (ulong)random.Next(0, 12));
                })];
            }

            var plan = MissingRanges.Plan(missing);

            foreach (var (table, ranges) in missing)
            {
                for (var block = 999_975UL; block <= 1_000_060; block++)
                {
                    var lacks = ranges.Any(range => range.Start <= block && block <= range.End);
                    var planned = plan.Count(r => r.Tables.Contains(table) && r.Blocks.Start <= block && block <= r.Blocks.End);
                    Assert.Equal(lacks ? 1 : 0, planned);
                }
            }

            Assert.All(plan, r => Assert.Equal(r.Blocks.Start / 1_000_000, r.Blocks.End / 1_000_000));
            Assert.Equal(plan.OrderBy(r => r.Blocks.Start).Select(r => r.Blocks), plan.Select(r => r.Blocks));
        }
    }

    private static Dictionary<string, IReadOnlyList<BlockRange>> Missing(
        params (string Table, BlockRange[] Ranges)[] tables) =>
        tables.ToDictionary(table => table.Table, table => (IReadOnlyList<BlockRange>)table.Ranges);
}
