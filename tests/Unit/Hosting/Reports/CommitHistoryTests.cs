namespace Amp.Hosting.Reports;

public sealed class CommitHistoryTests
{
    [Theory]
    [InlineData(0.3)]
    [InlineData(5)]
    [InlineData(61)]
    [InlineData(86_400)]
    [InlineData(400_000_000)]
    public void Of_AnySpan_HasFewSteps_ThatHoldEveryBlock(double seconds)
    {
        var files = Enumerable.Range(0, 500).Select(i => File((ulong)i * 10, ReportSamples.Now.AddSeconds(seconds * i / 499))).ToList();

        var history = CommitHistory.Of(files, null)!;

        Assert.InRange(history.Blocks.Count, 2, CommitHistory.MostSteps);
        Assert.Equal(5_000UL, history.Total);
        Assert.True(history.Start <= files[0].CreatedAt && history.End > files[^1].CreatedAt);
        Assert.Equal(0, history.Start.UtcTicks % history.Step.Ticks);
    }

    [Fact]
    public void Of_FewFiles_HasFewSteps() =>
        Assert.InRange(CommitHistory.Of([File(0, ReportSamples.Now), File(10, ReportSamples.Now.AddSeconds(50))], null)!.Blocks.Count, 2, 10);

    [Fact]
    public void Of_OneMoment_IsNone()
    {
        Assert.Null(CommitHistory.Of([], null));
        Assert.Null(CommitHistory.Of([File(0, ReportSamples.Now), File(10, ReportSamples.Now)], null));
    }

    [Fact]
    public void Of_FilesSinceATime_CountsThoseBeforeAsThere()
    {
        AmpFile[] files = [File(0, ReportSamples.Now), File(10, ReportSamples.Now.AddSeconds(60)), File(20, ReportSamples.Now.AddSeconds(70))];

        var history = CommitHistory.Of(files, ReportSamples.Now.AddSeconds(30))!;

        Assert.Equal((10UL, 30UL), (history.Before, history.Total));
        Assert.True(history.Start >= ReportSamples.Now.AddSeconds(55));
        Assert.Equal(10 / history.Step.TotalSeconds, history.Rates.First());
    }

    private static AmpFile File(ulong start, DateTimeOffset at) => ReportSamples.File(start, start + 9, at);
}
