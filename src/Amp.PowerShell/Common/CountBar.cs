using System.Diagnostics;
using System.Globalization;
using System.Management.Automation;

namespace Amp.PowerShell.Common;

/// <summary>A progress bar for how many of a known number of things are done, with their rate and the time left.</summary>
/// <param name="pipeline">Where to draw it.</param>
/// <param name="activity">What is being done, such as <c>Testing demo/devnet logs</c>.</param>
/// <param name="things">What is counted, such as <c>files</c>.</param>
internal sealed class CountBar(PipelineWriter pipeline, string activity, string things) : IProgress<(int Done, int All)>
{
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly int _id = activity.GetHashCode(StringComparison.Ordinal) & int.MaxValue;

    public void Report((int Done, int All) value)
    {
        var (done, all) = value;
        var rate = done / Stopwatch.GetElapsedTime(_began).TotalSeconds;
        var bar = new ProgressRecord(_id, activity, string.Create(CultureInfo.InvariantCulture, $"{done} of {all} {things}{(done > 0 ? $", {rate:0.#}/s" : "")}"))
        {
            PercentComplete = all > 0 ? (int)(100L * done / all) : -1,
            SecondsRemaining = done > 0 ? (int)Math.Min(int.MaxValue, (all - done) / rate) : -1,
        };
        pipeline.Progress(bar);
    }
}
