namespace Amp.BackgroundJobs;

/// <summary>How a worker of background jobs works.</summary>
public sealed record JobWorkerOptions
{
    /// <summary>How many jobs it runs at once; 1 or more.</summary>
    public int PoolSize { get; init; } = 10;

    /// <summary>How long jobs may go on when the worker is told to stop; then they are cancelled and given back, and the attempt does not count.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
