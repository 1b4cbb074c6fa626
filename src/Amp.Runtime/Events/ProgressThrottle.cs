namespace Amp.Events;

/// <summary>Lets a table's progress pass only when it moved, and at most once per interval. Safe from any thread.</summary>
internal sealed class ProgressThrottle(TimeSpan interval, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<SyncTable, (SyncProgress Snapshot, long Timestamp)> _last = [];

    /// <summary>Whether to emit the snapshot now; when true it counts as emitted.</summary>
    public bool TryPass(SyncProgress snapshot)
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            if (_last.TryGetValue(snapshot.Table, out var last)
                && (last.Snapshot == snapshot || time.GetElapsedTime(last.Timestamp, now) < interval))
            {
                return false;
            }

            _last[snapshot.Table] = (snapshot, now);
            return true;
        }
    }

    /// <summary>Forgets a table whose job ended.</summary>
    public void Forget(SyncTable table)
    {
        lock (_gate)
        {
            _last.Remove(table);
        }
    }
}
