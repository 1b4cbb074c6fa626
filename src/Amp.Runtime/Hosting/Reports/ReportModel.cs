using Amp.BackgroundJobs;

namespace Amp.Hosting.Reports;

/// <summary>A deployment as it was at one moment, to be shown on one page. Whatever the deployment's size, this one's is bounded.</summary>
internal sealed record ReportModel
{
    public required ReportRequest Request { get; init; }

    /// <summary>What the deployment is, its passwords left out.</summary>
    public required string Source { get; init; }

    /// <summary>When it was looked at (UTC).</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Workers that were silent first, then by node id.</summary>
    public required Bounded<AmpWorker> Workers { get; init; }

    public required int ActiveWorkers { get; init; }

    public required int DatasetCount { get; init; }

    public required IReadOnlyDictionary<AmpJobStatus, long> JobCounts { get; init; }

    /// <summary>Jobs that failed first, then those that have not ended, then the others; each newest first.</summary>
    public required Bounded<JobReport> Jobs { get; init; }

    /// <summary>Changes of the jobs' states, newest first.</summary>
    public required Bounded<AmpJobEvent> Events { get; init; }

    /// <summary>Tables by dataset, in the manifest's order.</summary>
    public required Bounded<TableReport> Tables { get; init; }

    public required TableTotals Totals { get; init; }

    /// <summary>Null when nobody asked for them.</summary>
    public SyncEventsReport? SyncEvents { get; init; }

    /// <summary>Null when there are none to look at.</summary>
    public BackgroundJobsReport? BackgroundJobs { get; init; }

    /// <summary>What the page does not show, and why.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}

/// <summary>As much of a list as the page shows.</summary>
/// <param name="Items">What is shown.</param>
/// <param name="Total">How many there are.</param>
internal sealed record Bounded<T>(IReadOnlyList<T> Items, long Total)
{
    /// <summary>The first of a list.</summary>
    public static Bounded<T> FirstOf(IReadOnlyCollection<T> all, int most) => new([.. all.Take(most)], all.Count);

    /// <summary>How many are not shown.</summary>
    public long LeftOut => Total - Items.Count;
}

/// <summary>A job and how many of its blocks are in the files of all its tables.</summary>
/// <param name="Job">The job.</param>
/// <param name="Done">Blocks that are in files; null when its tables were not looked at.</param>
/// <param name="Total">Blocks it is to extract; null for a job without a fixed end.</param>
/// <param name="Events">Its changes of state, oldest first; empty when they were not read.</param>
internal sealed record JobReport(AmpJob Job, ulong? Done, ulong? Total, IReadOnlyList<AmpJobEvent> Events);

/// <summary>A table.</summary>
internal sealed record TableReport
{
    public required AmpTable Table { get; init; }

    /// <summary>Which of its blocks are in files.</summary>
    public required Coverage Coverage { get; init; }

    /// <summary>Rows of its canonical files; null when they were not opened.</summary>
    public long? Rows { get; init; }

    /// <summary>Whether only some of its files were opened for <see cref="Rows"/>.</summary>
    public bool IsRowsEstimate { get; init; }

    /// <summary>Files that could not be opened to count their rows.</summary>
    public int UnreadableFiles { get; init; }

    /// <summary>Files that a reorg orphaned.</summary>
    public int OrphanedFiles { get; init; }

    /// <summary>When its blocks were written; null when there is no more than one moment to tell of.</summary>
    public CommitHistory? History { get; init; }
}

/// <summary>Sums over all tables, shown or not.</summary>
/// <param name="Blocks">Blocks of all datasets; one that several tables have counts once.</param>
/// <param name="Files">Canonical files.</param>
/// <param name="Bytes">Their size.</param>
/// <param name="Rows">Their rows; null when those of some table are not known.</param>
/// <param name="IsRowsEstimate">Whether the rows of some tables are estimated.</param>
internal sealed record TableTotals(ulong Blocks, long Files, long Bytes, long? Rows, bool IsRowsEstimate);

/// <summary>Sync events, newest first, and how many there are of each type.</summary>
internal sealed record SyncEventsReport(Bounded<AmpSyncEvent> Events, IReadOnlyDictionary<string, long> Counts, int Unreadable);

/// <summary>The queue of background jobs.</summary>
/// <param name="Counts">How many jobs of a type are in a state.</param>
/// <param name="DeadLetters">Dead letters, newest first.</param>
/// <param name="Workers">Workers, silent ones first.</param>
internal sealed record BackgroundJobsReport(
    IReadOnlyList<BackgroundJobCount> Counts, Bounded<AmpBackgroundJob> DeadLetters, Bounded<AmpBackgroundWorker> Workers)
{
    /// <summary>How many jobs are in a state.</summary>
    public long Count(AmpBackgroundJobStatus status) => Counts.Where(count => count.Status == status).Sum(count => count.Jobs);
}
