using System.Runtime.CompilerServices;
using Amp.BackgroundJobs;
using Amp.Events;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Support;

/// <summary>
/// A worker of background jobs with its relay, in a process that a test can kill. It notes each attempt when it begins it, works as long as
/// the payload says, and writes the rows of <c>job.tx</c> in the job's own transaction. Other types do what their name says.
/// </summary>
internal sealed class JobWorkerProcess(MetadataDatabase database, JobQueue queue) : IJobHandler
{
    private static readonly List<byte[]> Kept = [];

    /// <summary>Makes the tables that it writes: an attempt each, and an effect of each <c>job.tx</c>.</summary>
    public static Task CreateTablesAsync(TestDatabase test) =>
        test.ExecuteAsync("CREATE TABLE run (job UUID, attempt INT, worker INT); CREATE TABLE effect (job UUID)");

    /// <summary>Starts one; without brokers it looks for jobs in the queue, and sends nothing.</summary>
    public static async Task StartAsync(string url, IReadOnlyList<string> brokers)
    {
        var database = await MetadataDatabase.ConnectAsync(url, 20, NullLoggerFactory.Instance);
        var queue = new JobQueue(database, JobTopics.Work);
        var handlers = new JobHandlers();
        handlers.Set("job.*", new JobWorkerProcess(database, queue), new JobHandlerOptions { Backoff = [TimeSpan.FromSeconds(0.1)] });
        _ = new JobSweeper(queue, new TenantsTable(database, JobTopics.Work), TimeProvider.System, NullLogger.Instance);
        JobFeed? feed = null;
        if (brokers.Count > 0)
        {
            var kafka = new KafkaEventOptions { Brokers = brokers, Topic = JobTopics.Work };
            _ = new OutboxRelay(new OutboxTable(database), kafka, TimeProvider.System, NullLogger.Instance);
            feed = new JobFeed(kafka, "job-workers", new InboxTable(database), TimeProvider.System, NullLogger.Instance);
        }

        var worker = new JobWorker(database, queue, feed, JobTopics.Work, handlers, new JobWorkerOptions(), TimeProvider.System, NullLogger.Instance);
        _ = worker.Completion.ContinueWith(static _ => Environment.Exit(1), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    /// <summary>A relay alone.</summary>
    public static async Task StartRelayAsync(string url, string brokers)
    {
        var outbox = new OutboxTable(await MetadataDatabase.ConnectAsync(url, 2, NullLoggerFactory.Instance));
        _ = new OutboxRelay(outbox, new KafkaEventOptions { Brokers = [brokers] }, TimeProvider.System, NullLogger.Instance);
    }

    public async Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken)
    {
        var job = context.Job;
        await database.RunAsync(
            "noting an attempt",
            c => c.ExecuteAsync("INSERT INTO run VALUES ($1, $2, $3)", [job.JobId, job.Attempt, Environment.ProcessId], cancellationToken), null, cancellationToken);
        await Task.Delay((int)(long)job.Payload["ms"]!, cancellationToken);
        switch (job.Type)
        {
            case "job.overflows":
                return AmpJobAnswer.Complete(Overflow(0));
            case "job.fills":
                Fill();
                break;
            case "job.fails" when job.Attempt == 1:
                throw new InvalidOperationException("the first time");
            case "job.submits":
                var next = new JobSubmission(job.TenantId, "job.plain", """{"ms":0}""") { Delay = TimeSpan.FromSeconds(1) };
                await queue.SubmitAsync([next], cancellationToken);
                return AmpJobAnswer.Complete(new { next = next.Id, clock = DateTimeOffset.UtcNow });
            case "job.tx":
                return await context.CompleteInTransactionAsync(
                    async connection =>
                    {
                        await connection.ExecuteAsync("INSERT INTO effect VALUES ($1)", [job.JobId], cancellationToken);
                        return null;
                    },
                    cancellationToken);
        }

        return AmpJobAnswer.Complete();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Overflow(int depth) => Overflow(depth + 1) + 1;

    // For ever: what others need is gone, too.
    private static void Fill()
    {
        while (true)
        {
            Kept.Add(new byte[1_000]);
        }
    }
}
