namespace Amp.BackgroundJobs;

/// <summary>Which background jobs to list.</summary>
public sealed record BackgroundJobQuery
{
    /// <summary>Only jobs in these states; all when empty.</summary>
    public IReadOnlyList<AmpBackgroundJobStatus> Status { get; init; } = [];

    /// <summary>Only jobs of these types; wildcards are allowed. All when empty.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>Only jobs of these tenants; all when empty.</summary>
    public IReadOnlyList<Guid> TenantIds { get; init; } = [];

    /// <summary>Only these jobs; all when empty.</summary>
    public IReadOnlyList<Guid> JobIds { get; init; } = [];
}
