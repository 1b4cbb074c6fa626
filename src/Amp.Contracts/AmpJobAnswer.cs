namespace Amp;

/// <summary>What a handler says of the job it was given.</summary>
public sealed record AmpJobAnswer
{
    private AmpJobAnswer(AmpJobAnswerKind kind) => Kind = kind;

    /// <summary>What shall become of the job.</summary>
    public AmpJobAnswerKind Kind { get; }

    /// <summary>What the job gives, to be stored as JSON; null for nothing.</summary>
    public object? Result { get; private init; }

    /// <summary>Why; null when there is nothing to say.</summary>
    public string? Reason { get; private init; }

    /// <summary>How long to wait before the next attempt; null for the usual pause.</summary>
    public TimeSpan? After { get; private init; }

    /// <summary>The job is done.</summary>
    /// <param name="result">What it gives; null for nothing.</param>
    public static AmpJobAnswer Complete(object? result = null) => new(AmpJobAnswerKind.Complete) { Result = result };

    /// <summary>The attempt failed; the job is tried again while attempts are left.</summary>
    /// <param name="reason">What went wrong.</param>
    /// <param name="after">When to try again; null for a pause that doubles with each attempt. At most ten years.</param>
    public static AmpJobAnswer Retry(string reason, TimeSpan? after = null) => new(AmpJobAnswerKind.Retry) { Reason = reason, After = after };

    /// <summary>The job failed, and would again: it becomes a dead letter.</summary>
    /// <param name="reason">What went wrong.</param>
    public static AmpJobAnswer Fail(string reason) => new(AmpJobAnswerKind.Fail) { Reason = reason };

    /// <summary>Not now: the job is queued again, and the attempt does not count.</summary>
    /// <param name="after">When; at most in ten years.</param>
    public static AmpJobAnswer Snooze(TimeSpan after) => new(AmpJobAnswerKind.Snooze) { After = after };

    /// <summary>The job is not wanted any more.</summary>
    /// <param name="reason">Why.</param>
    public static AmpJobAnswer Cancel(string reason) => new(AmpJobAnswerKind.Cancel) { Reason = reason };
}

/// <summary>What shall become of a job.</summary>
public enum AmpJobAnswerKind
{
    /// <summary>It is done.</summary>
    Complete,

    /// <summary>It is tried again.</summary>
    Retry,

    /// <summary>It becomes a dead letter.</summary>
    Fail,

    /// <summary>It is queued again; the attempt does not count.</summary>
    Snooze,

    /// <summary>It is cancelled.</summary>
    Cancel,
}
