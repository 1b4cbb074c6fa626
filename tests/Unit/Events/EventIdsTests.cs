using Amp.Support;

namespace Amp.Events;

public class EventIdsTests
{
    [Fact]
    public void Next_WithinOneMillisecond_RisesStrictly()
    {
        var ids = new EventIds(new ManualTimeProvider());

        var made = Enumerable.Range(0, 10_000).Select(_ => ids.Next().ToString()).ToArray();

        Assert.Equal(made.Order(StringComparer.Ordinal), made);
        Assert.Equal(made.Length, made.Distinct().Count());
    }

    [Fact]
    public void Next_WhenClockStepsBack_StillRises()
    {
        var time = new ManualTimeProvider();
        var ids = new EventIds(time);
        var before = ids.Next().ToString();

        time.SetUtcNow(time.GetUtcNow().AddHours(-1));
        var after = ids.Next().ToString();

        Assert.True(string.CompareOrdinal(after, before) > 0, $"{after} follows {before}");
    }

    [Fact]
    public void Next_Always_IsVersion7OfItsTime()
    {
        var time = new ManualTimeProvider();

        var id = new EventIds(time).Next();

        Assert.Equal(7, id.Version);
        Assert.InRange(id.Variant, 8, 11);
        Assert.Equal(time.GetUtcNow().ToUnixTimeMilliseconds(), Convert.ToInt64(id.ToString("N")[..12], 16));
    }
}
