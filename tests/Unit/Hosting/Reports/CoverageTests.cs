using Amp.Extraction;

namespace Amp.Hosting.Reports;

public sealed class CoverageTests
{
    [Fact]
    public void Of_FilesWithAGap_NamesWhatLacks()
    {
        var coverage = Coverage.Of([File(10, 19), File(20, 29), File(50, 59, false), File(40, 49, false), File(60, 61, false)], 0, 99);

        Assert.Equal(new BlockRange(0, 99), coverage.Range);
        Assert.Equal([new(10, 29), new(40, 61)], coverage.Runs);
        Assert.Equal([new(0, 9), new(30, 39)], coverage.Gaps);
        Assert.Equal(new BlockRange(62, 99), coverage.Rest);
        Assert.Equal(12UL, coverage.CountIn(new BlockRange(28, 49)));
        Assert.Equal(0UL, coverage.CountIn(new BlockRange(70, 80)));
    }

    [Fact]
    public void Of_FilesThatAReorgOrphaned_CountsThemOnce()
    {
        var coverage = Coverage.Of([File(0, 9), File(5, 9, false), File(10, 19)], 0, 19);

        Assert.Equal([new(0, 19)], coverage.Runs);
        Assert.Empty(coverage.Gaps);
        Assert.Null(coverage.Rest);
    }

    [Fact]
    public void Of_BlocksOutsideOfTheJobsRange_WidensIt()
    {
        Assert.Equal(new BlockRange(5, 40), Coverage.Of([File(5, 40)], 10, 20).Range);
        Assert.Equal(new BlockRange(5, 40), Coverage.Of([File(5, 40)], null, null).Range);
    }

    [Fact]
    public void Of_NothingWritten_IsAllToCome()
    {
        Assert.Equal(new BlockRange(0, 9), Coverage.Of([], 0, 9).Rest);
        Assert.Null(Coverage.Of([], null, 9).Range);
        Assert.Null(Coverage.Of([], null, null).Rest);
    }

    [Fact]
    public void Of_TableWithoutItsFiles_KnowsWhetherMoreIsBehindAGap()
    {
        var table = ReportSamples.Table("logs", 0).Table with { StartBlock = 0, CurrentBlock = 9, BlocksCount = 10 };

        Assert.True(Coverage.Of(table, 0, 19).IsExact);
        Assert.False(Coverage.Of(table with { BlocksCount = 15 }, 0, 19).IsExact);
    }

    private static AmpFile File(ulong start, ulong end, bool isCanonical = true) => ReportSamples.File(start, end, ReportSamples.Now, isCanonical);
}
