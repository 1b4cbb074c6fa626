using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>Gets what happened to jobs: each change of state, with the worker and what it was about.</summary>
[Cmdlet(VerbsCommon.Get, "AmpJobEvent")]
[OutputType(typeof(AmpJobEvent))]
public sealed class GetAmpJobEventCommand : AmpDeploymentCmdlet
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
            Run(async (deployment, pipeline, cancellationToken) =>
            {
                await foreach (var transition in deployment.Client.GetJobEventsAsync(jobId, cancellationToken))
                {
                    await pipeline.OutputAsync(transition);
                }
            });
        }
    }
}
