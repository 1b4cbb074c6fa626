using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>A cmdlet that works on the background jobs of the deployment the session is connected to.</summary>
public abstract class BackgroundJobCmdlet : AmpDeploymentCmdlet
{
    /// <summary>Runs work on the background jobs; see <see cref="AmpCmdlet.Run"/>.</summary>
    private protected void Run(Func<AmpBackgroundJobs, PipelineWriter, CancellationToken, Task> work) =>
        Run(async (deployment, pipeline, cancellationToken) =>
            await work(await deployment.OpenBackgroundJobsAsync(cancellationToken), pipeline, cancellationToken));
}
