namespace Amp.Extraction.EvmRpc;

/// <summary>How often and when a call that failed for a passing reason is made again.</summary>
internal sealed record RpcRetryPolicy
{
    /// <summary>Made once, never again.</summary>
    public static readonly RpcRetryPolicy None = new() { MaxAttempts = 1, MaxRateLimitWait = TimeSpan.Zero };

    /// <summary>How often a call is made in all, not counting those that met a limit on the rate.</summary>
    public int MaxAttempts { get; init; } = 8;

    /// <summary>Pause before the second attempt; it doubles with each further one.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Longest pause, also when the node asks for a longer one.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a call is put off in all while the node says that there are too many requests: that is no failure, but
    /// at some point it is.
    /// </summary>
    public TimeSpan MaxRateLimitWait { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>
    /// Pause after an attempt (1 is the first): a random share, between a half and the whole, of what the doubling
    /// gives, so that many callers do not come back at once; at least as long as the node asks for.
    /// </summary>
    public TimeSpan DelayAfter(int attempt, TimeSpan? retryAfter)
    {
        var doubled = FirstDelay * Math.Pow(2, Math.Min(attempt - 1, 30));
        var delay = (doubled < MaxDelay ? doubled : MaxDelay) * (0.5 + (Random.Shared.NextDouble() / 2));
        return retryAfter is { } asked && asked > delay ? (asked < MaxDelay ? asked : MaxDelay) : delay;
    }
}
