namespace Amp.BackgroundJobs;

/// <summary>A job to submit.</summary>
/// <param name="TenantId">Whose it is.</param>
/// <param name="Type">What to do, such as <c>job.email.welcome</c>.</param>
/// <param name="Payload">A JSON object, for the handler.</param>
internal sealed record JobSubmission(Guid TenantId, string Type, string Payload)
{
    /// <summary>Its number; a version 7 UUID.</summary>
    public Guid Id { get; init; } = Guid.CreateVersion7();

    /// <summary>Key of its message, for whom the order of jobs matters; null for the tenant's id.</summary>
    public string? Key { get; init; }

    /// <summary>0 to 9; higher ones run first.</summary>
    public short Priority { get; init; }

    /// <summary>Not before this time; null for at once.</summary>
    public DateTimeOffset? RunAt { get; init; }

    /// <summary>How often it is tried; 1 or more.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>A second job of the tenant with this key is the first one; null for none.</summary>
    public string? IdempotencyKey { get; init; }
}

/// <summary>What became of a submission.</summary>
/// <param name="Id">The job.</param>
/// <param name="IsNew">False when a job of before has its idempotency key.</param>
internal readonly record struct SubmittedJob(Guid Id, bool IsNew);

/// <summary>A job as a worker holds it. Whatever is written about it carries the lease: who lost that writes nothing.</summary>
internal sealed record ClaimedJob(
    Guid Id, Guid TenantId, string Type, string? Key, string Payload, short Priority, int Attempt, int MaxAttempts, long Lease, DateTimeOffset StartedAt);

/// <summary>Why an attempt failed.</summary>
/// <param name="Kind">What kind of thing it was, such as the exception's type.</param>
/// <param name="Message">What happened; cut to 4,096 characters.</param>
/// <param name="Code">Stable code, where there is one.</param>
internal sealed record JobFault(string Kind, string Message, string? Code = null);

/// <summary>What shall become of a job whose attempt did not complete.</summary>
internal enum JobVerdict
{
    /// <summary>Tried again after a pause while attempts are left; a dead letter then.</summary>
    Retry,

    /// <summary>A dead letter at once: a retry would fail the same way.</summary>
    GiveUp,

    /// <summary>Queued again later; the attempt does not count.</summary>
    Snooze,

    /// <summary>Queued again as if it had not been claimed: the worker stops.</summary>
    GiveBack,

    /// <summary>Cancelled.</summary>
    Cancel,
}

/// <summary>What a tenant may do, at most.</summary>
/// <param name="Daily">Jobs submitted in a day (UTC).</param>
/// <param name="Queued">Jobs that wait.</param>
/// <param name="Running">Jobs that run at once.</param>
/// <param name="Payload">Bytes of a payload.</param>
internal sealed record TenantLimits(int Daily, int Queued, int Running, int Payload)
{
    /// <summary>Of a tenant that nobody has set.</summary>
    public static TenantLimits Default { get; } = new(Daily: 100_000, Queued: 50_000, Running: 100, Payload: 256 << 10);
}
