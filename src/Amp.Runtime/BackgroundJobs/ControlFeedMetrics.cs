using System.Diagnostics.Metrics;

namespace Amp.BackgroundJobs;

/// <summary>Counts of the meter <c>Amp.BackgroundJobs</c> that tell of other services' messages.</summary>
internal static class ControlFeedMetrics
{
    public const string MeterName = "Amp.BackgroundJobs";

    private static readonly Meter Meter = new(MeterName);

    /// <summary>Messages that were consumed, by <c>topic</c> and <c>outcome</c>.</summary>
    public static readonly Counter<long> Consumed = Meter.CreateCounter<long>("amp.background_jobs.control.consumed", "{message}");
}
