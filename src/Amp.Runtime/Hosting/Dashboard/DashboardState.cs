namespace Amp.Hosting.Dashboard;

/// <summary>What was read of a deployment at one moment, to be shown.</summary>
public sealed record DashboardState
{
    /// <summary>The deployment's address, without secrets.</summary>
    public required string Connection { get; init; }

    /// <summary>When workers and jobs were read; null while they have not been.</summary>
    public DateTimeOffset? ReadAt { get; init; }

    /// <summary>When they are to be read next; null while they have not been.</summary>
    public DateTimeOffset? NextAt { get; init; }

    /// <summary>All workers.</summary>
    public IReadOnlyList<AmpWorker> Workers { get; init; } = [];

    /// <summary>The jobs to show: those at work, those that wait, those that failed, those that have ended.</summary>
    public IReadOnlyList<DashboardJob> Jobs { get; init; } = [];

    /// <summary>Blocks per second of all of them; null when unknown.</summary>
    public double? BlocksPerSecond { get; init; }

    /// <summary>Bytes of Parquet files per second of all of them; null when unknown.</summary>
    public double? BytesPerSecond { get; init; }

    /// <summary>Why it could not be read again since; null when it could.</summary>
    public string? Problem { get; init; }
}

/// <summary>A job and how far it has come.</summary>
/// <param name="Job">The job.</param>
/// <param name="Tables">Its tables, with rates; empty unless it is at work and no part of another.</param>
/// <param name="BytesPerSecond">By how much their files grow; null when unknown.</param>
public sealed record DashboardJob(AmpJob Job, IReadOnlyList<AmpTableProgress> Tables, double? BytesPerSecond = null)
{
    /// <summary>The table that is furthest behind: the job is not further than this one.</summary>
    public AmpTableProgress? Slowest => Tables.MinBy(table => table.BlocksCount);
}
