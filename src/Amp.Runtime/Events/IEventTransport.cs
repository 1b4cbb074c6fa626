namespace Amp.Events;

/// <summary>What the sink needs of a broker; the seam at which tests put failures.</summary>
internal interface IEventTransport : IAsyncDisposable
{
    /// <summary>Asks a broker for the topic. Takes seconds at most; never throws but when cancelled.</summary>
    Task<ProbeResult> ProbeAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Starts to send; <paramref name="report"/> is called exactly once, from any thread, when the broker has
    /// acknowledged the message or it failed for good. Never throws.
    /// </summary>
    void Send(string key, byte[] value, DateTimeOffset timestamp, Action<SendResult> report);

    /// <summary>Starts anew after <see cref="SendOutcome.Broken"/>.</summary>
    Task ResetAsync();
}

/// <summary>How a send ended.</summary>
internal enum SendOutcome
{
    /// <summary>The broker has it.</summary>
    Delivered,

    /// <summary>No answer in time; the broker may have it or not.</summary>
    Unanswered,

    /// <summary>The broker refused it, perhaps not the next time.</summary>
    Refused,

    /// <summary>No attempt can succeed with this message.</summary>
    Impossible,

    /// <summary>The client can send nothing any more until it is reset.</summary>
    Broken,
}

/// <summary>How a send ended; <paramref name="Reason"/> is a stable short name, <paramref name="Message"/> says more.</summary>
internal readonly record struct SendResult(SendOutcome Outcome, string Reason = "", string Message = "");

/// <summary>Whether events can be sent.</summary>
internal enum ProbeOutcome
{
    /// <summary>A broker answered and has the topic.</summary>
    Ready,

    /// <summary>No broker answered.</summary>
    Unreachable,

    /// <summary>A broker answered that there is no such topic, or that we may not use it.</summary>
    Refused,
}

/// <summary>What the broker said about the topic; <paramref name="Partitions"/> is set when it is ready.</summary>
internal readonly record struct ProbeResult(ProbeOutcome Outcome, int Partitions = 0, string Reason = "", string Message = "");
