using System.Runtime.CompilerServices;

namespace Amp.Hosting;

/// <summary>Follows a job from outside, by looking at it again and again.</summary>
public static class JobWatch
{
    /// <summary>How long a job is left alone before it is looked at again; longer where looking takes long.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Each table's progress as it stands, then again whenever it has changed, until the job ends, with the rate that
    /// <see cref="RateMeter"/> measures.
    /// </summary>
    /// <param name="client">Where the job is.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the watching.</param>
    public static async IAsyncEnumerable<AmpTableProgress> FollowAsync(
        IAmpClient client, long jobId, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var meters = new Dictionary<string, RateMeter>(StringComparer.Ordinal);
        var last = new Dictionary<string, AmpTableProgress>(StringComparer.Ordinal);
        while (true)
        {
            var start = time.GetTimestamp();
            var job = await client.GetJobProgressAsync(jobId, cancellationToken);
            var took = time.GetElapsedTime(start);
            foreach (var table in job.Tables)
            {
                meters.TryAdd(table.Table, new RateMeter(time));
                var rate = meters[table.Table].Measure(table.BlocksCount);
                if (!last.TryGetValue(table.Table, out var before) || before != table)
                {
                    last[table.Table] = table;
                    yield return table with { BlocksPerSecond = rate };
                }
            }

            if (job.Status.IsTerminal())
            {
                yield break;
            }

            // The more files its tables have, the longer the database adds them up: at most a tenth of the time.
            await Task.Delay(took * 9 > Interval ? took * 9 : Interval, time, cancellationToken);
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
