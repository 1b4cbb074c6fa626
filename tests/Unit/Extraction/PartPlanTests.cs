namespace Amp.Extraction;

public class PartPlanTests
{
    [Fact]
    public void Divide_OneRange_GivesFourPartsOfEqualSizeForEachWorker()
    {
        var parts = PartPlan.Divide([new(0, 999_999), new(1_000_000, 1_599_999)], [], workers: 2);

        Assert.Equal(8, parts.Count);
        Assert.All(parts, part => Assert.Equal(200_000UL, part.Count));
        Assert.Equal((0UL, 1_599_999UL), (parts[0].Start, parts[^1].End));
    }

    [Theory]
    [InlineData(1_999, 0)]
    [InlineData(3_999, 0)]
    [InlineData(4_000, 2)]
    [InlineData(9_999, 4)]
    public void Divide_FewBlocks_GivesNoPartOfLessThanTwoThousand(ulong blocks, int parts) =>
        Assert.Equal(parts, PartPlan.Divide([new(7, 7 + blocks - 1)], [], workers: 4).Count);

    [Fact]
    public void Divide_WhatIsTaken_IsLeftOut()
    {
        var parts = PartPlan.Divide([new(0, 19_999)], [new(15_000, 17_999), new(0, 4_999)], workers: 2);

        Assert.Equal([new(5_000, 6_999), new(7_000, 8_999), new(9_000, 10_999), new(11_000, 12_999), new(13_000, 14_999), new BlockRange(18_000, 19_999)], parts);
    }

    [Fact]
    public void Divide_WhateverIsMissing_CoversEachBlockOnce_ButForShortRanges()
    {
        var random = new Random(20261127);
        for (var run = 0; run < 2_000; run++)
        {
            var (missing, taken) = (Ranges(random), Ranges(random));

            var parts = PartPlan.Divide(missing, taken, random.Next(2, 65));

            Assert.All(parts, part => Assert.True(part.Count >= PartPlan.MinBlocks));
            Assert.All(parts.Zip(parts.Skip(1)), pair => Assert.True(pair.First.End < pair.Second.Start));
            Assert.All(parts, part => Assert.DoesNotContain(taken, other => other.Start <= part.End && part.Start <= other.End));
            Assert.All(parts, part => Assert.Equal(part.Count, Overlap(part, missing)));
            if (parts.Count > 0)
            {
                // What no part has is taken, or too short for one.
                foreach (var range in missing)
                {
                    var left = range.Count - Overlap(range, taken) - Overlap(range, parts);
                    Assert.True(left < PartPlan.MinBlocks * (ulong)(taken.Count + 1), $"{left} blocks of {range} in run {run}");
                }
            }
        }
    }

    private static ulong Overlap(BlockRange range, IEnumerable<BlockRange> others) => others.Aggregate(0UL, (sum, other) =>
        other.Start <= range.End && range.Start <= other.End ? sum + Math.Min(range.End, other.End) - Math.Max(range.Start, other.Start) + 1 : sum);

    private static List<BlockRange> Ranges(Random random)
    {
        var ranges = new List<BlockRange>();
        var next = (ulong)random.Next(5_000);
        for (var i = random.Next(6); i > 0; i--)
        {
            var range = new BlockRange(next, next + (ulong)random.Next(20_000));
            ranges.Add(range);
            next = range.End + 1 + (random.Next(3) == 0 ? 0 : (ulong)random.Next(5_000));
        }

        return ranges;
    }
}
