using System.Collections.Specialized;

namespace Amp;

/// <summary>State of a background job.</summary>
public enum AmpBackgroundJobStatus
{
    /// <summary>Waits for a worker, or for its time.</summary>
    Queued,

    /// <summary>A worker has it.</summary>
    Running,

    /// <summary>Failed, and waits for its next attempt.</summary>
    Retrying,

    /// <summary>Done.</summary>
    Completed,

    /// <summary>Failed for good, without becoming a dead letter.</summary>
    Failed,

    /// <summary>Failed for good; see <c>Get-AmpDeadLetter</c>.</summary>
    DeadLettered,

    /// <summary>Cancelled by a user or with its tenant.</summary>
    Cancelled,
}

/// <summary>A background job, as the queue has it.</summary>
public sealed record AmpBackgroundJob
{
    private OrderedDictionary? _payload;

    /// <summary>The job; a version 7 UUID.</summary>
    public required Guid JobId { get; init; }

    /// <summary>Whose it is.</summary>
    public required Guid TenantId { get; init; }

    /// <summary>What to do, such as <c>job.email.welcome</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The state it was in when this object was read.</summary>
    public required AmpBackgroundJobStatus Status { get; init; }

    /// <summary>0 to 9; higher ones run first.</summary>
    public required int Priority { get; init; }

    /// <summary>Jobs of a tenant with the same key begin in the order in which they were submitted, and never run at once; null when order does not matter.</summary>
    public string? Key { get; init; }

    /// <summary>How often it was tried; the present attempt counts.</summary>
    public int Attempt { get; init; }

    /// <summary>How often it is tried at most.</summary>
    public int MaxAttempts { get; init; }

    /// <summary>Not before this time (UTC): the next attempt's, while it waits.</summary>
    public DateTimeOffset RunAt { get; init; }

    /// <summary>When it was submitted (UTC).</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its last attempt began (UTC); null before the first.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended (UTC); null while it has not.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>The worker that has it or had it last.</summary>
    public Guid? WorkerId { get; init; }

    /// <summary>What the submitter called it, so that it is not queued twice; null for nothing.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>How often it was replayed as a dead letter.</summary>
    public int Replays { get; init; }

    /// <summary>Why its last attempt failed; null when none did.</summary>
    public string? LastError { get; init; }

    /// <summary>What kind of error that was.</summary>
    public string? LastErrorKind { get; init; }

    /// <summary>Its payload, a JSON object.</summary>
    public required string PayloadJson { get; init; }

    /// <summary>What its handler gave, as JSON; null for nothing.</summary>
    public string? ResultJson { get; init; }

    /// <summary>The members of its payload: <c>$Job.Payload.user_id</c>.</summary>
    public OrderedDictionary Payload => _payload ??= JsonValues.ParseObject(PayloadJson);

    /// <summary>What its handler gave; null for nothing.</summary>
    public object? Result => ResultJson is null ? null : JsonValues.Parse(ResultJson);

    /// <summary>Whether it has ended.</summary>
    public bool IsTerminal => Status is not (AmpBackgroundJobStatus.Queued or AmpBackgroundJobStatus.Running or AmpBackgroundJobStatus.Retrying);

    /// <summary>How long its last attempt took; null when it has not ended.</summary>
    public TimeSpan? Duration => FinishedAt - StartedAt;

    /// <summary>Returns the number of the job.</summary>
    public override string ToString() => JobId.ToString();
}
