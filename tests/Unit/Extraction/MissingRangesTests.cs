namespace Amp.Extraction;

public class MissingRangesTests
{
    [Fact]
    public void Plan_WhenNothingIsCovered_IsTheWholeRangeForAllTables()
    {
        var plan = MissingRanges.Plan(new BlockRange(5, 20), Covered(("blocks", []), ("logs", [])));

        var only = Assert.Single(plan);
        Assert.Equal(new BlockRange(5, 20), only.Blocks);
        Assert.Equal(["blocks", "logs"], only.Tables);
    }

    [Fact]
    public void Plan_WhenEverythingIsCovered_IsEmpty() =>
        Assert.Empty(MissingRanges.Plan(new BlockRange(5, 20), Covered(("blocks", [new(0, 9), new(10, 20)]))));

    [Fact]
    public void Plan_AcrossAMillion_EndsARangeThere()
    {
        var plan = MissingRanges.Plan(new BlockRange(999_998, 2_000_001), Covered(("blocks", [])));

        Assert.Equal(
            [new(999_998, 999_999), new(1_000_000, 1_999_999), new BlockRange(2_000_000, 2_000_001)],
            plan.Select(range => range.Blocks));
    }

    [Fact]
    public void Plan_WhenOneTableIsBehind_FetchesTheRestForItAlone()
    {
        var plan = MissingRanges.Plan(
            new BlockRange(0, 30), Covered(("blocks", [new(0, 20)]), ("logs", [new(0, 9)])));

        Assert.Equal(2, plan.Count);
        Assert.Equal(new BlockRange(10, 20), plan[0].Blocks);
        Assert.Equal(["logs"], plan[0].Tables);
        Assert.Equal(new BlockRange(21, 30), plan[1].Blocks);
        Assert.Equal(["blocks", "logs"], plan[1].Tables);
    }

    [Fact]
    public void Plan_ForRandomFiles_IsExactlyWhatEachTableLacks()
    {
        var random = new Random(20260115);
        for (var round = 0; round < 500; round++)
        {
            var wanted = new BlockRange((ulong)random.Next(0, 30) + 999_980, (ulong)random.Next(30, 60) + 999_980);
            var covered = new Dictionary<string, IReadOnlyList<BlockRange>>();
            foreach (var table in new[] { "blocks", "transactions", "logs" })
            {
                covered[table] = [.. Enumerable.Range(0, random.Next(4)).Select(_ =>
                {
                    var start = (ulong)random.Next(0, 60) + 999_980;
                    return new BlockRange(start, start + (ulong)random.Next(0, 12));
                })];
            }

            var plan = MissingRanges.Plan(wanted, covered);

            foreach (var (table, files) in covered)
            {
                for (var block = wanted.Start; block <= wanted.End; block++)
                {
                    var inFiles = files.Any(file => file.Start <= block && block <= file.End);
                    var planned = plan.Count(r => r.Tables.Contains(table) && r.Blocks.Start <= block && block <= r.Blocks.End);
                    Assert.Equal(inFiles ? 0 : 1, planned);
                }
            }

            Assert.All(plan, r => Assert.Equal(r.Blocks.Start / 1_000_000, r.Blocks.End / 1_000_000));
            Assert.Equal(plan.OrderBy(r => r.Blocks.Start).Select(r => r.Blocks), plan.Select(r => r.Blocks));
        }
    }

    private static Dictionary<string, IReadOnlyList<BlockRange>> Covered(
        params (string Table, BlockRange[] Files)[] tables) =>
        tables.ToDictionary(table => table.Table, table => (IReadOnlyList<BlockRange>)table.Files);
}
