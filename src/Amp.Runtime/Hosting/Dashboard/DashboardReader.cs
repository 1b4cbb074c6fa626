using Amp.MetadataDb;

namespace Amp.Hosting.Dashboard;

/// <summary>Looks at a deployment again and again, and measures rates between the looks.</summary>
/// <param name="client">The deployment.</param>
/// <param name="connection">Its address, to show.</param>
/// <param name="choose">Which jobs to show.</param>
/// <param name="jobIds">Numbers of the jobs to show, with their parts; empty for those at work and the newest others.</param>
/// <param name="interval">Pause between two looks.</param>
/// <param name="time">The clock.</param>
public sealed class DashboardReader(
    IAmpClient client, string connection, Predicate<AmpJob> choose, IReadOnlyCollection<long> jobIds, TimeSpan interval, TimeProvider time)
{
    /// <summary>Among so many of the newest jobs are those shown that have ended.</summary>
    public const int NewestJobs = 100;

    private Dictionary<(long JobId, string Table), TableMeters> _meters = [];

    /// <summary>What was seen last.</summary>
    public DashboardState State { get; private set; } = new() { Connection = connection };

    /// <summary>Looks; when that fails, what was seen before stays, with the reason.</summary>
    /// <param name="cancellationToken">Ends the look.</param>
    public async Task ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            State = await LookAsync(cancellationToken);
        }
        catch (AmpException e)
        {
            State = State with { Problem = e.Message };
        }
    }

    /// <summary>Pauses and looks.</summary>
    /// <param name="cancellationToken">Ends pause and look.</param>
    public async Task ReadAgainAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(interval, time, cancellationToken);
        await ReadAsync(cancellationToken);
    }

    private async Task<DashboardState> LookAsync(CancellationToken cancellationToken)
    {
        var workers = await client.GetWorkersAsync(cancellationToken).ToListAsync(cancellationToken);
        var active = await client.GetJobsAsync(new JobQuery { Status = JobStatusText.Active }, cancellationToken).ToListAsync(cancellationToken);
        var others = jobIds.Count == 0
            ? await client.GetJobsAsync(new JobQuery { Limit = NewestJobs }, cancellationToken).ToListAsync(cancellationToken)
            : await FindAsync(jobIds.Except(active.Select(job => job.JobId)), cancellationToken);
        var jobs = new List<DashboardJob>();
        var meters = new Dictionary<(long JobId, string Table), TableMeters>();
        foreach (var job in others.Concat(active).DistinctBy(job => job.JobId).Where(job => choose(job) && job.IsAmong(jobIds)))
        {
            jobs.Add(await MeasureAsync(job, meters, cancellationToken));
        }

        _meters = meters;

        return new DashboardState
        {
            Connection = connection,
            ReadAt = time.GetUtcNow(),
            NextAt = time.GetUtcNow() + interval,
            Workers = workers,
            Jobs = [.. jobs.OrderBy(job => Rank(job.Job.Status)).ThenByDescending(job => job.Job.PartOf ?? job.Job.JobId).ThenBy(job => job.Job.JobId)],
            BlocksPerSecond = Sum(jobs.Select(job => job.Slowest?.BlocksPerSecond)),
            BytesPerSecond = Sum(jobs.Select(job => job.BytesPerSecond)),
        };
    }

    private async Task<List<AmpJob>> FindAsync(IEnumerable<long> ids, CancellationToken cancellationToken)
    {
        var found = new List<AmpJob>();
        foreach (var id in ids)
        {
            try
            {
                found.Add(await client.GetJobAsync(id, cancellationToken));
            }
            catch (AmpException e) when (e.Kind == AmpErrorKind.NotFound)
            {
                // Removed since.
            }
        }

        return found;
    }

    private async Task<DashboardJob> MeasureAsync(
        AmpJob job, Dictionary<(long JobId, string Table), TableMeters> meters, CancellationToken cancellationToken)
    {
        if (job.IsTerminal || job.Status == AmpJobStatus.Scheduled || job.PartOf is not null)
        {
            return new DashboardJob(job, []);
        }

        var tables = new List<AmpTableProgress>();
        var bytesPerSecond = new List<double?>();
        foreach (var table in (await client.GetJobProgressAsync(job.JobId, cancellationToken)).Tables)
        {
            var key = (job.JobId, table.Table);
            var meter = meters[key] = _meters.GetValueOrDefault(key) ?? new TableMeters(new RateMeter(time), new RateMeter(time));
            tables.Add(table with { BlocksPerSecond = meter.Blocks.Measure(table.BlocksCount) });
            bytesPerSecond.Add(meter.Bytes.Measure(table.TotalSizeBytes));
        }

        return new DashboardJob(job, tables, Sum(bytesPerSecond));
    }

    /// <summary>The sum of those that are known; null when none is.</summary>
    private static double? Sum(IEnumerable<double?> rates) => rates.Aggregate((double?)null, (sum, rate) => sum + rate ?? sum ?? rate);

    private static int Rank(AmpJobStatus status) => status switch
    {
        AmpJobStatus.Running => 0,
        AmpJobStatus.StopRequested or AmpJobStatus.Stopping => 1,
        AmpJobStatus.Scheduled => 2,
        AmpJobStatus.Error or AmpJobStatus.Fatal => 3,
        _ => 4,
    };

    private sealed record TableMeters(RateMeter Blocks, RateMeter Bytes);
}
