namespace Amp.Workers;

/// <summary>What a worker of this process is doing.</summary>
public enum WorkerState
{
    /// <summary>Not started yet.</summary>
    Created,

    /// <summary>Registering, locking its name, listening.</summary>
    Starting,

    /// <summary>Running.</summary>
    Running,

    /// <summary>Running, but without its database: it goes on trying.</summary>
    Degraded,

    /// <summary>Ending its jobs.</summary>
    Stopping,

    /// <summary>Stopped on request.</summary>
    Stopped,

    /// <summary>Ended by itself: <see cref="WorkerService.LastError"/> says why.</summary>
    Failed,
}
