using System.Management.Automation;
using Amp.BackgroundJobs;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>A cmdlet that does something to dead letters: to some, to those of a filter, or to all.</summary>
public abstract class DeadLetterCmdlet : BackgroundJobCmdlet
{
    private const string ById = "Id";
    private const string ByFilter = "Filter";
    private const string ByAll = "All";
    private const int Batch = 500;

    private readonly List<Guid> _jobIds = [];

    /// <summary>Numbers of their jobs.</summary>
    [Parameter(ParameterSetName = ById, Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DeadLetterCompleter))]
    public Guid[] JobId { get; set; } = [];

    /// <summary>Those of these types of jobs; wildcards are allowed.</summary>
    [Parameter(ParameterSetName = ByFilter)]
    [ArgumentCompleter(typeof(BackgroundJobTypeCompleter))]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[] Type { get; set; } = [];

    /// <summary>Those of these tenants.</summary>
    [Parameter(ParameterSetName = ByFilter)]
    [ArgumentCompleter(typeof(TenantCompleter))]
    [ValidateNotNullOrEmpty]
    public Guid[] TenantId { get; set; } = [];

    /// <summary>All there are, of all tenants.</summary>
    [Parameter(ParameterSetName = ByAll, Mandatory = true)]
    public SwitchParameter All { get; set; }

    /// <summary>What is done, for <c>-WhatIf</c>.</summary>
    private protected abstract string Action { get; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == ById)
        {
            _jobIds.AddRange(JobId.Where(jobId => ShouldProcess($"dead letter {jobId}", Action)));
            return;
        }

        if (!All && Type.Length == 0 && TenantId.Length == 0)
        {
            ThrowTerminatingError(AmpErrors.From(new AmpException("DeadLetterFilterRequired", AmpErrorKind.InvalidInput, "It was not said which dead letters are meant, so nothing was done.")
            {
                RecommendedAction = "Give their job ids, -Type or -TenantId, or -All for every one there is.",
            }));
        }

        if (ShouldProcess(All ? "all dead letters" : $"dead letters of {string.Join(", ", Type.Concat(TenantId.Select(id => $"tenant {id}")))}", Action))
        {
            Run(async (jobs, _, cancellationToken) =>
                _jobIds.AddRange((await jobs.GetDeadLettersAsync(Type, TenantId, cancellationToken)).Select(letter => letter.JobId)));
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        foreach (var batch in _jobIds.Chunk(Batch))
        {
            Run(async (AmpBackgroundJobs jobs, PipelineWriter pipeline, CancellationToken cancellationToken) =>
            {
                var letters = await jobs.GetJobsAsync(new BackgroundJobQuery { JobIds = batch, Status = [AmpBackgroundJobStatus.DeadLettered] }, cancellationToken)
                    .Select(job => job.JobId).ToHashSetAsync(null, cancellationToken);

                // One that somebody else dealt with since a filter found it is no error.
                foreach (var missing in batch.Where(jobId => ParameterSetName == ById && !letters.Contains(jobId)))
                {
                    await pipeline.ErrorAsync(AmpErrors.NotFound("DeadLetterNotFound", $"There is no dead letter {missing}.", missing, "Get-AmpDeadLetter lists them."));
                }

                if (letters.Count > 0)
                {
                    await ChangeAsync(jobs, [.. batch.Where(letters.Contains)], pipeline, cancellationToken);
                }
            });
        }
    }

    /// <summary>Does it.</summary>
    private protected abstract Task ChangeAsync(AmpBackgroundJobs jobs, Guid[] jobIds, PipelineWriter pipeline, CancellationToken cancellationToken);
}
