namespace Amp.Events;

/// <summary>Where a job tells what happens. Telling is a by-product: it never waits, never throws, never fails a job.</summary>
internal interface ISyncEventSink
{
    /// <summary>Takes an event. Events of one table leave in the order in which they were given. Safe from any thread.</summary>
    void Emit(SyncEvent syncEvent);
}

/// <summary>The sink of a worker whose events are switched off.</summary>
internal sealed class NullSyncEventSink : ISyncEventSink
{
    /// <summary>The one instance.</summary>
    public static NullSyncEventSink Instance { get; } = new();

    private NullSyncEventSink()
    {
    }

    /// <inheritdoc/>
    public void Emit(SyncEvent syncEvent)
    {
    }
}
