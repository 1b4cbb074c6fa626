using System.Collections.Concurrent;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Amp.BackgroundJobs;
using Amp.Configuration;
using Amp.Events;
using Amp.Hosting;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Bench;

/// <summary>
/// <c>jobs</c>: what background jobs cost: each part of the queue alone, all of it from submission to the last event, and how long a job
/// waits for its handler. Database and broker are on the same machine; handlers do nothing.
/// </summary>
internal static class JobsBenchmark
{
    private const int Batch = 500;
    private const int Rate = 300;
    private const string Payload = """{"text":"a payload of an ordinary size, not much longer than this"}""";

    public static Command Create()
    {
        var count = new Option<int>("--count") { Description = "Jobs.", DefaultValueFactory = _ => 100_000 };
        var tenants = new Option<int>("--tenants") { Description = "Tenants they belong to.", DefaultValueFactory = _ => 100 };
        var parts = new Option<bool>("--parts") { Description = "Also each part alone.", DefaultValueFactory = _ => true };
        var pin = new Option<int>("--pin-seconds") { Description = "How long a transaction keeps dead rows from being removed while jobs flow; 60 for what happens in production, 0 for not at all.", DefaultValueFactory = _ => 15 };
        var module = Shell.NewModuleOption();
        var command = new Command("jobs", "Background jobs: submitting, running, sending their events, how long they wait, and how long the dead are missed.") { count, tenants, parts, pin, module };
        command.SetAction(async (arguments, cancellationToken) =>
        {
            if (arguments.GetValue(parts))
            {
                await RunPartsAsync(arguments.GetValue(count), arguments.GetValue(tenants), cancellationToken);
            }

            await RunWholeAsync(arguments.GetValue(count), arguments.GetValue(tenants), cancellationToken);
            await RunShellAsync(arguments.GetValue(count), arguments.GetValue(tenants), arguments.GetValue(module)!, cancellationToken);
            if (arguments.GetValue(pin) > 0)
            {
                await RunPinnedAsync(arguments.GetValue(tenants), TimeSpan.FromSeconds(arguments.GetValue(pin)), cancellationToken);
            }
        });
        return command;
    }

