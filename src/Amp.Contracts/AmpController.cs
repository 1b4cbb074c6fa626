namespace Amp;

/// <summary>A controller of this process.</summary>
public sealed record AmpController
{
    /// <summary>The metadata database it works on, password left out.</summary>
    public required string MetadataDb { get; init; }

    /// <summary><c>Leading</c>, <c>Waiting</c> (another controller leads), <c>Degraded</c> (without its database) or <c>Stopped</c>.</summary>
    public required string State { get; init; }

    /// <summary>Whether it is the one that retries and moves jobs.</summary>
    public required bool IsLeader { get; init; }

    /// <summary>Where its Admin API answers; null when it has none (solo mode, where the address is taken).</summary>
    public string? AdminApi { get; init; }

    /// <summary>What last went wrong; null when nothing is wrong.</summary>
    public string? LastError { get; init; }
}
