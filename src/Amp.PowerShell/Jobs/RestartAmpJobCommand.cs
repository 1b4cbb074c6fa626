using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>Schedules jobs that have ended again, with the same settings; they go on where they stopped.</summary>
[Cmdlet(VerbsLifecycle.Restart, "AmpJob", SupportsShouldProcess = true)]
[OutputType(typeof(AmpJob))]
public sealed class RestartAmpJobCommand : AmpDeploymentCmdlet
{
    /// <summary>Numbers of the jobs.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    public long[] JobId { get; set; } = [];

    /// <summary>Node id of the worker to use, wildcards allowed; the job's own when left out, or, if that is not active, the least loaded one.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(NodeIdCompleter))]
    [SupportsWildcards]
    public string? Worker { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var jobId in JobId)
        {
            if (ShouldProcess($"job {jobId}", "Restart"))
            {
                Run(async (deployment, pipeline, cancellationToken) =>
                    await pipeline.OutputAsync(await deployment.Client.RestartJobAsync(jobId, Worker, cancellationToken)));
            }
        }
    }
}
