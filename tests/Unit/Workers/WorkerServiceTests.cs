using Amp.MetadataDb;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Workers;

[Collection(PostgresFixture.Collection)]
public sealed class WorkerServiceTests(PostgresFixture postgres)
{
    private const string Node = "worker-01";

    private static readonly WorkerOptions Options = new() { RetryDelay = TimeSpan.FromMilliseconds(50) };

    [ToolFact("postgres")]
    public async Task Start_OnAFreshDatabase_RegistersWithBuildInfoAndBeats()
    {
        await using var test = await postgres.CreateAsync();
        await using var worker = Worker(test, new FakeExecutor(), Options with { HeartbeatInterval = TimeSpan.FromMilliseconds(50) });

        await worker.StartAsync();

        var row = await test.Database.Workers.GetAsync(Node);
        Assert.Equal((TestData.Build.Version, TestData.Build.CommitSha, TestData.Build.CommitTimestamp, TestData.Build.BuildDate),
            (row!.Version, row.CommitSha, row.CommitTimestamp, row.BuildDate));
        Assert.True(row.IsActive);
        Assert.Equal(WorkerState.Running, worker.State);
        await Eventually.TrueAsync(async () => (await test.Database.Workers.GetAsync(Node))!.HeartbeatAt > row.HeartbeatAt, "a heartbeat");
    }

    [ToolFact("postgres")]
    public async Task Stop_MakesTheWorkerInactiveAtOnce_AndStartActiveAgain()
    {
        await using var test = await postgres.CreateAsync();
        var worker = Worker(test, new FakeExecutor());
        await worker.StartAsync();

        await worker.DisposeAsync();

        Assert.False((await test.Database.Workers.GetAsync(Node))!.IsActive);
        await using var next = Worker(test, new FakeExecutor());
        await next.StartAsync();
        Assert.True((await test.Database.Workers.GetAsync(Node))!.IsActive);
    }

    [ToolFact("postgres")]
    public async Task Start_WithANameInUse_IsRefusedAndLeavesTheRegistrationAlone()
    {
        await using var test = await postgres.CreateAsync();
        await using var first = Worker(test, new FakeExecutor());
        await first.StartAsync();
        var before = await test.Database.Workers.GetAsync(Node);
        await using var second = Worker(test, new FakeExecutor());

        var e = await Assert.ThrowsAsync<AmpException>(() => second.StartAsync());

        Assert.Equal(("NodeIdInUse", AmpErrorKind.Conflict), (e.ErrorCode, e.Kind));
        Assert.Equal(WorkerState.Failed, second.State);
        Assert.Equal(before!.RegisteredAt, (await test.Database.Workers.GetAsync(Node))!.RegisteredAt);
        Assert.Equal(WorkerState.Running, first.State);
    }

    [ToolFact("postgres")]
    public async Task Start_ASecondTime_IsRefused_AndTheWorkerGoesOn()
    {
        await using var test = await postgres.CreateAsync();
        await using var worker = Worker(test, new FakeExecutor());
        await worker.StartAsync();

        var e = await Assert.ThrowsAsync<AmpException>(() => worker.StartAsync());

        Assert.Equal(("WorkerAlreadyStarted", WorkerState.Running), (e.ErrorCode, worker.State));
    }

    [ToolFact("postgres")]
    public async Task Start_AfterTheFirstStopped_IsPossibleAtOnce()
    {
        await using var test = await postgres.CreateAsync();
        var first = Worker(test, new FakeExecutor());
        await first.StartAsync();
        await first.StopAsync();

        await using var second = Worker(test, new FakeExecutor());
        await second.StartAsync();

        Assert.Equal((WorkerState.Stopped, WorkerState.Running), (first.State, second.State));
    }

    [ToolFact("postgres")]
    public async Task Notification_OfANewJob_RunsItToCompletion()
    {
        await using var test = await postgres.CreateAsync();
        var executor = new FakeExecutor { Work = (_, _) => Task.CompletedTask };
        await using var worker = Worker(test, executor);
        await worker.StartAsync();

        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");

        await StatusAsync(test, jobId, AmpJobStatus.Completed);
        var job = Assert.Single(executor.Begun);
        Assert.Equal((jobId, Node, TestData.Descriptor(), 1), (job.JobId, job.NodeId, job.Descriptor, job.Attempt));
        Assert.Equal([AmpJobStatus.Scheduled, AmpJobStatus.Running, AmpJobStatus.Completed],
            (await test.Database.Jobs.EventsAsync(jobId)).Select(e => e.Status));
        await Eventually.TrueAsync(() => worker.RunningJobs == 0, "the job set to be empty");
    }

