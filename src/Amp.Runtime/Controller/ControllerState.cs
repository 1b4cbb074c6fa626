namespace Amp.Controller;

/// <summary>What a controller of this process is doing.</summary>
public enum ControllerState
{
    /// <summary>Not started yet.</summary>
    Created,

    /// <summary>Leading: it retries failed jobs and moves those of silent workers.</summary>
    Leading,

    /// <summary>Another controller leads; this one takes over when that one ends.</summary>
    Waiting,

    /// <summary>Without its database; it goes on trying.</summary>
    Degraded,

    /// <summary>Stopped on request.</summary>
    Stopped,
}
