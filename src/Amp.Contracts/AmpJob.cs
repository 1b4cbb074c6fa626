namespace Amp;

/// <summary>State of a job (<c>jobs_status.status</c>, there in upper case with underscores).</summary>
public enum AmpJobStatus
{
    /// <summary>Assigned to a worker that has not started it yet.</summary>
    Scheduled,

    /// <summary>Being executed.</summary>
    Running,

    /// <summary>Finished: every block up to the end block is in files.</summary>
    Completed,

    /// <summary>Somebody asked for it to stop; the worker has not reacted yet.</summary>
    StopRequested,

    /// <summary>The worker is stopping it.</summary>
    Stopping,

    /// <summary>Stopped on request; what was committed stays.</summary>
    Stopped,

    /// <summary>Failed in a way that a retry may cure.</summary>
    Error,

    /// <summary>Failed for good: a retry would fail the same way.</summary>
    Fatal,

    /// <summary>A state this version does not know.</summary>
    Unknown,
}

/// <summary>What states of a job mean.</summary>
public static class AmpJobStatusExtensions
{
    /// <summary>Whether a job in this state has ended: completed, stopped or failed.</summary>
    /// <param name="status">The state.</param>
    public static bool IsTerminal(this AmpJobStatus status) => status is AmpJobStatus.Completed or AmpJobStatus.Stopped || status.IsFailed();

    /// <summary>Whether a job in this state has failed, for good or not.</summary>
    /// <param name="status">The state.</param>
    public static bool IsFailed(this AmpJobStatus status) => status is AmpJobStatus.Error or AmpJobStatus.Fatal;
}

/// <summary>One run that materialises a dataset's tables up to an end block, on one worker.</summary>
public sealed record AmpJob
{
    /// <summary>The job's number.</summary>
    public required long JobId { get; init; }

    /// <summary>Present state.</summary>
    public required AmpJobStatus Status { get; init; }

    /// <summary>The worker it is assigned to.</summary>
    public required string NodeId { get; init; }

    /// <summary>Dataset as <c>namespace/name</c>; empty when the job's descriptor cannot be read.</summary>
    public string Dataset => Descriptor is null ? "" : $"{Descriptor.DatasetNamespace}/{Descriptor.DatasetName}";

    /// <summary>When it was created (UTC).</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its state last changed (UTC).</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>What it is to do; null when the stored descriptor cannot be read.</summary>
    public AmpJobDescriptor? Descriptor { get; init; }

    /// <summary>The job that it extracts a part for; null for a job of its own.</summary>
    public long? PartOf => Descriptor?.PartOf;

    /// <summary>How often it was scheduled.</summary>
    public int Attempts { get; init; }

    /// <summary>Why it failed, when it did.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>Stable code of the failure, when it failed.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>Whether it has ended: completed, stopped or failed.</summary>
    public bool IsTerminal => Status.IsTerminal();

    /// <summary>Whether it is one of some jobs, or extracts a part for one of them.</summary>
    /// <param name="jobIds">Their numbers; every job is meant when there are none.</param>
    public bool IsAmong(IReadOnlyCollection<long> jobIds) =>
        jobIds.Count == 0 || jobIds.Contains(JobId) || (PartOf is { } whole && jobIds.Contains(whole));

    /// <summary>Returns the job's number.</summary>
    public override string ToString() => JobId.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>What a job is to do (<c>detail</c> of its SCHEDULED event).</summary>
public sealed record AmpJobDescriptor
{
    /// <summary>Kind of job; <c>materialize-raw</c> extracts a raw dataset, <c>materialize-raw-part</c> a range of blocks for such a job.</summary>
    public required string Kind { get; init; }

    /// <summary>
    /// Last block, as given: an absolute number, a negative number (that many blocks behind the chain's head),
    /// <c>latest</c> (the head when the job starts), or null for a continuous job.
    /// </summary>
    public required string? EndBlock { get; init; }

    /// <summary>How many block ranges are extracted side by side; 1 or more.</summary>
    public int MaxWriters { get; init; } = 1;

