using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>Gets how far jobs have come, one object per table.</summary>
[Cmdlet(VerbsCommon.Get, "AmpJobProgress")]
[OutputType(typeof(AmpTableProgress))]
public sealed class GetAmpJobProgressCommand : AmpDeploymentCmdlet
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
                foreach (var table in (await deployment.Client.GetJobProgressAsync(jobId, cancellationToken)).Tables)
                {
                    await pipeline.OutputAsync(table);
                }
            });
        }
    }
}
