using System.Runtime.CompilerServices;

namespace Amp.Hosting;

/// <summary>Follows a job from outside, by looking at it again and again.</summary>
public static class JobWatch
{
    /// <summary>How often a job is looked at.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Each table's progress as it stands, then again whenever it has changed, until the job ends. Rates are measured
    /// from the first look on.
    /// </summary>
    /// <param name="client">Where the job is.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the watching.</param>
    public static async IAsyncEnumerable<AmpTableProgress> FollowAsync(
        IAmpClient client, long jobId, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var first = new Dictionary<string, ulong>(StringComparer.Ordinal);
        var last = new Dictionary<string, AmpTableProgress>(StringComparer.Ordinal);
        while (true)
        {
            var job = await client.GetJobProgressAsync(jobId, cancellationToken);
            var seconds = time.GetElapsedTime(started).TotalSeconds;
            foreach (var table in job.Tables)
            {
                var done = table.BlocksCount;
                var doneAtFirst = first.TryAdd(table.Table, done) ? done : first[table.Table];
                if (!last.TryGetValue(table.Table, out var before) || before != table)
                {
                    last[table.Table] = table;
                    yield return table with
                    {
                        BlocksPerSecond = seconds > 0 && done > doneAtFirst ? (done - doneAtFirst) / seconds : null,
                    };
                }
            }

            if (job.Status is AmpJobStatus.Completed or AmpJobStatus.Stopped or AmpJobStatus.Error or AmpJobStatus.Fatal)
            {
                yield break;
            }

            await Task.Delay(Interval, time, cancellationToken);
        }
    }

    /// <summary>Waits until a job has ended and gives it.</summary>
    /// <param name="client">Where the job is.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<AmpJob> WaitAsync(
        IAmpClient client, long jobId, TimeProvider time, CancellationToken cancellationToken)
    {
        while (true)
        {
            var job = await client.GetJobAsync(jobId, cancellationToken);
            if (job.IsTerminal)
            {
                return job;
            }

            await Task.Delay(Interval, time, cancellationToken);
        }
    }
}
