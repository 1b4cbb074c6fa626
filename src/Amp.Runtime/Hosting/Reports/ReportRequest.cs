namespace Amp.Hosting.Reports;

/// <summary>What a report is about.</summary>
public sealed record ReportRequest
{
    /// <summary>The page's heading.</summary>
    public string Title { get; init; } = "Amp report";

    /// <summary>Datasets as the user typed them, to say what was left out; empty for all.</summary>
    public IReadOnlyList<string> Datasets { get; init; } = [];

    /// <summary>Chooses among datasets, by <c>namespace/name</c>; asked for every dataset that is registered or has a job or a table.</summary>
    public Predicate<string> IsWanted { get; init; } = _ => true;

    /// <summary>Only these jobs, their parts and the tables they write; all when empty.</summary>
    public IReadOnlyCollection<long> JobIds { get; init; } = [];

    /// <summary>Leaves out jobs that had ended before, and earlier events and files of the charts; null for no limit.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Whether sync events are read from Kafka too.</summary>
    public bool IncludeSyncEvents { get; init; }

    /// <summary>Whether it is about a part of the deployment only.</summary>
    internal bool IsFiltered => Datasets.Count > 0 || JobIds.Count > 0;
}
