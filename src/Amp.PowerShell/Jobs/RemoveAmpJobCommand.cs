using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>Removes jobs that have ended, with their events. Tables and files stay.</summary>
[Cmdlet(VerbsCommon.Remove, "AmpJob", SupportsShouldProcess = true)]
public sealed class RemoveAmpJobCommand : AmpDeploymentCmdlet
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
            if (ShouldProcess($"job {jobId}", "Remove"))
            {
                Run((deployment, _, cancellationToken) => deployment.Client.RemoveJobAsync(jobId, cancellationToken));
            }
        }
    }
}