    [ToolFact("postgres")]
    public async Task Notifications_ThatAreMalformedOrForOthers_AreIgnored()
    {
        await using var test = await postgres.CreateAsync();
        var executor = new FakeExecutor { Work = (_, _) => Task.CompletedTask };
        await using var worker = Worker(test, executor);
        await worker.StartAsync();
        foreach (var payload in new[]
        {
            "", "not json", "[]", "{}", """{"node_id":5}""", """{"node_id":"worker-01"}""", """{"node_id":"worker-01","payload":{"job_id":"x","action":"START"}}""",
            """{"node_id":"worker-01","payload":{"job_id":1,"action":"DANCE"}}""", """{"node_id":"worker-01","payload":{"job_id":99999,"action":"START"}}""",
            """{"node_id":"worker-02","payload":{"job_id":1,"action":"START"}}""",
        })
        {
            await test.ExecuteAsync("SELECT pg_notify('job_actions', $1)", payload);
        }

        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");

        await StatusAsync(test, jobId, AmpJobStatus.Completed);
        Assert.Single(executor.Begun);
        Assert.Null(worker.LastError);
    }

    [ToolFact("postgres")]
    public async Task Stop_OfARunningJob_EndsAsStopped()
    {
        await using var test = await postgres.CreateAsync();
        var executor = new FakeExecutor();
        await using var worker = Worker(test, executor);
        await worker.StartAsync();
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        await Eventually.TrueAsync(() => !executor.Begun.IsEmpty, "the job to begin");

        await test.Database.Jobs.RequestStopAsync(jobId);

        await StatusAsync(test, jobId, AmpJobStatus.Stopped);
        Assert.Equal([AmpJobStatus.Scheduled, AmpJobStatus.Running, AmpJobStatus.StopRequested, AmpJobStatus.Stopping, AmpJobStatus.Stopped],
            (await test.Database.Jobs.EventsAsync(jobId)).Select(e => e.Status));
    }

    [ToolFact("postgres")]
    public async Task Stop_OfAJobThatCompletesJustThen_EndsAsStopped()
    {
        await using var test = await postgres.CreateAsync();
        var release = new TaskCompletionSource();
        var executor = new FakeExecutor { Work = (_, _) => release.Task };
        await using var worker = Worker(test, executor);
        await worker.StartAsync();
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        await StatusAsync(test, jobId, AmpJobStatus.Running);

        // The worker does not hear of the request: no notification goes with this statement.
        await test.ExecuteAsync("UPDATE jobs_status SET status = 'STOP_REQUESTED' WHERE job_id = $1", jobId);
        release.SetResult();

        await StatusAsync(test, jobId, AmpJobStatus.Stopped);
    }

    [ToolFact("postgres")]
    public async Task Failure_IsErrorWhenTransientAndFatalOtherwise()
    {
        await using var test = await postgres.CreateAsync();
        var executor = new FakeExecutor
        {
            Work = (job, _) => throw (job.Descriptor.DatasetName switch
            {
                "transient" => new AmpException("RpcFailed", AmpErrorKind.Unavailable, "no answer", new IOException("broken pipe")) { IsTransient = true },
                "final" => new AmpException("WrongNetwork", AmpErrorKind.InvalidData, "chain 5, not 1"),
                _ => new FormatException("a defect"),
            }),
        };
        await using var worker = Worker(test, executor);
        await worker.StartAsync();

        var jobs = new Dictionary<string, long>();
        foreach (var name in new[] { "transient", "final", "defect" })
        {
            jobs[name] = (await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(name), name)).JobId;
        }

        Assert.Equal(("RPC_FAILED", "no answer"), Error(await StatusAsync(test, jobs["transient"], AmpJobStatus.Error)));
        Assert.Equal(("WRONG_NETWORK", "chain 5, not 1"), Error(await StatusAsync(test, jobs["final"], AmpJobStatus.Fatal)));
        Assert.Equal(("UNEXPECTED_ERROR", "a defect"), Error(await StatusAsync(test, jobs["defect"], AmpJobStatus.Fatal)));
        Assert.Equal("""{"dataset": "ethereum/transient", "stack_trace": ["broken pipe"], "attempt_index": 1, "manifest_hash": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}""",
            await test.ScalarAsync<string>("SELECT (detail->'error_context')::text FROM jobs_status WHERE job_id = $1", jobs["transient"]));

