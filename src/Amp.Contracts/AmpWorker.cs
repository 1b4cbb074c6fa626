namespace Amp;

/// <summary>A worker as the metadata database knows it.</summary>
public sealed record AmpWorker
{
    /// <summary>The worker's unique name, as given by <c>-NodeId</c>.</summary>
    public required string NodeId { get; init; }

    /// <summary>Whether the heartbeat is younger than 5 seconds; only active workers are given new jobs.</summary>
    public bool IsActive => HeartbeatAge < TimeSpan.FromSeconds(5);

    /// <summary>When the worker last said it is alive (UTC).</summary>
    public required DateTimeOffset HeartbeatAt { get; init; }

    /// <summary>How old the heartbeat was when this object was read; measured by the database's clock.</summary>
    public required TimeSpan HeartbeatAge { get; init; }

    /// <summary>When the worker was first registered (UTC).</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When the worker last started (UTC).</summary>
    public required DateTimeOffset RegisteredAt { get; init; }

    /// <summary>How many of its jobs are SCHEDULED, RUNNING or stopping.</summary>
    public int ActiveJobs { get; init; }

    /// <summary>Version of the worker's build, or null when it did not say.</summary>
    public string? Version { get; init; }

    /// <summary>Commit the worker was built from, or null.</summary>
    public string? CommitSha { get; init; }

    /// <summary>When that commit was made, or null.</summary>
    public DateTimeOffset? CommitTimestamp { get; init; }

    /// <summary>When the worker was built, or null.</summary>
    public DateTimeOffset? BuildDate { get; init; }

    /// <summary>Returns the node id.</summary>
    public override string ToString() => NodeId;
}

/// <summary>Build metadata that a worker registers with (<c>workers.info</c>).</summary>
/// <param name="Version">Version of the build.</param>
/// <param name="CommitSha">Commit it was built from.</param>
/// <param name="CommitTimestamp">When that commit was made.</param>
/// <param name="BuildDate">When it was built.</param>
public sealed record AmpBuildInfo(
    string? Version, string? CommitSha, DateTimeOffset? CommitTimestamp, DateTimeOffset? BuildDate);
