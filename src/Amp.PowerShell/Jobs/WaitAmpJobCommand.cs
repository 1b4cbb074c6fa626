using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>Waits until jobs have ended and writes them; a job that failed is an error as well.</summary>
[Cmdlet(VerbsLifecycle.Wait, "AmpJob")]
[OutputType(typeof(AmpJob))]
public sealed class WaitAmpJobCommand : AmpDeploymentCmdlet
{
    /// <summary>Numbers of the jobs.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    public long[] JobId { get; set; } = [];

    /// <summary>Gives up after this time, with an error; the job goes on.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? Timeout { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var jobId in JobId)
        {
            Run(async (deployment, pipeline, cancellationToken) =>
            {
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                var waiting = JobWatch.WaitAsync(deployment.Client, jobId, TimeProvider.System, stop.Token);
                var drawing = DrawAsync(deployment.Client, jobId, pipeline, stop.Token);
                AmpJob job;
                try
                {
                    job = await waiting.WaitAsync(Timeout ?? System.Threading.Timeout.InfiniteTimeSpan, cancellationToken);
                }
                catch (TimeoutException)
                {
                    throw new AmpException("JobWaitTimedOut", AmpErrorKind.InvalidState, $"Job {jobId} had not ended after {Timeout}.")
                    {
                        Target = jobId,
                        RecommendedAction = $"See how far it is with 'Get-AmpJobProgress {jobId}'.",
                    };
                }
                finally
                {
                    stop.Cancel();
                    await Task.WhenAll(waiting, drawing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }

                await pipeline.OutputAsync(job);
                if (JobErrors.From(job.JobId, job.Status, job.ErrorMessage) is { } error)
                {
                    await pipeline.ErrorAsync(error);
                }
            });
        }
    }

    /// <summary>Draws a bar for each table, until the job has ended. What goes wrong here goes wrong with the wait as well, which tells.</summary>
    private static async Task DrawAsync(IAmpClient client, long jobId, PipelineWriter pipeline, CancellationToken cancellationToken)
    {
        await foreach (var table in JobWatch.FollowAsync(client, jobId, TimeProvider.System, cancellationToken))
        {
            pipeline.Progress(TableBar.Of(table));
        }
    }
}