        static (string?, string?) Error(AmpJob job) => (job.ErrorCode, job.ErrorMessage);
    }

    [ToolFact("postgres")]
    public async Task Job_WithoutAReadableDescriptor_IsFatal()
    {
        await using var test = await postgres.CreateAsync();
        await test.Database.Workers.RegisterAsync(Node, TestData.Build, default);
        var (missing, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "a");
        var (broken, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "b");
        await test.ExecuteAsync("UPDATE job_events SET detail = NULL WHERE job_id = $1", missing);
        await test.ExecuteAsync("UPDATE job_events SET detail = '{\"kind\": 7}' WHERE job_id = $1", broken);
        await test.ExecuteAsync("UPDATE jobs_status SET status = 'RUNNING' WHERE job_id = $1", broken);

        await using var worker = Worker(test, new FakeExecutor());
        await worker.StartAsync();

        Assert.Equal("JOB_DESCRIPTOR_INVALID", (await StatusAsync(test, missing, AmpJobStatus.Fatal)).ErrorCode);
        Assert.Equal("JOB_DESCRIPTOR_INVALID", (await StatusAsync(test, broken, AmpJobStatus.Fatal)).ErrorCode);
    }

    [ToolFact("postgres")]
    public async Task Start_WithJobsOfAnEarlierRun_ResumesAndEndsThem()
    {
        await using var test = await postgres.CreateAsync();
        await test.Database.Workers.RegisterAsync(Node, TestData.Build, default);
        var ids = new Dictionary<string, long>();
        foreach (var status in new[] { "SCHEDULED", "RUNNING", "STOP_REQUESTED", "STOPPING", "COMPLETED" })
        {
            ids[status] = (await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(status), status)).JobId;
            await test.ExecuteAsync("UPDATE jobs_status SET status = $2 WHERE job_id = $1", ids[status], status);
        }

        var executor = new FakeExecutor();
        await using var worker = Worker(test, executor);
        await worker.StartAsync();

        await Eventually.TrueAsync(() => executor.Begun.Count == 2, "both jobs to begin");
        Assert.Equal([ids["SCHEDULED"], ids["RUNNING"]], executor.Begun.Select(j => j.JobId).Order());
        await StatusAsync(test, ids["STOP_REQUESTED"], AmpJobStatus.Stopped);
        await StatusAsync(test, ids["STOPPING"], AmpJobStatus.Stopped);
    }

    [ToolFact("postgres")]
    public async Task StopAsync_LeavesJobsRunningAndTheNextRunResumesThem()
    {
        await using var test = await postgres.CreateAsync();
        var executor = new FakeExecutor();
        var first = Worker(test, executor);
        await first.StartAsync();
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        await Eventually.TrueAsync(() => executor.Begun.Count == 1, "the job to begin");

        await first.StopAsync();

        Assert.Equal(AmpJobStatus.Running, (await test.Database.Jobs.GetAsync(jobId)).Status);
        await using var second = Worker(test, executor);
        await second.StartAsync();
        await Eventually.TrueAsync(() => executor.Begun.Count == 2, "the job to resume");
        Assert.Equal([1, 1], executor.Begun.Select(j => j.Attempt));
        Assert.True(executor.Begun.Last().RegisteredAt > executor.Begun.First().RegisteredAt);
    }

    [ToolFact("postgres")]
    public async Task Start_AfterTheWorkersProcessWasKilled_ResumesItsJobs()
    {
        await using var test = await postgres.CreateAsync();
        using var process = HelperProcess.Start("run-worker", test.Url, Node);
        await process.ReadyAsync();
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        await StatusAsync(test, jobId, AmpJobStatus.Running);

        process.Kill();
        var executor = new FakeExecutor { Work = (_, _) => Task.CompletedTask };
        await using var worker = Worker(test, executor);
        await worker.StartAsync();

        await StatusAsync(test, jobId, AmpJobStatus.Completed);
        Assert.Equal(jobId, Assert.Single(executor.Begun).JobId);
    }

    [ToolFact("postgres")]
    public async Task StopAsync_WithAJobThatDoesNotListen_EndsAtItsLimit()
    {
        await using var test = await postgres.CreateAsync();
        var never = new TaskCompletionSource();
        var executor = new FakeExecutor { Work = (_, _) => never.Task };
        var worker = Worker(test, executor, Options with { StopTimeout = TimeSpan.FromMilliseconds(200) });
        await worker.StartAsync();
        await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        await Eventually.TrueAsync(() => executor.Begun.Count == 1, "the job to begin");

        await worker.StopAsync().WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(WorkerState.Stopped, worker.State);
        never.SetResult();
    }

    [ToolFact("postgres")]
    public async Task Reassignment_ToAnotherWorker_StopsTheJobHereWithoutTouchingItsState()
    {
        await using var test = await postgres.CreateAsync();
        await test.Database.Workers.RegisterAsync("worker-02", TestData.Build, default);
        var ended = new TaskCompletionSource();
        var executor = new FakeExecutor
        {
            Work = async (_, stop) =>
            {
                await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                ended.SetResult();
                stop.ThrowIfCancellationRequested();
            },
        };
        await using var worker = Worker(test, executor, Options with { ReconcileInterval = TimeSpan.FromMilliseconds(100) });
        await worker.StartAsync();
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        await Eventually.TrueAsync(() => executor.Begun.Count == 1, "the job to begin");

        await test.Database.Jobs.RescheduleAsync(jobId, "worker-02", [AmpJobStatus.Running]);

        await ended.Task.WaitAsync(TimeSpan.FromSeconds(10));
        await Eventually.TrueAsync(() => worker.RunningJobs == 0, "the job to leave");
        var job = await test.Database.Jobs.GetAsync(jobId);
        Assert.Equal(("worker-02", AmpJobStatus.Scheduled), (job.NodeId, job.Status));
    }

    [ToolFact("postgres")]
    public async Task Database_ThatDropsEveryConnection_IsReconnectedAndNothingIsLost()
    {
        await using var test = await postgres.CreateAsync();
        var release = new TaskCompletionSource();
        var executor = new FakeExecutor { Work = (job, stop) => job.Descriptor.DatasetName == "long" ? release.Task.WaitAsync(stop) : Task.CompletedTask };
        await using var worker = Worker(test, executor, Options with { HeartbeatInterval = TimeSpan.FromMilliseconds(100) });
        await worker.StartAsync();
        var registered = (await test.Database.Workers.GetAsync(Node))!.RegisteredAt;
        var (longJob, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor("long"), "long");
        await StatusAsync(test, longJob, AmpJobStatus.Running);

        for (var i = 0; i < 3; i++)
        {
            await test.ExecuteAsync(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
            await Eventually.TrueAsync(() => worker.State == WorkerState.Degraded, "the loss to be noticed");
            await Eventually.TrueAsync(() => worker.State == WorkerState.Running, "the worker to recover");
        }

        var (next, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor("next"), "next");
        await StatusAsync(test, next, AmpJobStatus.Completed);
        release.SetResult();
        await StatusAsync(test, longJob, AmpJobStatus.Completed);
        Assert.Equal(registered, (await test.Database.Workers.GetAsync(Node))!.RegisteredAt);
        await using var second = Worker(test, executor);
        Assert.Equal("NodeIdInUse", (await Assert.ThrowsAsync<AmpException>(() => second.StartAsync())).ErrorCode);
    }

    [ToolFact("postgres")]
    public async Task Takeover_OfTheNameByAnotherRun_EndsThisOne()
    {
        await using var test = await postgres.CreateAsync();
        var executor = new FakeExecutor();
        await using var worker = Worker(test, executor, Options with { HeartbeatInterval = TimeSpan.FromMilliseconds(50) });
        await worker.StartAsync();
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        await Eventually.TrueAsync(() => executor.Begun.Count == 1, "the job to begin");

        // As if this process had been frozen until its lock was gone and a new run had registered.
        await test.Database.Workers.RegisterAsync(Node, TestData.Build, default);

        await worker.Completion.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal((WorkerState.Failed, "NodeIdInUse"), (worker.State, (worker.LastError as AmpException)?.ErrorCode));
        Assert.Equal(AmpJobStatus.Running, (await test.Database.Jobs.GetAsync(jobId)).Status);
    }

    [ToolFact("postgres")]
    public async Task Heartbeat_WhileTheThreadPoolIsBlocked_GoesOn()
    {
        await using var test = await postgres.CreateAsync();
        await using var worker = Worker(test, new FakeExecutor(), Options with { HeartbeatInterval = TimeSpan.FromMilliseconds(100) });
        await worker.StartAsync();
        using var observer = test.Database.OpenDedicated();

        // Not disposed: some of the pool's threads may come to it only after the test.
        var release = new ManualResetEventSlim();
        for (var i = 0; i < Environment.ProcessorCount * 50; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(_ => release.Wait(), null);
        }

        var ages = new List<double>();
        var thread = new Thread(() =>
        {
            // Synchronous, on a thread of its own: the pool is blocked for the observer too.
            using var command = observer.Command("SELECT extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 FROM workers");
            for (var i = 0; i < 40; i++)
            {
                ages.Add((double)command.ExecuteScalar()!);
                Thread.Sleep(25);
            }

            release.Set();
        });
        thread.Start();
        thread.Join();

        Assert.True(ages.Max() < 0.6, $"oldest heartbeat {ages.Max()} s");
    }

    private static WorkerService Worker(TestDatabase test, IJobExecutor executor, WorkerOptions? options = null) =>
        new(test.Database, Node, TestData.Build, executor, NullLoggerFactory.Instance, options ?? Options);

    private static async Task<AmpJob> StatusAsync(TestDatabase test, long jobId, AmpJobStatus status)
    {
        await Eventually.TrueAsync(async () => (await test.Database.Jobs.GetAsync(jobId)).Status == status, $"job {jobId} to be {status}");
        return await test.Database.Jobs.GetAsync(jobId);
    }
}
