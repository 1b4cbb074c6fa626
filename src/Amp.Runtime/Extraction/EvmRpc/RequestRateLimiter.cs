namespace Amp.Extraction.EvmRpc;

/// <summary>
/// Spreads requests so that no more than a given number start in a minute. A token bucket that holds the tokens of
/// one second, so that an idle client does not begin with a minute's worth at once.
/// </summary>
internal sealed class RequestRateLimiter
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly long _interval;
    private readonly long _slack;
    private long _nextSlot = long.MinValue;

    public RequestRateLimiter(int requestsPerMinute, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(requestsPerMinute, 1);
        _time = time;
        _interval = time.TimestampFrequency * 60 / requestsPerMinute;
        _slack = _interval * (Math.Max(1, requestsPerMinute / 60) - 1);
    }

    /// <summary>Waits until the next request may start.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        TimeSpan delay;
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            var slot = Math.Max(_nextSlot, now - _slack);
            _nextSlot = slot + _interval;
            delay = slot > now ? _time.GetElapsedTime(now, slot) : TimeSpan.Zero;
        }

        if (delay > TimeSpan.Zero)
        {
            await Task.Delay(delay, _time, cancellationToken);
        }
    }
}
