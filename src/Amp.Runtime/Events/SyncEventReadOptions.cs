namespace Amp.Events;

/// <summary>Where reading a topic begins.</summary>
public enum SyncEventReadStart
{
    /// <summary>With the oldest event that the topic still has.</summary>
    Beginning,

    /// <summary>With what is published from now on.</summary>
    End,
}

/// <summary>
/// What to read from the topic. The lists select: an empty one lets everything pass, an event passes when it matches one
/// entry of each; dataset, table and worker take the wildcards <c>*</c> and <c>?</c>, without regard to case.
/// </summary>
public sealed record SyncEventReadOptions
{
    /// <summary>Where to begin; <see cref="Since"/> goes before it.</summary>
    public SyncEventReadStart From { get; init; } = SyncEventReadStart.Beginning;

    /// <summary>Begin with events of this time; null to begin at <see cref="From"/>.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Leave out events later than this time; null for no limit.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Whether to wait for further events at the topic's end instead of ending there.</summary>
    public bool Follow { get; init; }

    /// <summary>Ends after so many events; null for no limit.</summary>
    public int? Limit { get; init; }

    /// <summary>
    /// Name of a consumer group whose committed offsets are a bookmark: reading begins there (where <see cref="From"/> or
    /// <see cref="Since"/> say when there is none yet), and an event's offset is committed once the caller asks for the next. The group
    /// is not joined, so two who read under one name at the same time both get everything. Null to move nobody's offsets.
    /// </summary>
    public string? Group { get; init; }

    /// <summary>Types such as <c>sync.failed</c>.</summary>
    public IReadOnlyCollection<string> EventTypes { get; init; } = [];

    /// <summary>Datasets as <c>namespace/name</c>.</summary>
    public IReadOnlyCollection<string> Datasets { get; init; } = [];

    /// <summary>Table names.</summary>
    public IReadOnlyCollection<string> Tables { get; init; } = [];

    /// <summary>Job numbers.</summary>
    public IReadOnlyCollection<long> JobIds { get; init; } = [];

    /// <summary>Node ids of workers.</summary>
    public IReadOnlyCollection<string> WorkerIds { get; init; } = [];

    /// <summary>An event whose id is among this many read before it is left out as a repeat; 0 shows repeats.</summary>
    public int DeduplicationWindow { get; init; } = 65_536;

    /// <summary>How long to wait for a broker before giving up.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>One message read: an event, or why the message is none. Reading goes on after an error.</summary>
/// <param name="Event">The event; null when <paramref name="Error"/> is set.</param>
/// <param name="Error">Why the message is not an event; null when <paramref name="Event"/> is set.</param>
public readonly record struct SyncEventReadResult(AmpSyncEvent? Event, AmpException? Error);
