using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>Asks for jobs to be stopped. What they have committed stays.</summary>
[Cmdlet(VerbsLifecycle.Stop, "AmpJob", SupportsShouldProcess = true)]
[OutputType(typeof(AmpJob))]
public sealed class StopAmpJobCommand : AmpDeploymentCmdlet
{
    /// <summary>Numbers of the jobs.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    public long[] JobId { get; set; } = [];

    /// <summary>Writes the job after the request.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var jobId in JobId)
        {
            if (ShouldProcess($"job {jobId}", "Stop"))
            {
                Run(async (deployment, pipeline, cancellationToken) =>
                {
                    var job = await deployment.Client.StopJobAsync(jobId, cancellationToken);
                    if (PassThru)
                    {
                        await pipeline.OutputAsync(job);
                    }
                });
            }
        }
    }
}
