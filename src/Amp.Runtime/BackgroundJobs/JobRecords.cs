namespace Amp.BackgroundJobs;

/// <summary>A job to submit.</summary>
/// <param name="TenantId">Whose it is.</param>
/// <param name="Type">What to do, such as <c>job.email.welcome</c>.</param>
/// <param name="Payload">A JSON object, for the handler.</param>
internal sealed record JobSubmission(Guid TenantId, string Type, string Payload)
{
    /// <summary>The least urgent priority.</summary>
    public const short LowestPriority = 0;

    /// <summary>The most urgent priority.</summary>
    public const short HighestPriority = 9;

    /// <summary>Its number; a version 7 UUID.</summary>
    public Guid Id { get; init; } = Guid.CreateVersion7();

    /// <summary>Jobs of a tenant with the same key run one at a time, in their order; null when order does not matter.</summary>
    public string? Key { get; init; }

    /// <summary>0 to 9; higher ones run first.</summary>
    public short Priority { get; init; }

    /// <summary>Not before this time; null for at once.</summary>
    public DateTimeOffset? RunAt { get; init; }

    /// <summary>Not before so long after it was queued, by the database's clock; null where <see cref="RunAt"/> says when.</summary>
    public TimeSpan? Delay { get; init; }

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
internal sealed record ClaimedJob(AmpBackgroundJob Job, long Lease);

/// <summary>An attempt that is over.</summary>
/// <param name="Id">The job.</param>
/// <param name="Lease">Its lease; when that is an earlier one, nothing is written.</param>
/// <param name="Verdict">What shall become of it; a job whose cancellation was asked for is cancelled instead of tried again.</param>
internal sealed record AttemptEnd(Guid Id, long Lease, JobVerdict Verdict)
{
    /// <summary>What the job gives, as JSON; null for nothing.</summary>
    public string? Result { get; init; }

    /// <summary>What went wrong; needed to retry and to give up.</summary>
    public JobFault? Fault { get; init; }

    /// <summary>Why it failed, as events tell it.</summary>
    public string Reason { get; init; } = "error";

    /// <summary>How long to wait before the next attempt; null for a time that doubles with each attempt.</summary>
    public TimeSpan? Pause { get; init; }

    /// <summary>Whether a job that is given up becomes a dead letter; else it has just failed.</summary>
    public bool ToDeadLetters { get; init; } = true;
}

/// <summary>What became of a worker's exchange with the queue.</summary>
/// <param name="Ended">Jobs whose attempt it ended.</param>
/// <param name="EndedBefore">Attempts that an earlier exchange ended so, whose answer was lost. What was done of those in neither does not count.</param>
/// <param name="Claimed">Jobs it has now.</param>
/// <param name="Held">Candidates that wait for others: of their key, or of a tenant that runs as many as it may. All other candidates need not be tried again.</param>
internal sealed record JobExchange(
    IReadOnlySet<Guid> Ended, IReadOnlyList<AttemptEnd> EndedBefore, IReadOnlyList<ClaimedJob> Claimed, IReadOnlyList<Guid> Held);

/// <summary>What a worker says of itself with each heartbeat.</summary>
/// <param name="WorkerId">Which it is.</param>
/// <param name="PoolSize">How many jobs it runs at once.</param>
/// <param name="Types">Patterns of the types that it has handlers for.</param>
/// <param name="Status">What it counted; null for nothing.</param>
internal sealed record JobWorkerBeat(Guid WorkerId, int PoolSize, IReadOnlyCollection<string> Types, JobWorkerStatus? Status);

/// <summary>What a worker counted, as its row keeps it for people to look at; see <see cref="AmpBackgroundWorker"/>.</summary>
internal sealed record JobWorkerStatus(
    long Running, long Completed, long Failed, long Stale, double PerSecond, Dictionary<string, long> ErrorsByType, int? Partitions, long? Lag, string? LastError);

/// <summary>Why an attempt failed.</summary>
/// <param name="Kind">What kind of thing it was, such as the exception's type.</param>
/// <param name="Message">What happened; cut to 4,096 characters.</param>
/// <param name="Code">Stable code, where there is one.</param>
internal sealed record JobFault(string Kind, string Message, string? Code = null);

/// <summary>What shall become of a job whose attempt is over.</summary>
internal enum JobVerdict
{
    /// <summary>It is done.</summary>
    Complete,

    /// <summary>Tried again after a pause while attempts are left; a dead letter then.</summary>
    Retry,

    /// <summary>A dead letter at once, or failed where its type has none: a retry would fail the same way.</summary>
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
