using System.Diagnostics.Metrics;

namespace Amp.Events;

/// <summary>Counts of the meter <c>Amp.Events</c>.</summary>
internal static class SyncEventMetrics
{
    public const string MeterName = "Amp.Events";

    private static readonly Meter Meter = new(MeterName);

    /// <summary>Events that the broker acknowledged, by <c>type</c>.</summary>
    public static readonly Counter<long> Emitted = Meter.CreateCounter<long>("amp.sync_events.emitted", "{event}");

    /// <summary>Failed attempts that will be repeated, by <c>reason</c>.</summary>
    public static readonly Counter<long> Retried = Meter.CreateCounter<long>("amp.sync_events.retried", "{event}");

    /// <summary>Events that will never be sent, by <c>reason</c>; <c>Superseded</c> is progress replaced by newer progress.</summary>
    public static readonly Counter<long> Dropped = Meter.CreateCounter<long>("amp.sync_events.dropped", "{event}");

    /// <summary>Events that wait or are in flight.</summary>
    public static readonly UpDownCounter<long> QueueDepth =
        Meter.CreateUpDownCounter<long>("amp.sync_events.queue_depth", "{event}");
}
