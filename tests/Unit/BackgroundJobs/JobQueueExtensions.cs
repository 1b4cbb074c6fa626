using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>The queue as a worker without Kafka uses it, a step at a time.</summary>
internal static class JobQueueExtensions
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    public static async Task<IReadOnlyList<ClaimedJob>> ClaimAsync(this JobQueue queue, Guid worker, int most, TimeSpan? timeLimit = null, params string[] types)
    {
        var candidates = await queue.FindClaimableAsync(types is [] ? null : types, most, quiet: null, CancellationToken.None);
        return (await queue.ExchangeAsync(worker, [], candidates, _ => timeLimit ?? Minute, CancellationToken.None)).Claimed;
    }

    public static async Task<IReadOnlySet<Guid>> CompleteAsync(this JobQueue queue, params IEnumerable<ClaimedJob> jobs) =>
        (await queue.ExchangeAsync(Guid.Empty, [.. jobs.Select(job => new AttemptEnd(job.Job.JobId, job.Lease, JobVerdict.Complete))], [], _ => Minute, CancellationToken.None)).Ended;

    public static async Task<bool> EndAsync(this JobQueue queue, ClaimedJob job, JobVerdict verdict, JobFault? fault = null, TimeSpan? pause = null) =>
        (await queue.ExchangeAsync(
            Guid.Empty, [new AttemptEnd(job.Job.JobId, job.Lease, verdict) { Fault = fault, Pause = pause, Reason = verdict is JobVerdict.GiveUp ? "non_retryable" : "error" }], [], _ => Minute, CancellationToken.None)).Ended.Count == 1;

    /// <summary>Jobs of tenants that are submitted, run and completed or given up: three or four events each, and a message.</summary>
    public static async Task WorkAsync(this JobQueue queue, TestDatabase test, IReadOnlyList<Guid> tenants, int jobs)
    {
        var worker = Guid.NewGuid();
        await test.BeatAsync(worker);
        await queue.SubmitAsync([.. Enumerable.Range(0, jobs).Select(i => new JobSubmission(tenants[i % tenants.Count], "job.test", "{}"))], CancellationToken.None);
        var claimed = await queue.ClaimAsync(worker, jobs);
        await queue.CompleteAsync(claimed.Where((_, i) => i % 3 < 2));
        foreach (var job in claimed.Where((_, i) => i % 3 == 2))
        {
            await queue.EndAsync(job, JobVerdict.GiveUp, new JobFault("Test", "no"));
        }
    }

    public static Task BeatAsync(this TestDatabase test, Guid worker) => test.Database.RunAsync(
        "beating", connection => Task.FromResult(JobQueue.Beat(connection, new JobWorkerBeat(worker, 1, [], null))), null, CancellationToken.None);
}
