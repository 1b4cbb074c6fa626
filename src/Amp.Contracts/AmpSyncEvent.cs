namespace Amp;

/// <summary>A sync event as a worker published it to Kafka.</summary>
public sealed record AmpSyncEvent
{
    /// <summary>UUID v7; the same event delivered twice has the same id.</summary>
    public required string EventId { get; init; }

    /// <summary><c>sync.started</c>, <c>sync.progress</c>, <c>sync.completed</c> or <c>sync.failed</c>.</summary>
    public required string EventType { get; init; }

    /// <summary>Version of the schema, <c>1.0</c>.</summary>
    public required string EventVersion { get; init; }

    /// <summary>When it happened (UTC).</summary>
    public required DateTimeOffset Timestamp { get; init; }

    /// <summary>Node id of the worker.</summary>
    public required string WorkerId { get; init; }

    /// <summary>The job.</summary>
    public required long JobId { get; init; }

    /// <summary>Dataset as <c>namespace/name</c>.</summary>
    public required string Dataset { get; init; }

    /// <summary>Manifest hash.</summary>
    public required string ManifestHash { get; init; }

    /// <summary>The table.</summary>
    public required string Table { get; init; }

    /// <summary>First block: of the run (started) or of the table (progress).</summary>
    public ulong? StartBlock { get; init; }

    /// <summary>Last block of the contiguous canonical range (progress), or the final block (completed).</summary>
    public ulong? CurrentBlock { get; init; }

    /// <summary>Last block to extract; null for a continuous job.</summary>
    public ulong? EndBlock { get; init; }

    /// <summary>Number of canonical files (progress).</summary>
    public ulong? FilesCount { get; init; }

    /// <summary>Their size in bytes (progress).</summary>
    public ulong? TotalSizeBytes { get; init; }

    /// <summary>How long the job took (completed).</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>What went wrong (failed).</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>Stable code of what went wrong (failed).</summary>
    public string? ErrorType { get; init; }

    /// <summary>Kafka partition it was read from.</summary>
    public int Partition { get; init; }

    /// <summary>Kafka offset it was read from.</summary>
    public long Offset { get; init; }

    /// <summary>Returns type, dataset and table.</summary>
    public override string ToString() => $"{EventType} {Dataset}/{Table}";
}
