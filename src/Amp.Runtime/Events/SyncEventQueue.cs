namespace Amp.Events;

/// <summary>
/// Events that wait to be delivered, in order per table: only the oldest event of a table can be in flight, and the next
/// one follows when that was delivered or given up. Bounded: a progress snapshot replaces an unsent older one of the same
/// job and table, and past the capacity snapshots go before lifecycle events, old ones before new ones. Times are spans
/// since any fixed moment. Not safe for concurrent use; knows nothing of Kafka.
/// </summary>
internal sealed class SyncEventQueue(int capacity)
{
    /// <summary>How long a failed event waits before each further attempt; after the last one it is given up.</summary>
    public static IReadOnlyList<TimeSpan> RetryDelays { get; } =
        [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(60)];

    private readonly Dictionary<SyncTable, LinkedList<SyncEventEntry>> _tables = [];
    private readonly LinkedList<SyncEventEntry> _snapshots = [];
    private readonly LinkedList<SyncEventEntry> _lifecycle = [];

    /// <summary>How many events wait or are in flight.</summary>
    public int Count => _snapshots.Count + _lifecycle.Count;

    /// <summary>
    /// Takes an event. Returns whether it replaced an older snapshot; <paramref name="evicted"/> is the event that had
    /// to go because the queue was full.
    /// </summary>
    public bool Enqueue(SyncEventEntry entry, out SyncEventEntry? evicted)
    {
        var replaced = false;
        if (entry.IsSnapshot && _tables.GetValueOrDefault(entry.Event.Table)?.Last?.Value is { IsSnapshot: true, InFlight: false } older
            && older.Event.JobId == entry.Event.JobId)
        {
            // The newcomer takes over the failures: otherwise a table whose sends all fail would never come to its last attempt.
            (entry.Failures, entry.NotBefore, entry.Unanswered) = (older.Failures, older.NotBefore, older.Unanswered);
            Remove(older);
            replaced = true;
        }

        if (!_tables.TryGetValue(entry.Event.Table, out var table))
        {
            _tables[entry.Event.Table] = table = [];
        }

        entry.InTable = table.AddLast(entry);
        entry.InKind = (entry.IsSnapshot ? _snapshots : _lifecycle).AddLast(entry);
        evicted = Count > capacity ? Evict() : null;
        return replaced;
    }

    /// <summary>Whether some table's oldest event may be sent now.</summary>
    public bool HasDue(TimeSpan now) => Heads().Any(head => head.NotBefore <= now);

    /// <summary>When the next waiting event may be sent; null when none waits.</summary>
    public TimeSpan? NextDue() => Heads().Min(head => (TimeSpan?)head.NotBefore);

    /// <summary>The oldest event of each table that may be sent now; they are in flight until reported.</summary>
    public IReadOnlyList<SyncEventEntry> TakeDue(TimeSpan now)
    {
        var due = Heads().Where(head => head.NotBefore <= now).ToArray();
        foreach (var entry in due)
        {
            entry.InFlight = true;
        }

        return due;
    }

    /// <summary>Takes an event out: it was delivered, or no attempt can succeed.</summary>
    public void Remove(SyncEventEntry entry)
    {
        var table = entry.InTable!.List!;
        table.Remove(entry.InTable);
        entry.InKind!.List!.Remove(entry.InKind);
        if (table.Count == 0)
        {
            _tables.Remove(entry.Event.Table);
        }
    }

    /// <summary>Puts an event in flight back to the head of its table without counting a failure.</summary>
    public static void PutBack(SyncEventEntry entry) => entry.InFlight = false;

    /// <summary>Counts a failure. Returns false when that was the last attempt and the event was given up.</summary>
    public bool Retry(SyncEventEntry entry, TimeSpan now)
    {
        entry.InFlight = false;
        if (entry.Failures == RetryDelays.Count)
        {
            Remove(entry);
            return false;
        }

        entry.NotBefore = now + RetryDelays[entry.Failures++];
        return true;
    }

    /// <summary>Takes out and returns everything, in flight or not.</summary>
    public IReadOnlyList<SyncEventEntry> Clear()
    {
        var all = _lifecycle.Concat(_snapshots).ToArray();
        foreach (var entry in all)
        {
            Remove(entry);
        }

        return all;
    }

    private IEnumerable<SyncEventEntry> Heads() => _tables.Values.Select(table => table.First!.Value).Where(head => !head.InFlight);

    private SyncEventEntry? Evict()
    {
        var victim = _snapshots.FirstOrDefault(e => !e.InFlight) ?? _lifecycle.FirstOrDefault(e => !e.InFlight);
        if (victim is not null)
        {
            Remove(victim);
        }

        return victim;
    }
}

/// <summary>An event in the queue, with the identity it keeps through all attempts.</summary>
internal sealed class SyncEventEntry(SyncEvent syncEvent, Guid id, DateTimeOffset timestamp)
{
    public SyncEvent Event { get; } = syncEvent;

    public Guid Id { get; } = id;

    public DateTimeOffset Timestamp { get; } = timestamp;

    /// <summary>Progress may be replaced by newer progress; everything else is an event of its own.</summary>
    public bool IsSnapshot => Event is SyncProgress;

    /// <summary>Failed attempts so far.</summary>
    public int Failures { get; set; }

    /// <summary>Earliest time of the next attempt.</summary>
    public TimeSpan NotBefore { get; set; }

    public bool InFlight { get; set; }

    /// <summary>How the last attempt ended when nobody answered it; whether it counts as a failure is not known yet.</summary>
    public SendResult? Unanswered { get; set; }

    /// <summary>Place among the events of its table; set by the queue.</summary>
    public LinkedListNode<SyncEventEntry>? InTable { get; set; }

    /// <summary>Place among all snapshots or all lifecycle events; set by the queue.</summary>
    public LinkedListNode<SyncEventEntry>? InKind { get; set; }
}
