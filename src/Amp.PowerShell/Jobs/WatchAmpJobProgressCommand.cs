using System.Management.Automation;
using Amp.Hosting;
using Amp.Internal;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>
/// Follows jobs until they end: writes one object per change of a table and draws one progress bar per table.
/// </summary>
[Cmdlet(VerbsCommon.Watch, "AmpJobProgress")]
[OutputType(typeof(AmpTableProgress))]
public sealed class WatchAmpJobProgressCommand : AmpDeploymentCmdlet
{
    /// <summary>Numbers of the jobs.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    public long[] JobId { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var jobId in JobId)
        {
            Run((deployment, pipeline, cancellationToken) => WatchAsync(deployment.Client, jobId, pipeline, cancellationToken));
        }
    }

    private static async Task WatchAsync(IAmpClient client, long jobId, PipelineWriter pipeline, CancellationToken cancellationToken)
    {
        var bars = new Dictionary<string, ProgressRecord>(StringComparer.Ordinal);
        await foreach (var table in JobWatch.FollowAsync(client, jobId, TimeProvider.System, cancellationToken))
        {
            if (!bars.TryGetValue(table.Table, out var bar))
            {
                bar = new ProgressRecord(BarId(jobId, bars.Count), $"Job {jobId}: {table.Table}", "waiting");
                bars.Add(table.Table, bar);
            }

            Draw(bar, table);
            await pipeline.ProgressAsync(bar);
            await pipeline.OutputAsync(table);
        }

        foreach (var bar in bars.Values)
        {
            bar.RecordType = ProgressRecordType.Completed;
            await pipeline.ProgressAsync(bar);
        }

        var job = await client.GetJobAsync(jobId, cancellationToken);
        if (JobErrors.From(job.JobId, job.Status, job.ErrorMessage) is { } error)
        {
            await pipeline.ErrorAsync(error);
        }
    }

    private static int BarId(long jobId, int table) => (int)(((jobId * 16) + table) & int.MaxValue);

    private static void Draw(ProgressRecord bar, AmpTableProgress table)
    {
        bar.StatusDescription =
            $"block {table.CurrentBlock} of {table.EndBlock}, {table.FilesCount} files, {_Format.Size(table.TotalSizeBytes)} {_Format.Rate(table.BlocksPerSecond)}";
        bar.PercentComplete = table.PercentComplete is { } percent ? (int)percent : -1;
        if (table is { BlocksPerSecond: > 0 and var rate, EndBlock: { } end, CurrentBlock: { } current } && end >= current)
        {
            bar.SecondsRemaining = (int)Math.Min(int.MaxValue, (end - current) / rate);
        }
    }
}
