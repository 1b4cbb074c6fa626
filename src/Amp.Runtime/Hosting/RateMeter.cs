namespace Amp.Hosting;

/// <summary>
/// How fast a number grows of which it is known only now and then how far it has come: over the last <see cref="Window"/> before
/// it grew last, or since the growth before that where such steps are rarer. Without further growth, the rate fades away.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class RateMeter(TimeProvider time)
{
    /// <summary>How far back it looks; longer where the number grows in rarer steps.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private readonly Queue<(long At, double Value)> _steps = new();
    private (long At, double Value) _last;

    /// <summary>Takes how far the number has come, and gives its rate per second; null until it has grown.</summary>
    /// <param name="value">The number; a smaller one than before begins anew.</param>
    public double? Measure(double value)
    {
        var now = time.GetTimestamp();
        if (value < _last.Value)
        {
            _steps.Clear();
        }

        if (_steps.Count == 0 || value > _last.Value)
        {
            _last = (now, value);
            _steps.Enqueue(_last);
        }

        while (_steps.Count > 1 && time.GetElapsedTime(_steps.ElementAt(1).At, _last.At) >= Window)
        {
            _steps.Dequeue();
        }

        var from = _steps.Peek();
        var seconds = time.GetElapsedTime(from.At, now).TotalSeconds;
        return value > from.Value && seconds > 0 ? (value - from.Value) / seconds : null;
    }
}
