using System.Management.Automation;
using Amp.BackgroundJobs;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Gets background jobs, newest first.</summary>
[Cmdlet(VerbsCommon.Get, "AmpBackgroundJob", DefaultParameterSetName = ByFilter)]
[OutputType(typeof(AmpBackgroundJob))]
public sealed class GetAmpBackgroundJobCommand : BackgroundJobCmdlet
{
    private const string ByFilter = "Filter";
    private const string ById = "Id";

    /// <summary>Numbers of the jobs.</summary>
    [Parameter(ParameterSetName = ById, Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(BackgroundJobIdCompleter))]
    public Guid[] JobId { get; set; } = [];

    /// <summary>Only jobs in these states.</summary>
    [Parameter(ParameterSetName = ByFilter)]
    public AmpBackgroundJobStatus[] Status { get; set; } = [];

    /// <summary>Only jobs of these types; wildcards are allowed.</summary>
    [Parameter(ParameterSetName = ByFilter)]
    [ArgumentCompleter(typeof(BackgroundJobTypeCompleter))]
    [SupportsWildcards]
    public string[] Type { get; set; } = [];

    /// <summary>Only jobs of these tenants.</summary>
    [Parameter(ParameterSetName = ByFilter)]
    [ArgumentCompleter(typeof(TenantCompleter))]
    public Guid[] TenantId { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == ById)
        {
            foreach (var jobId in JobId)
            {
                Run(async (jobs, pipeline, cancellationToken) => await pipeline.OutputAsync(await jobs.GetJobAsync(jobId, cancellationToken)));
            }

            return;
        }

        var query = new BackgroundJobQuery { Status = Status, Types = Type, TenantIds = TenantId };
        Run(async (jobs, pipeline, cancellationToken) =>
        {
            await foreach (var job in jobs.GetJobsAsync(query, cancellationToken))
            {
                await pipeline.OutputAsync(job);
            }
        });
    }
}