    /// <summary>How many workers extract parts of it at most, each as a job of its own; 1 for none but the job's own worker.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Node id or wildcard pattern of the workers that may extract parts; null for any.</summary>
    public string? WorkerPattern { get; init; }

    /// <summary>The job that this one extracts a part for; null for a job of its own.</summary>
    public long? PartOf { get; init; }

    /// <summary>First block of a part; null for a job of its own, which begins where the dataset does.</summary>
    public ulong? StartBlock { get; init; }

    /// <summary>The dataset's namespace.</summary>
    public required string DatasetNamespace { get; init; }

    /// <summary>The dataset's name.</summary>
    public required string DatasetName { get; init; }

    /// <summary>Manifest it extracts, by hash (64 hex digits).</summary>
    public required string ManifestHash { get; init; }

    /// <summary>Whether block hashes and roots are recomputed from the extracted data.</summary>
    public bool Verify { get; init; }
}

/// <summary>One transition in a job's life (<c>job_events</c>).</summary>
public sealed record AmpJobEvent
{
    /// <summary>Number of the event, rising.</summary>
    public required long EventId { get; init; }

    /// <summary>The job.</summary>
    public required long JobId { get; init; }

    /// <summary>The state it went to.</summary>
    public required AmpJobStatus Status { get; init; }

    /// <summary>The worker it was assigned to.</summary>
    public required string NodeId { get; init; }

    /// <summary>When (UTC).</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The event's detail as JSON: a descriptor, an error, or null.</summary>
    public string? Detail { get; init; }
}

/// <summary>How far a job has come.</summary>
public sealed record AmpJobProgress
{
    /// <summary>The job.</summary>
    public required long JobId { get; init; }

    /// <summary>Its state.</summary>
    public required AmpJobStatus Status { get; init; }

    /// <summary>Dataset as <c>namespace/name</c>.</summary>
    public required string Dataset { get; init; }

    /// <summary>Last block it is to extract; null while unresolved and for a continuous job.</summary>
    public ulong? EndBlock { get; init; }

    /// <summary>Why the job failed, when it did.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>Progress of each table, in the manifest's order.</summary>
    public required IReadOnlyList<AmpTableProgress> Tables { get; init; }
}

/// <summary>How far a table has come: a snapshot of its canonical segments.</summary>
public sealed record AmpTableProgress
{
    /// <summary>The job.</summary>
    public required long JobId { get; init; }

    /// <summary>Its state.</summary>
    public required AmpJobStatus Status { get; init; }

    /// <summary>The table.</summary>
    public required string Table { get; init; }

    /// <summary>First block of the dataset; null before anything was extracted.</summary>
    public ulong? StartBlock { get; init; }

    /// <summary>Last block of the contiguous canonical range; null before anything was extracted.</summary>
    public ulong? CurrentBlock { get; init; }

    /// <summary>Last block to extract; null for a continuous job.</summary>
    public ulong? EndBlock { get; init; }

    /// <summary>
    /// Number of blocks in files: up to <see cref="CurrentBlock"/>, and those behind a gap, which parts that are extracted side by side
    /// leave for a while.
    /// </summary>
    public ulong BlocksCount { get; init; }

    /// <summary>Number of canonical files.</summary>
    public required long FilesCount { get; init; }

    /// <summary>Their size in bytes.</summary>
    public required long TotalSizeBytes { get; init; }

    /// <summary>Share of the range that is done, 0 to 100; null for a continuous job.</summary>
    public double? PercentComplete { get; init; }

    /// <summary>Blocks per second of late, while it was watched; null when unknown.</summary>
    public double? BlocksPerSecond { get; init; }

    /// <summary>How long the rest of the range takes at that rate; null when unknown and for a continuous job.</summary>
    public TimeSpan? TimeLeft =>
        this is { BlocksPerSecond: > 0 and var rate, EndBlock: { } end, StartBlock: { } start } && end - start + 1 is var all && all >= BlocksCount
            ? TimeSpan.FromSeconds(Math.Min((all - BlocksCount) / rate, int.MaxValue))
            : null;

    /// <summary>Why the job failed, when it did.</summary>
    public string? ErrorMessage { get; init; }
}
