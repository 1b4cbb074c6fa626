using Amp.Support;

namespace Amp.Events;

public class ProgressThrottleTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private readonly ManualTimeProvider _time = new();
    private readonly ProgressThrottle _throttle;

    public ProgressThrottleTests() => _throttle = new ProgressThrottle(Interval, _time);

    [Fact]
    public void TryPass_WithinInterval_PassesOnce()
    {
        Assert.True(_throttle.TryPass(EventSamples.Progress("blocks", 1)));
        _time.Advance(Interval - TimeSpan.FromMilliseconds(1));
        Assert.False(_throttle.TryPass(EventSamples.Progress("blocks", 2)));

        _time.Advance(TimeSpan.FromMilliseconds(1));

        Assert.True(_throttle.TryPass(EventSamples.Progress("blocks", 3)));
    }

    [Fact]
    public void TryPass_WhenNothingMoved_Holds()
    {
        _throttle.TryPass(EventSamples.Progress("blocks", 1));

        _time.Advance(Interval * 3);

        Assert.False(_throttle.TryPass(EventSamples.Progress("blocks", 1)));
        Assert.True(_throttle.TryPass(EventSamples.Progress("blocks", 2)));
    }

    [Fact]
    public void TryPass_ForAnotherTable_IsIndependent()
    {
        _throttle.TryPass(EventSamples.Progress("blocks", 1));

        Assert.True(_throttle.TryPass(EventSamples.Progress("logs", 1)));
    }

    [Fact]
    public void Forget_AfterJobEnded_LetsTheNextJobReportAtOnce()
    {
        _throttle.TryPass(EventSamples.Progress("blocks", 1));

        _throttle.Forget(EventSamples.Table("blocks"));

        Assert.True(_throttle.TryPass(EventSamples.Progress("blocks", 1, job: 2)));
    }
}
