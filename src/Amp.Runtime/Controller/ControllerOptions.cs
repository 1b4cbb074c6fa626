namespace Amp.Controller;

/// <summary>Time limits of a controller.</summary>
internal sealed record ControllerOptions
{
    /// <summary>How long a worker may be silent before its jobs move to another one.</summary>
    public TimeSpan FailoverAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest pause before a job that failed is scheduled again.</summary>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How often the jobs are looked at, and how often one that does not lead tries to.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a leader may be silent before another controller puts it out.</summary>
    public TimeSpan LeaderPatience { get; init; } = TimeSpan.FromSeconds(6);
}
