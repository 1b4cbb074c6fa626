namespace Amp;

/// <summary>Whose service manager runs a service.</summary>
public enum AmpServiceScope
{
    /// <summary>The machine's: it starts with the machine and runs as root unless told otherwise.</summary>
    System,

    /// <summary>The present user's: it starts when the user logs in.</summary>
    User,
}

/// <summary>A worker that the machine's service manager runs.</summary>
public sealed record AmpWorkerService
{
    /// <summary>The worker's node id.</summary>
    public required string NodeId { get; init; }

    /// <summary>Name of the service, as <c>systemctl</c> or <c>sc.exe</c> takes it.</summary>
    public required string Name { get; init; }

    /// <summary>Whose service manager runs it.</summary>
    public required AmpServiceScope Scope { get; init; }

    /// <summary>The unit file, or the registry key, that describes it.</summary>
    public required string Path { get; init; }
}
