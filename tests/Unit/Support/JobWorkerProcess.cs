using Amp.BackgroundJobs;
using Amp.Events;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Support;

/// <summary>
/// A worker of background jobs with its relay, in a process that a test can kill. It notes each attempt when it begins it, works as long as
/// the payload says, and writes the rows of <c>job.tx</c> in the job's own transaction.
/// </summary>
internal sealed class JobWorkerProcess(MetadataDatabase database) : IJobHandler
{
    public static async Task StartAsync(string url, string brokers)
    {
        var database = await MetadataDatabase.ConnectAsync(url, 20, NullLoggerFactory.Instance);
        var kafka = new KafkaEventOptions { Brokers = [brokers], Topic = JobTopics.Work };
        var queue = new JobQueue(database, JobTopics.Work);
        var handlers = new JobHandlers();
        handlers.Set("job.*", new JobWorkerProcess(database), new JobHandlerOptions { Backoff = [TimeSpan.FromSeconds(0.1)] });
        _ = new OutboxRelay(new OutboxTable(database), kafka, TimeProvider.System, NullLogger.Instance);
        _ = new JobSweeper(queue, new TenantsTable(database, JobTopics.Work), TimeProvider.System, NullLogger.Instance);
        var feed = new JobFeed(kafka, "job-workers", new InboxTable(database), TimeProvider.System, NullLogger.Instance);
        _ = new JobWorker(database, queue, feed, JobTopics.Work, handlers, new JobWorkerOptions(), TimeProvider.System, NullLogger.Instance);
    }

    public async Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken)
    {
        var job = context.Job;
        await database.RunAsync(
            "noting an attempt",
            c => c.ExecuteAsync("INSERT INTO run VALUES ($1, $2, $3)", [job.JobId, job.Attempt, Environment.ProcessId], cancellationToken), null, cancellationToken);
        await Task.Delay((int)(long)job.Payload["ms"]!, cancellationToken);
        return job.Type != "job.tx" ? AmpJobAnswer.Complete() : await context.CompleteInTransactionAsync(
            async connection =>
            {
                await connection.ExecuteAsync("INSERT INTO effect VALUES ($1)", [job.JobId], cancellationToken);
                return null;
            },
            cancellationToken);
    }
}
