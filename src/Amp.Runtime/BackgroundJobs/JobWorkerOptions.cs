namespace Amp.BackgroundJobs;

/// <summary>How a worker of background jobs works.</summary>
public sealed record JobWorkerOptions
{
    /// <summary>How many jobs it runs at once; 1 or more.</summary>
    public int PoolSize { get; init; } = 10;

    /// <summary>Whether it runs the jobs of campaigns as well: e-mails (where a mail server is configured), positions, rewards.</summary>
    public bool RunsCampaigns { get; init; }

    /// <summary>How long jobs may go on when the worker is told to stop; then they are cancelled and given back, and the attempt does not count.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
