using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Amp.Events;

/// <summary>Counts dropped events by reason and warns of the first, then at most every ten minutes. Not safe for concurrent use.</summary>
internal sealed class DropLog(TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    private readonly Dictionary<string, (long Count, long WarnedAt)> _byReason = [];

    public void Write(SyncEvent syncEvent, string reason, string message)
    {
        SyncEventMetrics.Dropped.Add(1, new TagList { { "reason", reason } });
        var now = time.GetTimestamp();
        var known = _byReason.TryGetValue(reason, out var seen);
        var count = seen.Count + 1;
        var warn = !known || time.GetElapsedTime(seen.WarnedAt, now) >= Interval;
        _byReason[reason] = (count, warn ? now : seen.WarnedAt);
        if (warn)
        {
            Log.EventDropped(logger, SyncEventWire.TypeOf(syncEvent), syncEvent.Table.Key, reason, message, count);
        }
    }
}
