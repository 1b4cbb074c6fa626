using System.Text.Json.Nodes;
using Amp.Events;
using Amp.MetadataDb;
using Amp.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.BackgroundJobs;

/// <summary>Workers that cannot go on: a part of theirs ends of something that nobody foresaw.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class JobWorkerFailureTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Guid Tenant = Guid.NewGuid();

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"amp-failure-{Guid.NewGuid():N}");
    private TestDatabase _test = null!;
    private JobQueue _queue = null!;

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync();
        _queue = new JobQueue(_test.Database, JobTopics.Work);
        await _queue.InitializeAsync(autoMigrate: true, None);
    }

    public async Task DisposeAsync()
    {
        await _test.DisposeAsync();
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [KafkaTheory("postgres")]
    [InlineData(nameof(Log.AttemptFailed))]
    [InlineData(nameof(Log.LostJob))]
    [InlineData(nameof(Log.PartitionsChanged))]
    public async Task WorkerOfWhichAPartFails_Ends_AndItsJobsGoOnElsewhere(string logging)
    {
        // A runner fails, or the loop, or the feed.
        var (logger, handler) = (new FailingLogger(logging), new Handler());
        await using var broker = await JobBroker.StartAsync(1);
        await using (var worker = NewWorker(handler, logger, broker))
        {
            await FailAsync(worker);
        }

        await _test.ExecuteAsync("UPDATE amp_jobs.job_worker SET heartbeat_at = heartbeat_at - interval '15 seconds'; UPDATE amp_jobs.job SET run_at = now() WHERE state = 'retrying'");
        await using var sweeper = new JobSweeper(_queue, new TenantsTable(_test.Database, JobTopics.Work), TimeProvider.System, NullLogger.Instance);
        await using var other = NewWorker(new Handler { IsQuick = true }, NullLogger.Instance, broker: null);
        await Eventually.TrueAsync(
            async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'completed'") == 2, "the end of all jobs", Patience);
        await JobInvariants.AssertAsync(_test);

        async Task FailAsync(JobWorker worker)
        {
            var jobs = await _queue.SubmitAsync([new JobSubmission(Tenant, "job.long", "{}"), new JobSubmission(Tenant, "job.lost", "{}")], None);

            // As if their messages had been lost for long: there is no relay.
            await _test.ExecuteAsync("UPDATE amp_jobs.job SET dispatched_at = NULL");
            if (logging != nameof(Log.PartitionsChanged))
            {
                await RunningAsync(2);
            }

            if (logging == nameof(Log.LostJob))
            {
                await _test.ExecuteAsync("UPDATE amp_jobs.job SET lease = lease + 1 WHERE id = $1", jobs[1].Id);
                handler.Lost.SetResult();
            }
            else
            {
                handler.Lost.SetException(new InvalidOperationException("as handlers do"));
            }

            var failure = await Assert.ThrowsAsync<AmpException>(() => worker.Completion.WaitAsync(Patience));
            Assert.Equal("JobWorkerFailed", failure.ErrorCode);
            Assert.Contains(FailingLogger.Message, failure.Message, StringComparison.Ordinal);
            Assert.Contains(nameof(Log.JobWorkerFailed), logger.Seen);
            await Eventually.TrueAsync(() => handler.Running == 0, "the cancelling of its handlers", Patience);
            await Eventually.TrueAsync(
                async () => await _test.ScalarAsync<bool>("SELECT heartbeat_at < now() - interval '5 seconds' AND status->>'lastError' = $1 FROM amp_jobs.job_worker", FailingLogger.Message),
                "a worker that is silent, and has said why", Patience);
        }
    }

    [ToolFact("postgres")]
    public async Task HandlerThatIsOutOfMemory_HasFailed_AndItsWorkerGoesOn()
    {
        var handler = new Handler();
        handler.Lost.SetException(new InsufficientMemoryException());
        await using var worker = NewWorker(handler, NullLogger.Instance, broker: null);
        await _queue.SubmitAsync([new JobSubmission(Tenant, "job.lost", "{}") { MaxAttempts = 1 }], None);
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<bool>("SELECT state = 'deadlettered' FROM amp_jobs.job"), "a dead letter", Patience);

        handler.IsQuick = true;
        await _queue.SubmitAsync([new JobSubmission(Tenant, "job.more", "{}")], None);
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'completed'") == 1, "another job", Patience);
        Assert.False(worker.Completion.IsCompleted);
        Assert.Equal(nameof(InsufficientMemoryException), await _test.ScalarAsync<string>("SELECT kind FROM amp_jobs.job_error"));
    }

    [ToolTheory("postgres")]
    [InlineData("no memory for its result")]
    [InlineData("a result too deep for JSON")]
    [InlineData("a message with a NUL")]
    [InlineData("a message with half a character")]
    [InlineData("a long message that ends within a character")]
    public async Task HandlerThatGivesWhatCannotBeKept_HasFailed_AndItsWorkerGoesOn(string gives)
    {
        var deep = JsonValue.Create(1) as JsonNode;
        for (var n = 0; n < 100; n++)
        {
            deep = new JsonArray(deep);
        }

        Exception? fault = gives switch
        {
            "a message with a NUL" => new InvalidOperationException("a\0b"),
            "a message with half a character" => new InvalidOperationException("a\ud83d"),
            "a long message that ends within a character" => new InvalidOperationException(new string('a', 4_095) + "😀"),
            _ => null,
        };
        var handler = new Handler { Result = gives == "a result too deep for JSON" ? deep : new Greedy(new InsufficientMemoryException()) };
        if (fault is null)
        {
            handler.Lost.SetResult();
        }
        else
        {
            handler.Lost.SetException(fault);
        }

        await using var worker = NewWorker(handler, NullLogger.Instance, broker: null);
        await _queue.SubmitAsync([new JobSubmission(Tenant, "job.lost", "{}") { MaxAttempts = 1 }], None);

        await Eventually.TrueAsync(
            async () => worker.Completion.IsCompleted || await _test.ScalarAsync<bool>("SELECT state = 'deadlettered' FROM amp_jobs.job"), "a dead letter, or the worker's end", TimeSpan.FromSeconds(20));
        Assert.False(worker.Completion.IsCompleted);
    }

    [ToolFact("postgres")]
    public async Task WorkerWhoseConnectionsBreakUnderIt_GoesOn()
    {
        // Connections that are watched break while nobody uses them, and whoever uses them next finds them closed.
        await using var database = await MetadataDatabase.ConnectAsync($"{PostgresUrl.Parse(_test.Url).ConnectionString};Keepalive=1;Application Name=watched", 5, NullLoggerFactory.Instance);
        await using var worker = NewWorker(new Handler { IsQuick = true }, NullLogger.Instance, broker: null, database);
        for (var n = 1; n <= 3; n++)
        {
            var seen = await BeatAsync();
            await _test.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'watched'");
            await Eventually.TrueAsync(async () => worker.Completion.IsCompleted || await BeatAsync() > seen, "a heartbeat, or the worker's end", Patience);
        }

        Assert.False(worker.Completion.IsCompleted);

        Task<DateTime> BeatAsync() => _test.ScalarAsync<DateTime>("SELECT heartbeat_at FROM amp_jobs.job_worker");
    }

    [ToolFact("postgres")]
    public async Task Ampd_WhenItsWorkerCannotGoOn_EndsWithAnError()
    {
        var config = TestDeployment.WriteConfiguration(_folder, new Dictionary<string, string> { ["metadata_db.url"] = _test.Url });
        using var ampd = AmpdProcess.Start(_folder, "jobs", "--config", config);
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_worker") == 1, "a worker", Patience);
        await _queue.SubmitAsync([new JobSubmission(Tenant, "job.reward.deliver", "{}") { Delay = TimeSpan.FromHours(1) }], None);

        // A table that no version of the program ever had.
        await _test.ExecuteAsync("ALTER TABLE amp_jobs.job ALTER replays DROP DEFAULT, ALTER replays TYPE text; UPDATE amp_jobs.job SET run_at = now()");

        Assert.Equal(1, await ampd.WaitForExitAsync(Patience));
        Assert.Contains("cannot go on", ampd.Output, StringComparison.Ordinal);
        Assert.Contains(await _test.ScalarAsync<string>("SELECT status->>'lastError' FROM amp_jobs.job_worker") ?? "nothing", ampd.Output, StringComparison.Ordinal);
    }

    private JobWorker NewWorker(Handler handler, ILogger logger, DevBroker? broker, MetadataDatabase? database = null)
    {
        var handlers = new JobHandlers();
        handlers.Set("job.*", handler);
        var feed = broker is null ? null : new JobFeed(
            new KafkaEventOptions { Brokers = [broker.BootstrapServers], Topic = JobTopics.Work }, "job-workers", new InboxTable(_test.Database), TimeProvider.System, logger);
        return new JobWorker(database ?? _test.Database, _queue, feed, JobTopics.Work, handlers, new JobWorkerOptions(), TimeProvider.System, logger);
    }

    private Task RunningAsync(int count) => Eventually.TrueAsync(
        async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'running'") == count, $"{count} running jobs", Patience);

    private sealed class Handler : IJobHandler
    {
        private int _running;

        public bool IsQuick { get; set; }

        public object? Result { get; init; }

        public TaskCompletionSource Lost { get; } = new();

        public int Running => Volatile.Read(ref _running);

        public async Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _running);
            try
            {
                await (IsQuick ? Task.CompletedTask : context.Job.Type == "job.lost" ? Lost.Task : Task.Delay(Timeout.Infinite, cancellationToken));
                return AmpJobAnswer.Complete(Result);
            }
            finally
            {
                Interlocked.Decrement(ref _running);
            }
        }
    }

    private sealed class Greedy(Exception cause)
    {
        public string All => throw cause;
    }

    /// <summary>Has no memory for a line of one kind.</summary>
    private sealed class FailingLogger(string @event) : ILogger
    {
        public const string Message = "no line has room any more";
        private readonly RecordingLogger _lines = new();

        public IEnumerable<string> Seen => _lines.Entries.Select(entry => entry.Event);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Name == @event)
            {
                throw new InsufficientMemoryException(Message);
            }

            _lines.Log(logLevel, eventId, state, exception, formatter);
        }
    }
}
