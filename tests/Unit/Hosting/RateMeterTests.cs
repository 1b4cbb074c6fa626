using Amp.Support;

namespace Amp.Hosting;

public sealed class RateMeterTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void Measure_BeforeAnyGrowth_KnowsNoRate()
    {
        var meter = new RateMeter(_time);

        Assert.Null(meter.Measure(100));
        Assert.Null(After(5, meter, 100));
    }

    [Fact]
    public void Measure_WhenItGrowsOften_GivesTheRateOfTheWindowAlone()
    {
        var meter = new RateMeter(_time);
        meter.Measure(0);
        for (var second = 1; second <= 60; second++)
        {
            After(1, meter, second * 1000);
        }

        var rates = Enumerable.Range(1, 10).Select(second => After(1, meter, 60_000 + (second * 10))).ToList();

        Assert.InRange(rates[^1]!.Value, 10, 10);
    }

    [Fact]
    public void Measure_WhenItGrowsInRareSteps_GivesTheRateBetweenThem()
    {
        var meter = new RateMeter(_time);
        meter.Measure(0);
        After(600, meter, 60_000);

        Assert.Equal(200, After(600, meter, 180_000));
    }

    [Fact]
    public void Measure_WhenItGrowsNoMore_FadesAway()
    {
        var meter = new RateMeter(_time);
        meter.Measure(0);

        Assert.Equal(100, After(1, meter, 100));
        Assert.Equal(50, After(1, meter, 100));
        Assert.Equal(1, After(98, meter, 100));
    }

    [Fact]
    public void Measure_WhenItShrinks_BeginsAnew()
    {
        var meter = new RateMeter(_time);
        meter.Measure(0);
        After(1, meter, 100);

        Assert.Null(After(1, meter, 40));
        Assert.Equal(5, After(2, meter, 50));
    }

    private double? After(int seconds, RateMeter meter, double value)
    {
        _time.Advance(TimeSpan.FromSeconds(seconds));
        return meter.Measure(value);
    }
}
