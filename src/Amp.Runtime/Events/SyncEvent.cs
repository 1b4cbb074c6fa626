namespace Amp.Events;

/// <summary>A table that events tell about; the unit of order.</summary>
internal readonly record struct SyncTable(string Namespace, string Name, string ManifestHash, string Table)
{
    /// <summary>The message key: events with the same key share a partition and stay in order.</summary>
    public string Key => $"{Namespace}/{Name}/{ManifestHash}/{Table}";
}

/// <summary>Something that happened to one table of a job.</summary>
internal abstract record SyncEvent(long JobId, SyncTable Table);

/// <summary>The job began on the table. The end is null for a continuous job, the start while it is unknown.</summary>
internal sealed record SyncStarted(long JobId, SyncTable Table, ulong? StartBlock, ulong? EndBlock) : SyncEvent(JobId, Table);

/// <summary>
/// How far the table has come: a snapshot of its canonical files, never a delta. <paramref name="CurrentBlock"/> is the
/// end of the contiguous range.
/// </summary>
internal sealed record SyncProgress(
    long JobId, SyncTable Table, ulong StartBlock, ulong CurrentBlock, ulong? EndBlock, ulong FilesCount, ulong TotalSizeBytes)
    : SyncEvent(JobId, Table);

/// <summary>The table reached the job's end block. Never emitted for a continuous job.</summary>
internal sealed record SyncCompleted(long JobId, SyncTable Table, ulong FinalBlock, TimeSpan Duration) : SyncEvent(JobId, Table);

/// <summary>The job failed; <paramref name="ErrorType"/> is the stable code of the error.</summary>
internal sealed record SyncFailed(long JobId, SyncTable Table, string ErrorMessage, string? ErrorType) : SyncEvent(JobId, Table);
