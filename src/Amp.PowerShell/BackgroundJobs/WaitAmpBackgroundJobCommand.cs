using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Waits until background jobs have ended, and writes each then.</summary>
[Cmdlet(VerbsLifecycle.Wait, "AmpBackgroundJob")]
[OutputType(typeof(AmpBackgroundJob))]
public sealed class WaitAmpBackgroundJobCommand : BackgroundJobCmdlet
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly List<Guid> _jobIds = [];

    /// <summary>Numbers of the jobs.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(BackgroundJobIdCompleter))]
    public Guid[] JobId { get; set; } = [];

    /// <summary>How long to wait at most; without end when left out.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? Timeout { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _jobIds.AddRange(JobId);

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(async (jobs, pipeline, cancellationToken) =>
    {
        var deadline = DateTimeOffset.UtcNow + Timeout;
        var bar = new CountBar(pipeline, "Waiting for background jobs", "jobs");
        foreach (var (done, jobId) in _jobIds.Index())
        {
            try
            {
                await pipeline.OutputAsync(await WaitAsync(jobs, jobId, deadline, () => bar.Report((done, _jobIds.Count)), cancellationToken));
            }
            catch (AmpException e)
            {
                await pipeline.ErrorAsync(e);
            }
        }
    });

    private static async Task<AmpBackgroundJob> WaitAsync(
        AmpBackgroundJobs jobs, Guid jobId, DateTimeOffset? deadline, Action draw, CancellationToken cancellationToken)
    {
        while (true)
        {
            var job = await jobs.GetJobAsync(jobId, cancellationToken);
            if (job.IsTerminal)
            {
                return job;
            }

            if (DateTimeOffset.UtcNow >= deadline)
            {
                throw new AmpException("BackgroundJobNotEnded", AmpErrorKind.InvalidState, $"Background job {jobId} has not ended in time; it is {job.Status}.")
                {
                    Target = jobId,
                    RecommendedAction = "Wait longer, and see whether a worker runs: Get-AmpBackgroundWorker",
                };
            }

            draw();
            await Task.Delay(Interval, cancellationToken);
        }
    }
}