    private static async Task RunWholeAsync(int count, int tenants, CancellationToken cancellationToken)
    {
        await using var rig = await Rig.StartAsync(tenants, count, cancellationToken);
        var (database, queue, ids) = (rig.Database, rig.Queue, rig.Tenants);
        var probe = new Probe();
        await using var relay = rig.NewRelay();
        await using var worker = rig.NewWorker("job.*", probe, TimeSpan.FromMilliseconds(1));
        Table.WriteConditions($"jobs: {count} jobs of {tenants} tenants from submission to the last event; broker, database, relay and worker on this machine");

        // A first few, so that everything is compiled, joined and connected.
        await SubmitAsync(queue, ids, 2_000, cancellationToken);
        await DoneAsync(database, cancellationToken);
        var clock = Stopwatch.StartNew();
        await SubmitAsync(queue, ids, count, cancellationToken);
        var submitted = clock.Elapsed;
        await DoneAsync(database, cancellationToken);
        Table.Write("end to end", $"{count / clock.Elapsed.TotalSeconds:0} jobs a second; submitted in {submitted.TotalSeconds:0.0} s, all done and told after {clock.Elapsed.TotalSeconds:0.0} s");

        probe.Waits.Clear();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / Rate * 3));
        for (var i = 0; i < Rate * 10; i += 3)
        {
            await timer.WaitForNextTickAsync(cancellationToken);
            for (var n = 0; n < 3; n++)
            {
                _ = queue.SubmitAsync(
                    [new JobSubmission(ids[(i + n) % tenants], "job.bench", $$"""{"at":{{Stopwatch.GetTimestamp().ToString(CultureInfo.InvariantCulture)}}}""")], cancellationToken);
            }
        }

        await DoneAsync(database, cancellationToken);
        var waits = probe.Waits.Order().ToArray();
        Table.Write(
            $"submission to handler, {Rate}/s", $"p50 {waits[waits.Length / 2]:0.0} ms, p95 {waits[waits.Length * 95 / 100]:0.0} ms, p99 {waits[waits.Length * 99 / 100]:0.0} ms ({waits.Length} jobs)");
    }

    /// <summary>Jobs flow while a transaction keeps what they leave behind from being removed, as a long report or a dump does, and after it.</summary>
    private static async Task RunPinnedAsync(int tenants, TimeSpan time, CancellationToken cancellationToken)
    {
        const int slices = 6;
        const int waiting = 5_000;
        await using var rig = await Rig.StartAsync(tenants, 10_000_000, cancellationToken);
        var (database, queue) = (rig.Database, rig.Queue);
        var probe = new Probe();
        await using var relay = rig.NewRelay();
        await using var worker = rig.NewWorker("job.*", probe, TimeSpan.FromMilliseconds(1));
        Table.WriteConditions($"jobs: as many as the system does, while a transaction pins xmin for {time.TotalSeconds:0} s, and as long before and after");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var submitting = Task.Run(
            async () =>
            {
                for (var submitted = 0L; !stop.IsCancellationRequested;)
                {
                    if (submitted - probe.Count < waiting)
                    {
                        await SubmitAsync(queue, rig.Tenants, Batch, cancellationToken);
                        submitted += Batch;
                    }
                    else
                    {
                        await Task.Delay(1, cancellationToken);
                    }
                }
            },
            cancellationToken);

        await RateAsync();
        await WriteAsync("before");
        await using (var pin = await database.OpenDedicatedAsync("pinning", cancellationToken))
        {
            await pin.ExecuteAsync("BEGIN ISOLATION LEVEL REPEATABLE READ", [], cancellationToken);
            await pin.ExecuteAsync("SELECT 1", [], cancellationToken);
            await WriteAsync("while xmin is pinned");
        }

        await WriteAsync("after that");
        await stop.CancelAsync();
        await submitting;
        await DoneAsync(database, cancellationToken);

        async Task WriteAsync(string when)
        {
            var rates = new List<double>();
            for (var i = 0; i < slices; i++)
            {
                rates.Add(await RateAsync());
            }

            var events = await database.RunAsync("counting", c => c.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" """, [], cancellationToken), null, cancellationToken);
            Table.Write(when, $"{rates.Average():0} jobs a second, {rates[^1]:0} in the last sixth; {events} messages wait to be sent");
        }

        async Task<double> RateAsync()
        {
            var (clock, before) = (Stopwatch.StartNew(), probe.Count);
            await Task.Delay(time / slices, cancellationToken);
            return (probe.Count - before) / clock.Elapsed.TotalSeconds;
        }
    }

    /// <summary>The same with script blocks, in a shell of its own; then that is killed with jobs, which a worker here has to do.</summary>
    private static async Task RunShellAsync(int count, int tenants, FileInfo module, CancellationToken cancellationToken)
    {
        await using var rig = await Rig.StartAsync(tenants, count, cancellationToken);
        var (database, queue, ids) = (rig.Database, rig.Queue, rig.Tenants);
        if (await StartShellAsync(module.FullName, rig, cancellationToken) is not { } shell)
        {
            Table.Write("end to end, script blocks", $"not measured: there is no pwsh");
            return;
        }

        using (shell)
        {
            await SubmitAsync(queue, ids, 2_000, cancellationToken);
            await DoneAsync(database, cancellationToken);
            var clock = Stopwatch.StartNew();
            await SubmitAsync(queue, ids, count, cancellationToken);
            await DoneAsync(database, cancellationToken);
            Table.Write("end to end, script blocks", $"{count / clock.Elapsed.TotalSeconds:0} jobs a second, 10 runspaces");

            await queue.SubmitAsync([.. Enumerable.Range(0, 10).Select(n => new JobSubmission(ids[n % tenants], "slow.bench", "{}"))], cancellationToken);
            await UntilAsync(database, "SELECT count(*) = 10 FROM amp_jobs.job WHERE state = 'running' AND type = 'slow.bench'", cancellationToken);
            shell.Kill();
            clock.Restart();
            await using var sweeper = new JobSweeper(queue, new TenantsTable(database, JobTopics.Work), TimeProvider.System, NullLogger.Instance);
            await using var relay = rig.NewRelay();
            await using var worker = rig.NewWorker("slow.*", new Probe());
            await UntilAsync(database, "SELECT NOT EXISTS (SELECT 1 FROM amp_jobs.job WHERE state = 'running' AND attempt = 1 AND type = 'slow.bench')", cancellationToken);
            var missed = clock.Elapsed;
            await UntilAsync(database, "SELECT count(*) = 10 FROM amp_jobs.job WHERE state = 'completed' AND type = 'slow.bench'", cancellationToken);
            Table.Write("after kill -9 of a worker with 10 jobs", $"taken from it after {missed.TotalSeconds:0.0} s, all completed elsewhere after {clock.Elapsed.TotalSeconds:0.0} s");
        }
    }

    /// <summary>A worker in a shell of its own; null when there is none here.</summary>
    private static async Task<Process?> StartShellAsync(string module, Rig rig, CancellationToken cancellationToken)
    {
        var script = $$"""
            Import-Module '{{module}}'
            $null = Connect-Amp -MetadataDb '{{rig.Url}}'
            Register-AmpBackgroundJobHandler job.* { param($Job) }
            Register-AmpBackgroundJobHandler slow.* { param($Job) Start-Sleep 60 }
            $null = Start-AmpBackgroundWorker
            'ready'
            Start-Sleep 600
            """;
        return Shell.Start(script, rig.Kafka.Brokers[0]) is not { } shell ? null
            : await shell.StandardOutput.ReadLineAsync(cancellationToken) == "ready" ? shell
            : throw new InvalidOperationException("the shell did not start a worker");
    }

    private static async Task SubmitAsync(JobQueue queue, Guid[] tenants, int count, CancellationToken cancellationToken)
    {
        for (var i = 0; i < count; i += Batch)
        {
            await queue.SubmitAsync([.. Enumerable.Range(i, Math.Min(Batch, count - i)).Select(n => new JobSubmission(tenants[n % tenants.Length], "job.bench", Payload))], cancellationToken);
        }
    }

    private static Task DoneAsync(MetadataDatabase database, CancellationToken cancellationToken) => UntilAsync(
        database,
        """
        SELECT NOT EXISTS (SELECT 1 FROM amp_jobs."KafkaOutbox") AND NOT EXISTS (SELECT 1 FROM amp_jobs.job_tenant WHERE queued > 0 OR running > 0)
        """,
        cancellationToken);

    private static async Task UntilAsync(MetadataDatabase database, string condition, CancellationToken cancellationToken)
    {
        while (!await database.RunAsync("looking", c => c.ScalarAsync<bool>(condition, [], cancellationToken), null, cancellationToken))
        {
            await Task.Delay(50, cancellationToken);
        }
    }

    private static async Task RunPartsAsync(int count, int tenants, CancellationToken cancellationToken)
    {
        await using var rig = await Rig.StartAsync(tenants, count, cancellationToken);
        var (database, queue, ids) = (rig.Database, rig.Queue, rig.Tenants);
        var worker = Guid.NewGuid();
        await database.RunAsync("beating", c => Task.FromResult(JobQueue.Beat(c, new JobWorkerBeat(worker, 1, [], null))), null, cancellationToken);
        Table.WriteConditions($"jobs: {count} jobs of {tenants} tenants, in batches of {Batch}");

        var clock = Stopwatch.StartNew();
        await SubmitAsync(queue, ids, count, cancellationToken);
        Table.Write("submitted", $"{count / clock.Elapsed.TotalSeconds:0} a second");
        clock.Restart();
        var done = 0;
        IReadOnlyList<AttemptEnd> ends = [];
        do
        {
            var candidates = await queue.FindClaimableAsync(null, Batch, quiet: null, cancellationToken);
            var exchange = await queue.ExchangeAsync(worker, ends, candidates, _ => TimeSpan.FromMinutes(5), cancellationToken);
            ends = [.. exchange.Claimed.Select(job => new AttemptEnd(job.Job.JobId, job.Lease, JobVerdict.Complete))];
            await database.RunAsync("beating", c => Task.FromResult(JobQueue.Beat(c, new JobWorkerBeat(worker, 1, [], null))), null, cancellationToken);
            done += exchange.Ended.Count;
        }
        while (ends.Count > 0);

        Table.Write("claimed and completed", $"{done / clock.Elapsed.TotalSeconds:0} a second ({done} of {count}), one worker");
        clock.Restart();
        await using (rig.NewRelay())
        {
            await DoneAsync(database, cancellationToken);
            Table.Write("events sent, in order", $"{4 * count / clock.Elapsed.TotalSeconds:0} a second");
        }
    }

    /// <summary>A queue with its tenants, and a broker.</summary>
    private sealed class Rig : IAsyncDisposable
    {
        private readonly List<IAsyncDisposable> _parts = [];
        private readonly BenchFolder _folder = new();

        public string Url { get; private set; } = "";

        public KafkaEventOptions Kafka { get; private set; } = null!;

        public MetadataDatabase Database { get; private set; } = null!;

        public JobQueue Queue { get; private set; } = null!;

        public Guid[] Tenants { get; private set; } = [];

        public static async Task<Rig> StartAsync(int tenants, int count, CancellationToken cancellationToken)
        {
            var rig = new Rig();
            try
            {
                await rig.BeginAsync(tenants, count, cancellationToken);
                return rig;
            }
            catch
            {
                await rig.DisposeAsync();
                throw;
            }
        }

        public async ValueTask DisposeAsync()
        {
            for (var i = _parts.Count - 1; i >= 0; i--)
            {
                await _parts[i].DisposeAsync();
            }

            _folder.Dispose();
        }

        public OutboxRelay NewRelay() => new(new OutboxTable(Database), Kafka, TimeProvider.System, NullLogger.Instance);

        /// <summary>A worker of one handler, which Kafka brings jobs to.</summary>
        public JobWorker NewWorker(string types, IJobHandler handler, TimeSpan? fetchWait = null)
        {
            var handlers = new JobHandlers();
            handlers.Set(types, handler);
            var feed = new JobFeed(Kafka, "job-workers", new InboxTable(Database), TimeProvider.System, NullLogger.Instance, fetchWait);
            return new JobWorker(Database, Queue, feed, JobTopics.Work, handlers, new JobWorkerOptions(), TimeProvider.System, NullLogger.Instance);
        }

        private async Task BeginAsync(int tenants, int count, CancellationToken cancellationToken)
        {
            // A server such as one would set up for this: memory for what is in work; every commit is on disk before it is answered.
            var server = Add(await ManagedPostgres.StartAsync(
                Path.Combine(_folder.Path, "database"), NullLoggerFactory.Instance,
                new Dictionary<string, string> { ["shared_buffers"] = "1GB", ["max_wal_size"] = "4GB" }, cancellationToken));
            Url = server.ConnectionUrl;
            var deployment = Add(await AmpDeployment.OpenAsync(AmpConfiguration.ForDatabase(Url, _folder.Path), NullLoggerFactory.Instance, cancellationToken));
            var broker = Add(await DevBroker.StartAsync(
                new DevBrokerOptions { Topics = [.. JobTopics.Events.Append(JobTopics.Work).Select(topic => new DevBrokerTopic(topic, 16))] }, cancellationToken: cancellationToken));
            Kafka = new KafkaEventOptions { Brokers = [broker.BootstrapServers], Topic = JobTopics.Work };
            Database = Add(await deployment.ConnectForJobsAsync(16, NullLoggerFactory.Instance, cancellationToken));
            Queue = new JobQueue(Database, JobTopics.Work);
            await Queue.InitializeAsync(autoMigrate: true, cancellationToken);
            var table = new TenantsTable(Database, JobTopics.Work);
            Tenants = [.. Enumerable.Range(0, tenants).Select(_ => Guid.NewGuid())];
            foreach (var id in Tenants)
            {
                await table.SetLimitsAsync(id, "bench", new TenantLimits(10 * count, 10 * count, count, 1 << 20), cancellationToken);
            }
        }

        private T Add<T>(T part)
            where T : IAsyncDisposable
        {
            _parts.Add(part);
            return part;
        }
    }

    private sealed class Probe : IJobHandler
    {
        private long _count;

        public ConcurrentBag<double> Waits { get; } = [];

        /// <summary>How many jobs it had.</summary>
        public long Count => Interlocked.Read(ref _count);

        public Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _count);
            if (context.Job.PayloadJson.StartsWith("""{"at":""", StringComparison.Ordinal))
            {
                Waits.Add(Stopwatch.GetElapsedTime((long)context.Job.Payload["at"]!).TotalMilliseconds);
            }

            return Task.FromResult(AmpJobAnswer.Complete());
        }
    }
}
