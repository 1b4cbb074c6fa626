namespace Amp.Extraction;

/// <summary>
/// Times of segments. Of two segments that fit, readers take the later one: so a segment that is written is always later than
/// those that were there, even where the machine's clock, or that of another worker before, went wrong. Safe for use by
/// several writers.
/// </summary>
internal sealed class SegmentClock(TimeProvider time)
{
    private readonly Lock _gate = new();
    private DateTimeOffset _last;

    /// <summary>Takes note of a segment that is there.</summary>
    public void Saw(DateTimeOffset createdAt)
    {
        lock (_gate)
        {
            _last = createdAt > _last ? createdAt : _last;
        }
    }

    /// <summary>The time for a segment that is written now.</summary>
    public DateTimeOffset Next()
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            return _last = now > _last ? now : _last.AddTicks(1);
        }
    }
}
