using System.Diagnostics;

namespace Amp.Support;

/// <summary>Waits for what happens elsewhere, with a deadline that only a failing test reaches.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public static async Task TrueAsync(Func<bool> condition, string what)
    {
        var began = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, $"waited {Deadline.TotalSeconds} s in vain until {what}");
            await Task.Delay(2);
        }
    }
}
