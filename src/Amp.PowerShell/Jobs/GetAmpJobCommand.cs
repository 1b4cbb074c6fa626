using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>Gets jobs, newest first.</summary>
[Cmdlet(VerbsCommon.Get, "AmpJob", DefaultParameterSetName = ByFilter)]
[OutputType(typeof(AmpJob))]
public sealed class GetAmpJobCommand : AmpDeploymentCmdlet
{
    private const string ByFilter = "Filter";
    private const string ById = "Id";

    /// <summary>Numbers of the jobs.</summary>
    [Parameter(ParameterSetName = ById, Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    public long[] JobId { get; set; } = [];

    /// <summary>Only jobs in these states.</summary>
    [Parameter(ParameterSetName = ByFilter)]
    public AmpJobStatus[] Status { get; set; } = [];

    /// <summary>Only jobs of these datasets, as <c>namespace/name</c>; wildcards are allowed.</summary>
    [Parameter(ParameterSetName = ByFilter)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [SupportsWildcards]
    public string[]? Dataset { get; set; }

    /// <summary>Only jobs of these workers; wildcards are allowed.</summary>
    [Parameter(ParameterSetName = ByFilter)]
    [ArgumentCompleter(typeof(NodeIdCompleter))]
    [SupportsWildcards]
    public string[]? NodeId { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == ById)
        {
            foreach (var jobId in JobId)
            {
                Run(async (deployment, pipeline, cancellationToken) =>
                    await pipeline.OutputAsync(await deployment.Client.GetJobAsync(jobId, cancellationToken)));
            }

            return;
        }

        var datasets = new NameFilter(Dataset);
        var workers = new NameFilter(NodeId);
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            await foreach (var job in deployment.Client.GetJobsAsync(new JobQuery { Status = Status }, cancellationToken))
            {
                if (datasets.IsMatch(job.Dataset) && workers.IsMatch(job.NodeId))
                {
                    await pipeline.OutputAsync(job);
                }
            }
        });
    }
}
