using System.IO.Enumeration;

namespace Amp.Events;

/// <summary>Selects events by the options' lists and times, and leaves out repeats. Not safe for concurrent use.</summary>
internal sealed class SyncEventFilter(SyncEventReadOptions options)
{
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();

    public bool Passes(AmpSyncEvent syncEvent) =>
        Any(options.EventTypes, type => type.Equals(syncEvent.EventType, StringComparison.OrdinalIgnoreCase))
        && Any(options.Datasets, pattern => Matches(pattern, syncEvent.Dataset))
        && Any(options.Tables, pattern => Matches(pattern, syncEvent.Table))
        && Any(options.JobIds, id => id == syncEvent.JobId)
        && Any(options.WorkerIds, pattern => Matches(pattern, syncEvent.WorkerId))
        && (options.Since is not { } since || syncEvent.Timestamp >= since)
        && (options.Until is not { } until || syncEvent.Timestamp <= until)
        && IsNew(syncEvent.EventId);

    private static bool Any<T>(IReadOnlyCollection<T> list, Func<T, bool> matches) => list.Count == 0 || list.Any(matches);

    private static bool Matches(string pattern, string value) => FileSystemName.MatchesSimpleExpression(pattern, value);

    private bool IsNew(string eventId)
    {
        if (options.DeduplicationWindow == 0)
        {
            return true;
        }

        if (!_seen.Add(eventId))
        {
            return false;
        }

        _order.Enqueue(eventId);
        if (_order.Count > options.DeduplicationWindow)
        {
            _seen.Remove(_order.Dequeue());
        }

        return true;
    }
}
