using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Amp.BackgroundJobs;

/// <summary>Counts what a worker does: for its own pace, for metrics, and for people to look at. Safe for many threads.</summary>
internal sealed class JobTally(TimeProvider time)
{
    private static readonly Meter Meter = new("Amp.BackgroundJobs");
    private static readonly Counter<long> Ended = Meter.CreateCounter<long>("amp.background_jobs.ended", "{job}", "Attempts that ended, by type and outcome.");
    private static readonly Histogram<double> Durations = Meter.CreateHistogram<double>("amp.background_jobs.duration", "s", "How long attempts took, by type.");
    private static readonly Counter<long> Stale = Meter.CreateCounter<long>("amp.background_jobs.stale", "{job}", "Attempts whose job was another worker's meanwhile.");

    private readonly ConcurrentDictionary<string, long> _errors = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private long _mark = time.GetTimestamp();
    private long _sinceMark;
    private long _completed;
    private long _failed;
    private long _stale;

    /// <summary>Attempts that ended in a second, over the last second or so.</summary>
    public double PerSecond { get; private set; }

    /// <summary>Counts an attempt that ended.</summary>
    public void Count(string type, JobVerdict verdict, TimeSpan duration)
    {
        Ended.Add(1, new KeyValuePair<string, object?>("type", type), new KeyValuePair<string, object?>("outcome", verdict.ToString()));
        Durations.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("type", type));
        if (verdict is JobVerdict.Complete)
        {
            Interlocked.Increment(ref _completed);
        }
        else if (verdict is JobVerdict.Retry or JobVerdict.GiveUp)
        {
            Interlocked.Increment(ref _failed);
            _errors.AddOrUpdate(type, 1, (_, count) => count + 1);
        }

        Pace(1);
    }

    /// <summary>Counts an attempt that did not count.</summary>
    public void CountStale()
    {
        Stale.Add(1);
        Interlocked.Increment(ref _stale);
    }

    /// <summary>The counts, with those of the worker's other parts.</summary>
    public JobWorkerStatus Describe(int running, JobFeed? feed, string? error)
    {
        Pace(0);
        return new JobWorkerStatus(
            running, _completed, _failed, _stale, Math.Round(PerSecond, 1), _errors.OrderByDescending(pair => pair.Value).Take(20).ToDictionary(), feed?.Partitions, feed?.Lag,
            error ?? feed?.LastError);
    }

    private void Pace(int ended)
    {
        lock (_gate)
        {
            _sinceMark += ended;
            var elapsed = time.GetElapsedTime(_mark);
            if (elapsed >= TimeSpan.FromMilliseconds(200))
            {
                // Half of it is the last fifth of a second: quick to notice, slow to forget.
                PerSecond = (PerSecond / 2) + (_sinceMark / elapsed.TotalSeconds / 2);
                (_mark, _sinceMark) = (time.GetTimestamp(), 0);
            }
        }
    }
}
