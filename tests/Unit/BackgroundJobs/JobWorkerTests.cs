using System.Collections.Concurrent;
using Amp.Events;
using Amp.MetadataDb;
using Amp.Support;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Amp.BackgroundJobs;

/// <summary>Workers on a real PostgreSQL and a development broker. After each test the queue, its log and its counters are held against each other.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class JobWorkerTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Guid Tenant = Guid.NewGuid();

    private readonly RecordingLogger _logger = new();
    private readonly Handler _handler = new();
    private readonly JobHandlers _handlers = new();
    private TestDatabase _test = null!;
    private JobQueue _queue = null!;
    private DevBroker _broker = null!;

    private KafkaEventOptions Kafka => new() { Brokers = [_broker.BootstrapServers], Topic = JobTopics.Work };

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync(poolSize: 30);
        _queue = new JobQueue(_test.Database, JobTopics.Work);
        await _queue.InitializeAsync(autoMigrate: true, None);
        _handlers.Set("job.*", _handler);
        _broker = await JobBroker.StartAsync(4);
    }

    public async Task DisposeAsync()
    {
        await _broker.DisposeAsync();
        await _test.DisposeAsync();
    }

    [ToolFact("postgres")]
    public async Task WithoutKafka_JobsAreTakenFromTheQueue()
    {
        await using var worker = NewWorker(withFeed: false);
        await SubmitAsync(50);

        await CompletedAsync(50);
        Assert.Equal(50, _handler.Begun.Distinct().Count());
        await JobInvariants.AssertAsync(_test);
    }

    [KafkaFact("postgres")]
    public async Task WithKafka_MessagesBringJobs_AndOffsetsPassThem()
    {
        await using (NewRelay())
        {
            await using var worker = NewWorker();
            await SubmitAsync(200);

            await CompletedAsync(200);
            Assert.Equal(200, _handler.Begun.Count);
        }

        // Whoever reads on finds nothing; whoever begins anew, as after a loss of offsets, finds nothing to do.
        await using (NewWorker())
        await using (NewWorker(group: "other-workers"))
        {
            await Eventually.TrueAsync(() => CommittedAsync("other-workers"), "reading all messages again", Patience);
        }

        Assert.Equal(200, _handler.Begun.Count);
    }

    [KafkaFact("postgres")]
    public async Task OffsetsDoNotPassAJobThatIsNotDone()
    {
        var (gate, slow) = (new TaskCompletionSource(), (await SubmitAsync(1))[0]);
        _handler.Work = async (context, _) =>
        {
            if (context.Job.JobId == slow)
            {
                await gate.Task;
            }

            return AmpJobAnswer.Complete();
        };
        await using var relay = NewRelay();
        await using var worker = NewWorker();
        await SubmitAsync(300);
        await CompletedAsync(300);

        // All partitions but the slow job's are committed to their end; that one stands before it.
        await Eventually.TrueAsync(async () => (await BehindAsync("job-workers")).Count == 1, "commits of the others", Patience);
        var behind = (await BehindAsync("job-workers")).Single();
        await Task.Delay(1_500);
        Assert.Equal(behind, (await BehindAsync("job-workers")).Single());
        Assert.Equal(slow, await JobAtAsync(behind.Partition, behind.Committed));
        gate.SetResult();
        await CompletedAsync(301);
        await Eventually.TrueAsync(() => CommittedAsync("job-workers"), "the last commit", Patience);
    }

    [KafkaFact("postgres")]
    public async Task JobsOfOneKey_RunOneAtATime_InTheirOrder_WhoeverRunsThem()
    {
        var (running, order, overlaps) = (new ConcurrentDictionary<string, int>(), new ConcurrentQueue<(string Key, long Number)>(), 0);
        _handler.Work = async (context, _) =>
        {
            var key = context.Job.Key!;
            if (running.AddOrUpdate(key, 1, (_, count) => count + 1) > 1)
            {
                Interlocked.Increment(ref overlaps);
            }

            order.Enqueue((key, (long)context.Job.Payload["n"]!));
            await Task.Delay(Random.Shared.Next(4), CancellationToken.None);
            running.AddOrUpdate(key, 0, (_, count) => count - 1);
            return AmpJobAnswer.Complete();
        };
        await using var relay = NewRelay();
        await using var one = NewWorker();
        await using var other = NewWorker(withFeed: false);
        for (var batch = 0; batch < 10; batch++)
        {
            await _queue.SubmitAsync(
                [.. Enumerable.Range(batch * 20, 20).Select(n => new JobSubmission(Tenant, "job.test", $$"""{"n":{{n}}}""") { Key = $"key-{n % 4}", Priority = (short)(n % 10) })], None);
        }

        await CompletedAsync(200);
        Assert.Equal(0, overlaps);
        Assert.All(order.GroupBy(begun => begun.Key), key => Assert.Equal(key.Select(begun => begun.Number).Order(), key.Select(begun => begun.Number)));
    }

    [KafkaFact("postgres")]
    public async Task MessageOfAnotherProducer_IsRunOnce_HoweverOftenItIsWritten()
    {
        const string message =
            """
            {
              "id": "550e8400-e29b-41d4-a716-446655440000",
              "type": "job.email.verification",
              "account_id": "campaign-uuid",
              "campaign_id": "campaign-uuid",
              "data": { "type": "verification", "campaign_id": "campaign-uuid", "user_id": "user-uuid", "priority": 1 },
              "timestamp": "2025-01-01T12:00:00Z"
            }
            """;
        await using var relay = NewRelay();
        await using (NewWorker())
        {
            await ProduceAsync(message, message, message.Replace("550e8400", "not-a-uuid", StringComparison.Ordinal));
            await CompletedAsync(2);
            await ProduceAsync(message);
            await Eventually.TrueAsync(() => CommittedAsync("job-workers"), "reading them all", Patience);
        }

        Assert.Equal(2, _handler.Begun.Count);
        var job = Assert.Single(await new JobsView(_test.Database).ListAsync(new BackgroundJobQuery { JobIds = [Guid.Parse("550e8400-e29b-41d4-a716-446655440000")] }, 10, null, None));
        Assert.Equal(("job.email.verification", "campaign-uuid", 1, "user-uuid"), (job.Type, job.Key, job.Priority, (string)job.Payload["user_id"]!));
    }

    [KafkaFact("postgres")]
    public async Task MessagesThatAreNoJobs_ArePutAside_AndTheNextIsRun()
    {
        string[] bad =
        [
            "not JSON", "[1,2]", "{}", """{"id":"\ud800","type":"job.test","account_id":"b","data":{}}""", """{"id":"a","type":"job.test","account_id":"\u0000","data":{}}""", """{"id":"a","type":"job.test","account_id":"b","data":[]}""", """{"id":7,"type":"job.test","account_id":"b","data":{}}""",
            """{"id":"a","type":"job..test","account_id":"b","data":{}}""", """{"id":"a","type":"job.test","account_id":"","data":{}}""",
            """{"id":"a","type":"job.test","account_id":"b","data":{"text":"\ud800"}}""",
        ];
        await using var relay = NewRelay();
        await using var worker = NewWorker();
        await ProduceAsync([.. bad, """{"id":"good","type":"job.test","account_id":"b","data":{}}"""]);

        await CompletedAsync(1);
        await Eventually.TrueAsync(() => CommittedAsync("job-workers"), "passing them all", Patience);
        Assert.Equal(bad.Length, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.inbox_dead WHERE topic = 'job-events' AND error LIKE '%.'"));
        Assert.Equal(bad.Length, _logger.Entries.Count(entry => entry.Event == nameof(Log.ParkedMessage)));
    }

    [KafkaFact("postgres")]
    public async Task MessageOfATenantThatMayNotHaveIt_BecomesADeadLetter()
    {
        await new TenantsTable(_test.Database, JobTopics.Work).SetLimitsAsync(Tenant, "tiny", TenantLimits.Default with { Daily = 1, Payload = 50 }, None);
        await using var relay = NewRelay();
        await using var worker = NewWorker();
        await ProduceAsync(Message("large", $$"""{"text":"{{new string('x', 100)}}"}"""), Message("first", "{}"), Message("second", "{}"));

        await CompletedAsync(1);
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_dlq WHERE reason = 'refused'") == 2, "two dead letters", Patience);
        Assert.Single(_handler.Begun);

        static string Message(string id, string data) => $$"""{"id":"{{id}}","type":"job.test","account_id":"{{Tenant}}","data":{{data}}}""";
    }

    [ToolFact("postgres")]
    public async Task Handlers_ThatFailInAnyWay_EndTheirAttempt_AndTheOthersGoOn()
    {
        _handlers.Set("job.throws", new Handler { Work = (_, _) => throw new InvalidOperationException("no such thing") });
        _handlers.Set("job.hangs", new Handler { Work = (_, _) => new TaskCompletionSource<AmpJobAnswer>().Task }, new JobHandlerOptions { TimeLimit = TimeSpan.FromSeconds(0.2) });
        _handlers.Set("job.blocks", new Handler { Work = (_, _) => Block() }, new JobHandlerOptions { TimeLimit = TimeSpan.FromSeconds(0.2) });
        _handlers.Set("job.slow", new Handler { Work = async (_, stop) => { await Task.Delay(Timeout.Infinite, stop); return AmpJobAnswer.Complete(); } }, new JobHandlerOptions { TimeLimit = TimeSpan.FromSeconds(0.2) });
        _handlers.Set("job.refuses", new Handler { Work = (_, _) => throw new AmpException("NoSuchUser", AmpErrorKind.NotFound, "there is no such user") });
        _handlers.Set("job.says.*", new Handler { Work = (context, _) => Task.FromResult(context.Job.Type == "job.says.fail" ? AmpJobAnswer.Fail("never") : AmpJobAnswer.Cancel("why should I")) });
        _handlers.Set("job.fails", new Handler { Work = (_, _) => Task.FromResult(AmpJobAnswer.Fail("never")) }, new JobHandlerOptions { UsesDeadLetters = false });
        await using var worker = NewWorker(withFeed: false);
        string[] types = ["job.throws", "job.hangs", "job.blocks", "job.slow", "job.refuses", "job.says.fail", "job.says.cancel", "job.fails"];
        var ids = await _queue.SubmitAsync([.. types.Select(type => new JobSubmission(Tenant, type, "{}") { MaxAttempts = 1 })], None);
        await SubmitAsync(20);

        await CompletedAsync(20);
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE finished_at IS NOT NULL") == 28, "the end of all", Patience);
        var jobs = (await new JobsView(_test.Database).ListAsync(new BackgroundJobQuery { JobIds = [.. ids.Select(job => job.Id)] }, 100, null, None)).ToDictionary(job => job.Type);
        Assert.Equal(
            [
                (AmpBackgroundJobStatus.DeadLettered, "InvalidOperationException"), (AmpBackgroundJobStatus.DeadLettered, "Timeout"), (AmpBackgroundJobStatus.DeadLettered, "Timeout"),
                (AmpBackgroundJobStatus.DeadLettered, "Timeout"), (AmpBackgroundJobStatus.DeadLettered, "NoSuchUser"), (AmpBackgroundJobStatus.DeadLettered, "Failed"),
                (AmpBackgroundJobStatus.Cancelled, null), (AmpBackgroundJobStatus.Failed, "Failed"),
            ],
            types.Select(type => (jobs[type].Status, jobs[type].LastErrorKind)));
        Assert.Equal(2, _logger.Entries.Count(entry => entry.Event == nameof(Log.AbandonedHandler)));
        await JobInvariants.AssertAsync(_test);

        static Task<AmpJobAnswer> Block()
        {
            Thread.Sleep(TimeSpan.FromSeconds(10));
            return Task.FromResult(AmpJobAnswer.Complete());
        }
    }

    [ToolFact("postgres")]
    public async Task Backoff_IsTheHandlersOwn_AndAnAnswersPauseGoesBeforeIt()
    {
        var pauses = new ConcurrentQueue<TimeSpan?>([TimeSpan.FromHours(7), null]);
        _handlers.Set("job.retries", new Handler { Work = (_, _) => Task.FromResult(AmpJobAnswer.Retry("later", pauses.TryDequeue(out var pause) ? pause : null)) }, new JobHandlerOptions { Backoff = [TimeSpan.FromHours(1), TimeSpan.FromHours(2)] });
        await using var worker = NewWorker(withFeed: false);
        await _queue.SubmitAsync([new JobSubmission(Tenant, "job.retries", "{}")], None);

        foreach (var hours in new[] { 7, 2, 2 })
        {
            await Eventually.TrueAsync(async () => await _test.ScalarAsync<string>("SELECT state FROM amp_jobs.job") == "retrying", "a failure", Patience);
            Assert.Equal(hours, await _test.ScalarAsync<double>("SELECT round(extract(epoch FROM run_at - now()) / 3600)::float8 FROM amp_jobs.job"));
            Assert.Single(await _queue.RetryAsync([(await new JobsView(_test.Database).ListAsync(new BackgroundJobQuery(), 1, null, None))[0].JobId], None));
        }
    }

    [ToolFact("postgres")]
    public async Task CancelledByAUser_TheHandlerIsTold_AndTheJobIsCancelled()
    {
        var begun = new TaskCompletionSource();
        _handler.Work = async (_, stop) =>
        {
            begun.SetResult();
            await Task.Delay(Timeout.Infinite, stop);
            return AmpJobAnswer.Complete();
        };
        await using var worker = NewWorker(withFeed: false);
        var id = (await SubmitAsync(1))[0];
        await begun.Task.WaitAsync(Patience);

        await _queue.CancelAsync([id], "user", "changed my mind", None);

        await Eventually.TrueAsync(async () => await _test.ScalarAsync<string>("SELECT state FROM amp_jobs.job") == "cancelled", "the cancellation", Patience);
        await JobInvariants.AssertAsync(_test);
    }

    [KafkaFact("postgres")]
    public async Task Stopped_ItGivesBackWhatIsNotDone_WithoutAnAttempt_AndOthersDoIt()
    {
        using var release = new CancellationTokenSource();
        var begun = 0;
        _handler.Work = async (_, stop) =>
        {
            Interlocked.Increment(ref begun);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, release.Token);
            await Task.Delay(Timeout.Infinite, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stop.ThrowIfCancellationRequested();
            return AmpJobAnswer.Complete();
        };
        await using var relay = NewRelay();
        var worker = NewWorker(options: new JobWorkerOptions { DrainTimeout = TimeSpan.FromSeconds(1) });
        await SubmitAsync(1_000);
        await Eventually.TrueAsync(() => begun >= 10, "ten jobs", Patience);

        var clock = System.Diagnostics.Stopwatch.StartNew();
        await worker.DisposeAsync();

        Assert.InRange(clock.Elapsed, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5));
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE attempt > 0 OR state <> 'queued'"));
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_worker"));
        await release.CancelAsync();
        await using var next = NewWorker(withFeed: false, options: new JobWorkerOptions { PoolSize = 50 });
        await CompletedAsync(1_000);
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE attempt <> 1"));
    }

    [ToolTheory("postgres")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task RowsOfAHandler_CommitWithItsJob_OrNotAtAll(bool loses)
    {
        await _test.ExecuteAsync("CREATE TABLE effect (job UUID)");
        _handler.Work = async (context, stop) =>
        {
            if (loses && context.Job.Attempt == 1)
            {
                // Another worker was given it meanwhile.
                await _test.ExecuteAsync("UPDATE amp_jobs.job SET lease = lease + 1, state = 'retrying', run_at = now()");
                await _test.ExecuteAsync("UPDATE amp_jobs.job_tenant SET running = 0");
            }

            return await context.CompleteInTransactionAsync(async connection =>
            {
                await Sql.ExecuteAsync(connection, "INSERT INTO effect VALUES ($1)", [context.Job.JobId], stop);
                return new { done = true };
            }, stop);
        };
        await using var sweeper = new JobSweeper(_queue, new TenantsTable(_test.Database, JobTopics.Work), TimeProvider.System, _logger);
        await using var worker = NewWorker(withFeed: false);
        await SubmitAsync(1);

        await CompletedAsync(1);
        Assert.Equal(1, await _test.ScalarAsync<long>("SELECT count(*) FROM effect"));
        Assert.Equal("""{"done":true}""", await _test.ScalarAsync<string>("SELECT result::text FROM amp_jobs.job"));
        Assert.Equal(loses ? 2 : 1, await _test.ScalarAsync<int>("SELECT attempt FROM amp_jobs.job"));
        Assert.Equal(loses ? 1 : 0, _logger.Entries.Count(entry => entry.Event == nameof(Log.LostJob)));
    }

    [ToolFact("postgres")]
    public async Task TypeWithoutAHandler_WaitsUntilThereIsOne()
    {
        await using var worker = NewWorker(withFeed: false);
        await _queue.SubmitAsync([new JobSubmission(Tenant, "other.test", "{}")], None);
        await SubmitAsync(1);
        await CompletedAsync(1);

        _handlers.Set("other.*", _handler);

        await CompletedAsync(2);
    }

    [KafkaFact("postgres")]
    public async Task LostMessage_CostsTimeOnly()
    {
        await using var worker = NewWorker();
        await SubmitAsync(5);
        await _test.ExecuteAsync("""DELETE FROM amp_jobs."KafkaOutbox" """);
        await _test.ExecuteAsync("UPDATE amp_jobs.job SET dispatched_at = now() - interval '31 seconds'");

        await CompletedAsync(5);
    }

    [ToolTheory("postgres")]
    [InlineData(1)]
    [InlineData(2)]
    public async Task ConnectionsThatAreCutAgainAndAgain_LoseNoJob_AndDoNoneTwice(int seed)
    {
        await using var worker = NewWorker(withFeed: false);
        await using var sweeper = new JobSweeper(_queue, new TenantsTable(_test.Database, JobTopics.Work), TimeProvider.System, _logger);
        var random = new Random(seed);
        await using var killer = await MetadataDatabase.ConnectAsync(_test.Url, 1, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);
        var submitted = new HashSet<Guid>();
        for (var round = 0; round < 30; round++)
        {
            JobSubmission[] jobs = [.. Enumerable.Range(0, 20).Select(_ => new JobSubmission(Tenant, "job.test", "{}"))];
            submitted.UnionWith(jobs.Select(job => job.Id));
            await RetryAsync(() => _queue.SubmitAsync(jobs, None));
            await killer.RunAsync(
                "cutting connections",
                c => Sql.ExecuteAsync(c, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", [], None), null, None);
            await Task.Delay(random.Next(60));
        }

        await RetryAsync(() => CompletedAsync(600));
        Assert.Equal(submitted.Count, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job"));
        await JobInvariants.AssertAsync(_test);

        // A commit whose answer was lost is repeated: the same jobs, so nothing is queued twice.
        static async Task RetryAsync(Func<Task> work)
        {
            for (var attempt = 0; ; attempt++)
            {
                try
                {
                    await work();
                    return;
                }
                catch (AmpException e) when (attempt < 20 && e.ErrorCode != "QuotaExceeded")
                {
                }
            }
        }
    }

    [ToolTheory("postgres")]
    [InlineData(AmpJobAnswerKind.Complete, false)]
    [InlineData(AmpJobAnswerKind.Complete, true)]
    [InlineData(AmpJobAnswerKind.Retry, false)]
    [InlineData(AmpJobAnswerKind.Snooze, false)]
    public async Task CommitWhoseAnswerIsLost_Counts_AndIsNotTakenForAnotherWorkers(AmpJobAnswerKind answer, bool inTransaction)
    {
        // The commit of an end waits for a lock, while what is between worker and server goes.
        await _test.ExecuteAsync(
            """
            CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON amp_jobs.job DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state = 'running') EXECUTE FUNCTION hold()
            """);
        var server = PostgresUrl.Parse(_test.Url);
        var between = LoopbackRelay.Listen(0);
        between.Start(server.Port);
        server.Port = between.Port;
        await using var database = await MetadataDatabase.ConnectAsync(server.ConnectionString, 5, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);
        _handler.Work = async (context, stop) => inTransaction
            ? await context.CompleteInTransactionAsync(_ => Task.FromResult<object?>(null), stop)
            : answer switch
            {
                AmpJobAnswerKind.Retry => AmpJobAnswer.Retry("later", TimeSpan.FromHours(1)),
                AmpJobAnswerKind.Snooze => AmpJobAnswer.Snooze(TimeSpan.FromHours(1)),
                _ => AmpJobAnswer.Complete(),
            };
        await using var worker = new JobWorker(
            database, new JobQueue(database, JobTopics.Work), null, JobTopics.Work, _handlers, new JobWorkerOptions(), TimeProvider.System, _logger);
        await using (var hold = await _test.Database.OpenDedicatedAsync("holding a commit", None))
        {
            await hold.ExecuteAsync("SELECT pg_advisory_lock(1)", [], None);
            await SubmitAsync(1);
            await Eventually.TrueAsync(
                async () => await _test.ScalarAsync<bool>("SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory' AND query = 'COMMIT')"),
                "a commit that waits", Patience);
            await between.DisposeAsync();
        }

        await Eventually.TrueAsync(async () => await _test.ScalarAsync<bool>("SELECT state <> 'running' FROM amp_jobs.job"), "the commit", Patience);
        await using var again = LoopbackRelay.Listen(server.Port);
        again.Start(PostgresUrl.Parse(_test.Url).Port);

        _handler.Work = (_, _) => Task.FromResult(AmpJobAnswer.Complete());
        await SubmitAsync(1);
        await CompletedAsync(answer is AmpJobAnswerKind.Complete ? 2 : 1);
        await Eventually.TrueAsync(() => _logger.Entries.Any(entry => entry.Event == nameof(Log.QueueAvailable)), "the queue", Patience);
        Assert.DoesNotContain(_logger.Entries, entry => entry.Event == nameof(Log.LostJob));
        Assert.Equal(answer is AmpJobAnswerKind.Snooze ? 0 : 1, await _test.ScalarAsync<int>("SELECT min(attempt) FROM amp_jobs.job"));
        await JobInvariants.AssertAsync(_test);
    }

    private JobWorker NewWorker(bool withFeed = true, JobWorkerOptions? options = null, string group = "job-workers") => new(
        _test.Database, _queue, withFeed ? NewFeed(group) : null, JobTopics.Work, _handlers, options ?? new JobWorkerOptions(), TimeProvider.System, _logger);

    private JobFeed NewFeed(string group) => new(Kafka, group, new InboxTable(_test.Database), TimeProvider.System, _logger);

    private OutboxRelay NewRelay() => new(new OutboxTable(_test.Database), Kafka, TimeProvider.System, _logger);

    private async Task<IReadOnlyList<Guid>> SubmitAsync(int count) =>
        [.. (await _queue.SubmitAsync([.. Enumerable.Range(0, count).Select(i => new JobSubmission(Tenant, "job.test", $$"""{"n":{{i}}}"""))], None)).Select(job => job.Id)];

    private Task CompletedAsync(int count) => Eventually.TrueAsync(
        async () => await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'completed'") == count, $"{count} completed jobs", Patience);

    private async Task ProduceAsync(params string[] messages)
    {
        using var producer = new ProducerBuilder<string, string>(new Dictionary<string, string> { ["bootstrap.servers"] = _broker.BootstrapServers }).Build();
        foreach (var message in messages)
        {
            await producer.ProduceAsync(JobTopics.Work, new Message<string, string> { Key = "account", Value = message });
        }
    }

    private async Task<bool> CommittedAsync(string group) => (await BehindAsync(group)).Count == 0;

    /// <summary>Partitions whose committed offset is not their end.</summary>
    private Task<List<(int Partition, long Committed)>> BehindAsync(string group) => Task.Run(() =>
    {
        using var consumer = new ConsumerBuilder<Ignore, byte[]>(new Dictionary<string, string> { ["bootstrap.servers"] = _broker.BootstrapServers, ["group.id"] = group }).Build();
        TopicPartition[] partitions = [.. Enumerable.Range(0, 4).Select(partition => new TopicPartition(JobTopics.Work, partition))];
        return consumer.Committed(partitions, Patience)
            .Where(at => Math.Max(0, at.Offset.Value) < consumer.QueryWatermarkOffsets(at.TopicPartition, Patience).High.Value)
            .Select(at => (at.Partition.Value, Math.Max(0, at.Offset.Value))).ToList();
    });

    private Task<Guid> JobAtAsync(int partition, long offset) => Task.Run(() =>
    {
        using var consumer = new ConsumerBuilder<string, byte[]>(new Dictionary<string, string> { ["bootstrap.servers"] = _broker.BootstrapServers, ["group.id"] = "look" }).Build();
        consumer.Assign(new TopicPartitionOffset(JobTopics.Work, partition, offset));
        return JobMessage.Read(consumer.Consume(Patience).Message.Value).Id;
    });

    private sealed class Handler : IJobHandler
    {
        public ConcurrentQueue<Guid> Begun { get; } = new();

        public Func<JobContext, CancellationToken, Task<AmpJobAnswer>> Work { get; set; } = (_, _) => Task.FromResult(AmpJobAnswer.Complete());

        public Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken)
        {
            Begun.Enqueue(context.Job.JobId);
            return Work(context, cancellationToken);
        }
    }
}
