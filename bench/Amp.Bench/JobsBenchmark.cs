using System.CommandLine;
using System.Diagnostics;
using Amp.BackgroundJobs;
using Amp.Events;
using Amp.Hosting;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Bench;

/// <summary>
/// <c>jobs</c>: what the queue of background jobs takes: submitting, claiming and completing in batches, and sending the events of all
/// that to a broker. Database and broker are on the same machine; each step runs alone.
/// </summary>
internal static class JobsBenchmark
{
    private const int Batch = 500;

    public static Command Create()
    {
        var count = new Option<int>("--count") { Description = "Jobs.", DefaultValueFactory = _ => 100_000 };
        var tenants = new Option<int>("--tenants") { Description = "Tenants they belong to.", DefaultValueFactory = _ => 100 };
        var command = new Command("jobs", "Background jobs: submitting, claiming, completing, sending their events.") { count, tenants };
        command.SetAction((arguments, cancellationToken) => RunAsync(arguments.GetValue(count), arguments.GetValue(tenants), cancellationToken));
        return command;
    }

    private static async Task RunAsync(int count, int tenants, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        await using var deployment = await AmpDeployment.OpenSoloAsync(folder.Path, NullLoggerFactory.Instance, cancellationToken);
        await using var broker = await DevBroker.StartAsync(
            new DevBrokerOptions { Topics = [.. new[] { "job-events", JobTopics.Enqueued, JobTopics.Started, JobTopics.Completed }.Select(topic => new DevBrokerTopic(topic, 16))] },
            cancellationToken: cancellationToken);
        var queue = new JobQueue(deployment.Database, "job-events");
        await queue.InitializeAsync(autoMigrate: true, cancellationToken);
        var tenantsTable = new TenantsTable(deployment.Database, "job-events");
        Guid[] ids = [.. Enumerable.Range(0, tenants).Select(_ => Guid.NewGuid())];
        foreach (var id in ids)
        {
            await tenantsTable.SetLimitsAsync(id, "bench", new TenantLimits(count, count, count, 1 << 20), cancellationToken);
        }

        var worker = Guid.NewGuid();
        await queue.BeatAsync(new JobWorkerBeat(worker, 1, [], null), cancellationToken);
        Table.WriteConditions($"jobs: {count} jobs of {tenants} tenants, in batches of {Batch}");

        var clock = Stopwatch.StartNew();
        for (var i = 0; i < count; i += Batch)
        {
            await queue.SubmitAsync([.. Enumerable.Range(i, Batch).Select(n => new JobSubmission(ids[n % tenants], "job.bench", """{"text":"a payload of an ordinary size, not much longer than this"}"""))], cancellationToken);
        }

        Table.Write("submitted", $"{count / clock.Elapsed.TotalSeconds:0} a second");
        clock.Restart();
        var done = 0;
        IReadOnlyList<AttemptEnd> ends = [];
        do
        {
            var candidates = await queue.FindClaimableAsync(null, Batch, quiet: null, cancellationToken);
            var exchange = await queue.ExchangeAsync(worker, ends, candidates, _ => TimeSpan.FromMinutes(5), cancellationToken);
            ends = [.. exchange.Claimed.Select(job => new AttemptEnd(job.Job.JobId, job.Lease, JobVerdict.Complete))];
            await queue.BeatAsync(new JobWorkerBeat(worker, 1, [], null), cancellationToken);
            done += exchange.Ended.Count;
        }
        while (ends.Count > 0);

        Table.Write("claimed and completed", $"{done / clock.Elapsed.TotalSeconds:0} a second ({done} of {count}), one worker");
        clock.Restart();
        await using (new OutboxRelay(new OutboxTable(deployment.Database), new KafkaEventOptions { Brokers = [broker.BootstrapServers] }, TimeProvider.System, NullLogger.Instance))
        {
            while (await deployment.Database.RunAsync(
                "counting", c => c.ScalarAsync<bool>("""SELECT EXISTS (SELECT 1 FROM amp_jobs."KafkaOutbox")""", [], cancellationToken), null, cancellationToken))
            {
                await Task.Delay(50, cancellationToken);
            }

            Table.Write("events sent, in order", $"{4 * count / clock.Elapsed.TotalSeconds:0} a second");
        }
    }
}
