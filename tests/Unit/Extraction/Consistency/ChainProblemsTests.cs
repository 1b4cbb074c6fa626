using Amp.MetadataDb;

namespace Amp.Extraction.Consistency;

public sealed class ChainProblemsTests
{
    private int _clock;

    [Fact]
    public void Find_InAChainWithoutFault_FindsNothing()
    {
        Assert.Empty(Find(Segment(5, 9), Segment(10, 19), Segment(20, 20)));
        Assert.Empty(ChainProblems.Find(CanonicalChain.Build([]), 5));
    }

    [Fact]
    public void Find_AfterAReorg_TakesReplacedSegmentsForWhatTheyAre()
    {
        var replaced = Segment(10, 19, branch: 1);

        Assert.Empty(Find(Segment(5, 9), replaced, Segment(10, 14), Segment(15, 19)));
    }

    [Fact]
    public void Find_AfterAReorgToAShorterChain_TakesTheLongerSegmentForReplaced()
    {
        var replaced = Segment(10, 19, branch: 1);

        Assert.Empty(Find(Segment(5, 9), replaced, Segment(10, 14)));
    }

    [Fact]
    public void Find_WhereBlocksAreMissing_NamesThem()
    {
        var problems = Find(Segment(7, 9), Segment(12, 19), Segment(20, 29), Segment(31, 39));

        Assert.All(problems, problem => Assert.Equal(AmpTableProblemKind.Gap, problem.Kind));
        Assert.Equal([(5UL, 6UL), (10, 11), (30, 30)], problems.Select(problem => (problem.StartBlock!.Value, problem.EndBlock!.Value)));
        Assert.Equal("Block 30 is missing.", problems[2].Message);
    }

    [Fact]
    public void Find_WhereTheParentIsAnother_NamesFileAndHashes()
    {
        var before = Segment(5, 9);
        var broken = Segment(10, 19) with { PrevHash = TestData.Hash(9, 3) };

        var problem = Assert.Single(Find(before, broken, Segment(20, 29)));

        Assert.Equal((AmpTableProblemKind.BrokenLink, broken.FileName, broken.FileId), (problem.Kind, problem.File, problem.FileId));
        Assert.Contains(before.Hash, problem.Message, StringComparison.Ordinal);
        Assert.Contains(broken.PrevHash, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Find_WhereASegmentReachesBackAndBeyond_NamesTheBlocksOfBoth()
    {
        var problem = Assert.Single(Find(Segment(5, 12), Segment(10, 19), Segment(20, 29)));

        Assert.Equal((AmpTableProblemKind.Overlap, 10UL, 12UL), (problem.Kind, problem.StartBlock!.Value, problem.EndBlock!.Value));
    }

    private static AmpTableProblem[] Find(params Segment[] segments) => [.. ChainProblems.Find(CanonicalChain.Build(segments), 5)];

    private Segment Segment(ulong start, ulong end, int branch = 0) => new(
        ++_clock, $"{start:d9}-{branch}.parquet", start, end, "mainnet", TestData.Hash(end, branch), TestData.Hash(start - 1), DateTimeOffset.UnixEpoch.AddSeconds(_clock), 100);
}
