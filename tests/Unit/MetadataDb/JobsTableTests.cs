using Amp.Support;

namespace Amp.MetadataDb;

[Collection(PostgresFixture.Collection)]
public sealed class JobsTableTests(PostgresFixture postgres)
{
    private const string Node = "worker-01";

    [ToolFact("postgres")]
    public async Task Schedule_OnANewKey_WritesJobStateEventAndNotifies()
    {
        await using var test = await CreateAsync();
        await using var listener = await test.Database.OpenDedicatedAsync("listening", default);
        await listener.ExecuteAsync("LISTEN job_actions", [], default);
        var payloads = new List<string>();
        listener.Notification += (_, e) => payloads.Add(e.Payload);

        var (jobId, isNew) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");

        Assert.True(isNew);
        var job = await test.Database.Jobs.GetAsync(jobId);
        Assert.Equal((AmpJobStatus.Scheduled, Node, 1), (job.Status, job.NodeId, job.Attempts));
        Assert.Equal(TestData.Descriptor(), job.Descriptor);
        Assert.True(await listener.WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.Equal([$$$"""{"node_id":"worker-01","payload":{"job_id":{{{jobId}}},"action":"START"}}"""], payloads);
        Assert.Equal("""{"kind": "materialize-raw", "verify": false, "end_block": "100", "max_writers": 1, "dataset_name": "mainnet", "manifest_hash": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "dataset_namespace": "ethereum"}""",
            Assert.Single(await test.Database.Jobs.EventsAsync(jobId)).Detail);
    }

    [ToolFact("postgres")]
    public async Task Schedule_WhileTheSameJobIsActive_ReturnsIt()
    {
        await using var test = await CreateAsync();
        var first = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");

        var again = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");

        Assert.Equal(new ScheduledJob(first.JobId, IsNew: false), again);
        Assert.Single(await test.Database.Jobs.EventsAsync(first.JobId));
    }

    [ToolFact("postgres")]
    public async Task Schedule_TwentyAtOnceWithOneKey_MakesOneJob()
    {
        await using var test = await CreateAsync();

        var results = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(
            () => test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key"))));

        Assert.Single(results, r => r.IsNew);
        Assert.Single(results.Select(r => r.JobId).Distinct());
        Assert.Single(await test.Database.Jobs.EventsAsync(results[0].JobId));
    }

    [ToolFact("postgres")]
    public async Task Schedule_WhileTheKeyIsActiveWithAnotherDescriptor_IsRefused()
    {
        await using var test = await CreateAsync();
        await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");

        var e = await Assert.ThrowsAsync<AmpException>(() => test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(endBlock: "200"), "key"));

        Assert.Equal("ActiveJobConflict", e.ErrorCode);
    }

    [ToolFact("postgres")]
    public async Task Schedule_AfterTheJobEnded_RunsItAgainUnderItsNumber()
    {
        await using var test = await CreateAsync();
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        await test.Database.Jobs.MarkRunningAsync(jobId, Node, default);
        await test.Database.Jobs.CompleteAsync(jobId, Node, default);

        var again = await test.Database.Jobs.ScheduleAsync("worker-02", TestData.Descriptor(endBlock: "200"), "key");

        Assert.Equal(new ScheduledJob(jobId, IsNew: true), again);
        var job = await test.Database.Jobs.GetAsync(jobId);
        Assert.Equal((AmpJobStatus.Scheduled, "worker-02", 2, "200"), (job.Status, job.NodeId, job.Attempts, job.Descriptor!.EndBlock));
    }

    [ToolFact("postgres")]
    public async Task Schedule_OnAnUnknownWorker_IsRefusedAndLeavesNothing()
    {
        await using var test = await CreateAsync();

        var e = await Assert.ThrowsAsync<AmpException>(() => test.Database.Jobs.ScheduleAsync("nobody", TestData.Descriptor(), "key"));

        Assert.Equal("WorkerNotFound", e.ErrorCode);
        Assert.Empty(await test.Database.Jobs.ListAsync());
    }

    [ToolFact("postgres")]
    public async Task Transitions_OfAStoppedJob_AreAllLogged()
    {
        await using var test = await CreateAsync();
        var jobs = test.Database.Jobs;
        var (jobId, _) = await jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");

        await jobs.MarkRunningAsync(jobId, Node, default);
        Assert.True(await jobs.RequestStopAsync(jobId));
        Assert.False(await jobs.RequestStopAsync(jobId));
        await jobs.MarkStoppingAsync(jobId, Node, default);
        Assert.False(await jobs.RequestStopAsync(jobId));
        await jobs.MarkStoppedAsync(jobId, Node, default);

        Assert.Equal(
            [AmpJobStatus.Scheduled, AmpJobStatus.Running, AmpJobStatus.StopRequested, AmpJobStatus.Stopping, AmpJobStatus.Stopped],
            (await jobs.EventsAsync(jobId)).Select(e => e.Status));
        var e = await Assert.ThrowsAsync<AmpException>(() => jobs.RequestStopAsync(jobId));
        Assert.Equal("JobAlreadyTerminated", e.ErrorCode);
    }

    [ToolFact("postgres")]
    public async Task Transitions_FromEveryState_AreAllowedOrRefusedAsTheTableSays()
    {
        await using var test = await CreateAsync();
        var jobs = test.Database.Jobs;
        var (jobId, _) = await jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        var transitions = new (string Name, Func<Task> Run, AmpJobStatus[] From)[]
        {
            ("run", () => jobs.MarkRunningAsync(jobId, Node, default), [AmpJobStatus.Scheduled]),
            ("complete", () => jobs.CompleteAsync(jobId, Node, default), [AmpJobStatus.Running]),
            ("stopping", () => jobs.MarkStoppingAsync(jobId, Node, default), [AmpJobStatus.StopRequested]),
            ("stopped", () => jobs.MarkStoppedAsync(jobId, Node, default), [AmpJobStatus.Stopping]),
            ("error", () => jobs.FailAsync(jobId, Node, fatal: false, "{}", default), [AmpJobStatus.Scheduled, AmpJobStatus.Running]),
            ("fatal", () => jobs.FailAsync(jobId, Node, fatal: true, "{}", default), [AmpJobStatus.Scheduled, AmpJobStatus.Running]),
            ("reschedule", () => jobs.RescheduleAsync(jobId), [AmpJobStatus.Error, AmpJobStatus.Fatal, AmpJobStatus.Stopped]),
            ("delete", () => jobs.DeleteAsync(jobId), []),
        };

        foreach (var status in Enum.GetValues<AmpJobStatus>().Except([AmpJobStatus.Unknown]))
        {
            foreach (var (name, run, from) in transitions.Where(t => t.Name != "delete" || JobStatusText.Active.Contains(status)))
            {
                await test.ExecuteAsync("UPDATE jobs_status SET status = $2 WHERE job_id = $1", jobId, status.ToText());
                var events = (await jobs.EventsAsync(jobId)).Count;

                var refused = await Record.ExceptionAsync(run);

                if (from.Contains(status))
                {
                    Assert.True(refused is null, $"{name} from {status} was refused: {refused}");
                    Assert.Equal(events + 1, (await jobs.EventsAsync(jobId)).Count);
                }
                else
                {
                    Assert.True(refused is AmpException { Kind: AmpErrorKind.InvalidState }, $"{name} from {status}: {refused}");
                    Assert.Equal(status, (await jobs.GetAsync(jobId)).Status);
                    Assert.Equal(events, (await jobs.EventsAsync(jobId)).Count);
                }
            }
        }
    }

    [ToolFact("postgres")]
    public async Task Transition_ByAWorkerThatLostTheJob_IsRefused()
    {
        await using var test = await CreateAsync();
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");

        var e = await Assert.ThrowsAsync<AmpException>(() => test.Database.Jobs.MarkRunningAsync(jobId, "worker-02", default));

        Assert.Equal("JobLeaseLost", e.ErrorCode);
        Assert.Equal(AmpJobStatus.Scheduled, (await test.Database.Jobs.GetAsync(jobId)).Status);
    }

    [ToolFact("postgres")]
    public async Task Fail_WithADetail_ShowsCodeAndMessage()
    {
        await using var test = await CreateAsync();
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");

        await test.Database.Jobs.FailAsync(jobId, Node, fatal: true, """{"error_code":"RPC_FAILED","error_message":"no answer"}""", default);

        var job = await test.Database.Jobs.GetAsync(jobId);
        Assert.Equal((AmpJobStatus.Fatal, "RPC_FAILED", "no answer"), (job.Status, job.ErrorCode, job.ErrorMessage));
    }

    [ToolFact("postgres")]
    public async Task List_WithFilters_PagesNewestFirst()
    {
        await using var test = await CreateAsync();
        var jobs = test.Database.Jobs;
        var ids = new List<long>();
        for (var i = 0; i < 5; i++)
        {
            ids.Add((await jobs.ScheduleAsync(i % 2 == 0 ? Node : "worker-02", TestData.Descriptor($"d{i}"), $"key{i}")).JobId);
        }

        Assert.Equal([ids[4], ids[3]], (await jobs.ListAsync(new JobFilter { Limit = 2 })).Select(j => j.JobId));
        Assert.Equal([ids[1], ids[0]], (await jobs.ListAsync(new JobFilter { BeforeJobId = ids[2] })).Select(j => j.JobId));
        Assert.Equal([ids[3], ids[1]], (await jobs.ListAsync(new JobFilter { NodeId = "worker-02" })).Select(j => j.JobId));
        Assert.Equal([ids[2]], (await jobs.ListAsync(new JobFilter { DatasetNamespace = "ethereum", DatasetName = "d2" })).Select(j => j.JobId));
        Assert.Empty(await jobs.ListAsync(new JobFilter { Statuses = [AmpJobStatus.Running] }));
    }

    [ToolFact("postgres")]
    public async Task Delete_OfAnEndedJob_RemovesItAndItsEvents()
    {
        await using var test = await CreateAsync();
        var (jobId, _) = await test.Database.Jobs.ScheduleAsync(Node, TestData.Descriptor(), "key");
        await test.Database.Jobs.FailAsync(jobId, Node, fatal: true, "{}", default);

        await test.Database.Jobs.DeleteAsync(jobId);

        var e = await Assert.ThrowsAsync<AmpException>(() => test.Database.Jobs.GetAsync(jobId));
        Assert.Equal("JobNotFound", e.ErrorCode);
        Assert.Empty(await test.Database.Jobs.EventsAsync(jobId));
    }

    private async Task<TestDatabase> CreateAsync()
    {
        var test = await postgres.CreateAsync();
        await test.Database.Workers.RegisterAsync(Node, TestData.Build, default);
        await test.Database.Workers.RegisterAsync("worker-02", TestData.Build, default);
        return test;
    }
}
