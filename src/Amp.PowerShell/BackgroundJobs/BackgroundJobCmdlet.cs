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

    /// <summary>JSON of an object of the shell's; a text is JSON already. Pipeline thread only.</summary>
    private protected string ToJson(object value) => value is string json
        ? json
        : (string)InvokeCommand.InvokeScript("param($o) ConvertTo-Json -InputObject $o -Compress -Depth 20", value)[0].BaseObject;
}
