namespace Amp.BackgroundJobs;

/// <summary>The topics of events, which are their types as well.</summary>
internal static class JobTopics
{
    public const string Enqueued = "eventzr.jobs.enqueued.v1";
    public const string Started = "eventzr.jobs.started.v1";
    public const string Completed = "eventzr.jobs.completed.v1";
    public const string Failed = "eventzr.jobs.failed.v1";
    public const string Cancelled = "eventzr.jobs.cancelled.v1";
    public const string Retried = "eventzr.jobs.retried.v1";
    public const string DeadLettered = "eventzr.jobs.deadlettered.v1";
    public const string Replayed = "eventzr.jobs.dlq.replayed.v1";
    public const string Purged = "eventzr.jobs.dlq.purged.v1";
    public const string QuotaExceeded = "eventzr.jobs.quota.exceeded.v1";
    public const string QuotaReset = "eventzr.jobs.quota.reset.v1";
}
