namespace Amp.Workers;

/// <summary>Time limits of a worker; the defaults are ampd's.</summary>
internal sealed record WorkerOptions
{
    /// <summary>How often the heartbeat is renewed; a worker is active while it is younger than 5 seconds.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often jobs and database are compared, in case a notification was lost.</summary>
    public TimeSpan ReconcileInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long to wait after a failure of the database before the next attempt.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long running jobs get to stop at shutdown.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
