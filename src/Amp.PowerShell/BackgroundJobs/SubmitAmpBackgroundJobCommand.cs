using System.IO.Enumeration;
using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>
/// Queues background jobs. Those of one pipeline are queued together, up to 500 at once, so that many cost little; of each such batch all
/// are queued or none.
/// </summary>
[Cmdlet(VerbsLifecycle.Submit, "AmpBackgroundJob", SupportsShouldProcess = true)]
[OutputType(typeof(AmpBackgroundJob))]
public sealed class SubmitAmpBackgroundJobCommand : BackgroundJobCmdlet
{
    private const int Batch = 500;

    private static readonly TimeSpan Longest = TimeSpan.FromDays(3_650);

    private readonly List<BackgroundJobRequest> _requests = [];

    /// <summary>What to do: words with dots between, such as <c>job.email.welcome</c>.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(BackgroundJobTypeCompleter))]
    [ValidateNotNullOrEmpty]
    public string Type { get; set; } = "";

    /// <summary>What the handler gets: a hashtable or an object, or a JSON object as text. A job or a dead letter gives its own payload.</summary>
    [Parameter(Position = 1, ValueFromPipeline = true)]
    [ValidateNotNull]
    public object Payload { get; set; } = "{}";

    /// <summary>Whose job it is; the tenant of all zeros when left out.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TenantCompleter))]
    public Guid TenantId { get; set; }

    /// <summary>Jobs of a tenant with the same key run one at a time, in the order in which they were submitted; empty for none.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [AllowNull]
    [AllowEmptyString]
    public string? Key { get; set; }

    /// <summary>0 to 9; higher ones run first.</summary>
    [Parameter]
    [ValidateRange(0, 9)]
    public int Priority { get; set; }

    /// <summary>Not before this time.</summary>
    [Parameter]
    public DateTimeOffset? RunAt { get; set; }

    /// <summary>Not before so much time has passed, by the database's clock.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? Delay { get; set; }

    /// <summary>How often it is tried.</summary>
    [Parameter]
    [ValidateRange(1, 100)]
    public int MaxAttempts { get; set; } = 5;

    /// <summary>A name for the job: a second one of the tenant with it is not queued, and the first is given instead; empty for none.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [AllowNull]
    [AllowEmptyString]
    public string? IdempotencyKey { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (RunAt is not null && Delay is not null)
        {
            ThrowTerminatingError(AmpErrors.From(new AmpException("JobTimeAmbiguous", AmpErrorKind.InvalidInput, "Both -RunAt and -Delay say when the job may run.")
            {
                RecommendedAction = "Give one of them.",
            }));
        }

        if (Delay > Longest)
        {
            ThrowTerminatingError(AmpErrors.From(new AmpException("JobDelayInvalid", AmpErrorKind.InvalidInput, $"A job cannot wait for {Delay}; {Longest.Days} days is the most.")
            {
                Target = Delay,
                RecommendedAction = "Give less, such as -Delay 01:00:00.",
            }));
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (!ShouldProcess(Type, "Submit background job") || ToJson(Payload) is not { } payload)
        {
            return;
        }

        var request = new BackgroundJobRequest(TenantId, Type, payload)
        {
            Key = Key is "" ? null : Key,
            Priority = Priority,
            RunAt = RunAt,
            Delay = Delay,
            MaxAttempts = MaxAttempts,
            IdempotencyKey = IdempotencyKey is "" ? null : IdempotencyKey,
        };
        try
        {
            // One that cannot be queued shall not take the others of its batch with it.
            request.Require();
        }
        catch (AmpException e)
        {
            WriteError(AmpErrors.From(e));
            return;
        }

        _requests.Add(request);
        if (_requests.Count == Batch)
        {
            Submit();
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_requests.Count > 0)
        {
            Submit();
        }
    }

    /// <summary>A payload as JSON; null, and an error, for what has no JSON. Pipeline thread only.</summary>
    private string? ToJson(object value)
    {
        try
        {
            return (value is PSObject wrapped ? wrapped.BaseObject : value) switch
            {
                string json => json,
                AmpBackgroundJob job => job.PayloadJson,
                AmpDeadLetter letter => letter.PayloadJson,
                _ => (string)InvokeCommand.InvokeScript("param($o) ConvertTo-Json -InputObject $o -Compress -Depth 20", value)[0].BaseObject,
            };
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            WriteError(AmpErrors.From(new AmpException("JobPayloadInvalid", AmpErrorKind.InvalidInput, $"The job cannot be queued: the payload of {Type} cannot be written as JSON: {e.Message}", e)
            {
                Target = Type,
                RecommendedAction = "Give a hashtable whose keys are texts, or a JSON object as text.",
            }));
            return null;
        }
    }

    private void Submit()
    {
        BackgroundJobRequest[] requests = [.. _requests];
        _requests.Clear();
        IReadOnlyList<string> unhandled = [];
        Run(async (jobs, pipeline, cancellationToken) =>
        {
            foreach (var job in await jobs.SubmitAsync(requests, cancellationToken))
            {
                await pipeline.OutputAsync(job);
            }

            unhandled = await jobs.FindUnhandledAsync(requests.Select(request => request.Type), cancellationToken);
        });

        // A worker here tells others of its handlers once a second only.
        var patterns = AmpSession.BackgroundWorkers.Keys.Count > 0 ? AmpSession.JobHandlers.Patterns : [];
        foreach (var type in unhandled.Where(type => !patterns.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, type, ignoreCase: false))))
        {
            WriteWarning($"No worker that runs has a handler for {type}: its jobs wait. Register-AmpBackgroundJobHandler -Type {type} registers one, Start-AmpBackgroundWorker runs it.");
        }
    }
}
