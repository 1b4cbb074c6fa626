using System.Collections.Concurrent;
using System.Text.Json;
using Amp.MetadataDb;
using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>The queue on a real PostgreSQL. After each test the log, the counters and the jobs are held against each other.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class JobQueueTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly JobFault Fault = new("IOException", "the mail server said no", "550");
    private static readonly Guid Tenant = Guid.Parse("10000000-0000-4000-8000-000000000004");

    private readonly Guid _worker = Guid.NewGuid();
    private TestDatabase _test = null!;
    private JobQueue _queue = null!;
    private TenantsTable _tenants = null!;

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync();
        _queue = new JobQueue(_test.Database, "job-events");
        _tenants = new TenantsTable(_test.Database, "job-events");
        await _queue.InitializeAsync(autoMigrate: true, None);
        await _test.BeatAsync(_worker);
    }

    public async Task DisposeAsync()
    {
        await JobInvariants.AssertAsync(_test);
        await _test.DisposeAsync();
    }

    [ToolFact("postgres")]
    public async Task Initialize_Again_AppliesNothing()
    {
        Assert.Empty(await _queue.InitializeAsync(autoMigrate: true, None));
    }

    [ToolFact("postgres")]
    public async Task Job_FromSubmissionToCompletion_TellsEachStepInTheDocumentedEnvelope()
    {
        var id = (await SubmitAsync(new JobSubmission(Tenant, "email.send", """{"to": "user@example.com", "template": "welcome"}""") { Priority = 5 }))[0].Id;
        var job = await ClaimOneAsync();
        Assert.Equal((id, 1, 1L), (job.Job.JobId, job.Job.Attempt, job.Lease));
        Assert.Equal([id], (await _queue.ExchangeAsync(_worker, [new AttemptEnd(id, job.Lease, JobVerdict.Complete) { Result = """{"sent":true}""" }], [], _ => TimeSpan.Zero, None)).Ended);

        var events = await EventsAsync();
        Assert.Equal(["eventzr.jobs.enqueued.v1", "eventzr.jobs.started.v1", "eventzr.jobs.completed.v1"], events.Select(e => e.Text("type")));
        Assert.All(events, e =>
        {
            Assert.Equal("1.0", e.Text("specversion"));
            Assert.Equal("jobs-svc", e.Text("source"));
            Assert.Matches("^evt-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$", e.Text("id"));
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", e.Text("time"));
            Assert.Equal("application/json", e.Text("datacontenttype"));
            Assert.Equal(Tenant.ToString(), e.Text("subject"));
            Assert.Equal((Tenant.ToString(), id.ToString(), "email.send", 5), (e.Data("tenantId"), e.Data("jobId"), e.Data("type"), e.GetProperty("data").GetProperty("priority").GetInt32()));
        });
        Assert.Equal(["1", "2", "3"], events.Select(e => e.Text("tenantseq")));
        Assert.Equal(["queued", "running", "completed"], events.Select(e => e.Data("status")));
        Assert.Equal("""{"to":"user@example.com","template":"welcome"}""", events[0].GetProperty("data").GetProperty("payload").GetRawText());
        Assert.Equal(_worker.ToString(), events[1].Data("workerId"));
        Assert.True(events[2].GetProperty("data").GetProperty("result").GetProperty("sent").GetBoolean());
    }

    [ToolFact("postgres")]
    public async Task Job_ThatFails_IsTriedAgain_ThenBecomesADeadLetter_AndIsReplayedOrPurged()
    {
        var id = (await SubmitAsync(Job() with { MaxAttempts = 2 }))[0].Id;
        var first = await ClaimOneAsync();
        Assert.True(await _queue.EndAsync(first, JobVerdict.Retry, Fault, TimeSpan.FromHours(1)));
        Assert.Equal((0, 0, 0), await _queue.SweepAsync(None));
        await DueAsync();
        Assert.Equal((1, 0, 0), await _queue.SweepAsync(None));
        var second = await ClaimOneAsync();
        Assert.Equal((2, 2L), (second.Job.Attempt, second.Lease));
        Assert.True(await _queue.EndAsync(second, JobVerdict.Retry, Fault, null));

        Assert.Equal(1, await _queue.ReplayAsync([id], "operator", None));
        Assert.Equal(0, await _queue.ReplayAsync([id], "operator", None));
        var third = await ClaimOneAsync();
        Assert.Equal((1, 3L), (third.Job.Attempt, third.Lease));
        Assert.True(await _queue.EndAsync(third, JobVerdict.GiveUp, Fault, null));
        Assert.Equal(1, await _queue.PurgeAsync([id], "operator", None));
        Assert.Equal(0, await _queue.PurgeAsync([id], "operator", None));

        var events = await EventsAsync();
        Assert.Equal(
            ["enqueued", "started", "failed", "retried", "started", "failed", "deadlettered", "dlq.replayed", "started", "failed", "deadlettered", "dlq.purged"],
            events.Select(e => e.Text("type")["eventzr.jobs.".Length..^".v1".Length]));
        Assert.Equal([true, false, false], events.Where(e => e.Text("type").Contains(".failed.", StringComparison.Ordinal)).Select(e => e.GetProperty("data").GetProperty("willRetry").GetBoolean()));
        Assert.Equal(("IOException", "550", "error"), (events[2].GetProperty("data").GetProperty("error").GetProperty("kind").GetString(), events[2].GetProperty("data").GetProperty("error").GetProperty("code").GetString(), events[2].Data("reason")));
        Assert.Equal("non_retryable", events[10].Data("reason"));
        Assert.Equal("purged", events[11].Data("status"));
    }

    [ToolFact("postgres")]
    public async Task WorkerThatLostItsLease_WritesNothing()
    {
        var id = (await SubmitAsync(Job()))[0].Id;
        var lost = await ClaimOneAsync();
        await _test.ExecuteAsync("UPDATE amp_jobs.job_worker SET heartbeat_at = now() - interval '16 seconds'");
        Assert.Equal((1, 0, 1), await _queue.SweepAsync(None));
        await _test.BeatAsync(_worker);
        await DueAsync();
        await _queue.SweepAsync(None);
        var held = await ClaimOneAsync();

        Assert.Empty(await _queue.CompleteAsync(lost));
        Assert.False(await _queue.EndAsync(lost, JobVerdict.GiveUp, Fault, null));
        Assert.Equal([id], await _queue.CompleteAsync(held));
        Assert.Empty(await _queue.CompleteAsync(held));

        Assert.Contains("lease_expired", (await EventsAsync()).Where(e => e.Text("type") == JobTopics.Failed).Select(e => e.Data("reason")));
    }

    [ToolFact("postgres")]
    public async Task EndsThatAreSentAgain_AreKnown_AndThoseOfALostLeaseAreNot()
    {
        foreach (var verdict in Enum.GetValues<JobVerdict>())
        {
            await SubmitAsync(Job());
            var job = await ClaimOneAsync();
            var end = new AttemptEnd(job.Job.JobId, job.Lease, verdict) { Fault = Fault, Pause = TimeSpan.FromHours(1) };
            var first = await _queue.ExchangeAsync(_worker, [end], [], _ => TimeSpan.Zero, None);
            Assert.Equal([job.Job.JobId], first.Ended);
            Assert.Empty(first.EndedBefore);

            var second = await _queue.ExchangeAsync(_worker, [end], [], _ => TimeSpan.Zero, None);
            Assert.Empty(second.Ended);
            Assert.Equal([end], second.EndedBefore);
            await _queue.CancelAsync([job.Job.JobId], "user", "done with", None);
        }

        await SubmitAsync(Job());
        var lost = await ClaimOneAsync();
        await _test.ExecuteAsync("UPDATE amp_jobs.job_worker SET heartbeat_at = now() - interval '16 seconds'");
        await _queue.SweepAsync(None);
        foreach (var verdict in Enum.GetValues<JobVerdict>())
        {
            var late = await _queue.ExchangeAsync(_worker, [new AttemptEnd(lost.Job.JobId, lost.Lease, verdict) { Fault = Fault }], [], _ => TimeSpan.Zero, None);
            Assert.Equal((0, 0), (late.Ended.Count, late.EndedBefore.Count));
        }
    }

    [ToolFact("postgres")]
    public async Task TenantsOfATransactionThatStandsStill_AreLetGo()
    {
        await SubmitAsync(Job());
        await using var frozen = await _test.Database.OpenDedicatedAsync("standing still", None);
        await frozen.ExecuteAsync("BEGIN", [], None);
        await TenantLedger.LockAsync(frozen, "job-events", [Tenant], None);

        await SubmitAsync(Job());

        var e = await Assert.ThrowsAnyAsync<Npgsql.NpgsqlException>(() => frozen.ExecuteAsync("COMMIT", [], None));
        Assert.True(DatabaseErrors.Translate(e, "committing", "test").IsTransient);
    }

    [ToolFact("postgres")]
    public async Task JobBeyondItsTimeLimit_IsTakenFromALiveWorker()
    {
        await SubmitAsync(Job());
        await _queue.ClaimAsync(_worker, 1, TimeSpan.FromMilliseconds(1));
        await Task.Delay(10);

        Assert.Equal((0, 0, 1), await _queue.SweepAsync(None));

        Assert.Equal("timeout", (await EventsAsync())[^1].Data("reason"));
    }

    [ToolFact("postgres")]
    public async Task GivenBackOrSnoozed_UsesNoAttempt()
    {
        var id = (await SubmitAsync(Job()))[0].Id;
        await _queue.EndAsync(await ClaimOneAsync(), JobVerdict.GiveBack);
        var again = await ClaimOneAsync();
        Assert.Equal((1, 2L), (again.Job.Attempt, again.Lease));
        await _queue.EndAsync(again, JobVerdict.Snooze, null, TimeSpan.FromHours(1));

        Assert.Empty(await _queue.ClaimAsync(_worker, 1));
        await DueAsync();
        Assert.Equal(1, (await ClaimOneAsync()).Job.Attempt);
    }

    [ToolFact("postgres")]
    public async Task Cancellation_OfAJobThatRuns_WaitsForItsWorker()
    {
        var waiting = (await SubmitAsync(Job() with { RunAt = DateTimeOffset.UtcNow.AddHours(1) }))[0].Id;
        var running = (await SubmitAsync(Job()))[0].Id;
        var job = await ClaimOneAsync();

        var states = await _queue.CancelAsync([waiting, running, Guid.NewGuid()], "user", "not wanted any more", None);
        Assert.Equal(("cancelled", "running", 2), (states[waiting], states[running], states.Count));
        Assert.True(await _queue.EndAsync(job, JobVerdict.Retry, Fault, null));

        Assert.Equal(["cancelled", "cancelled"], await _test.Database.RunAsync("reading", c => c.QueryAsync("SELECT state FROM amp_jobs.job", [], r => r.GetString(0), None), null, None));
    }

    [ToolFact("postgres")]
    public async Task Claim_TakesTheMostUrgentFirst_AndNoMoreOfATenantThanItMayRun()
    {
        var other = Guid.NewGuid();
        await _tenants.SetLimitsAsync(Tenant, "small", TenantLimits.Default with { Running = 2 }, None);
        await SubmitAsync([.. Enumerable.Range(0, 5).Select(i => Job() with { Priority = (short)i })]);
        await SubmitAsync(Job() with { TenantId = other, Priority = 1 });

        var claimed = await _queue.ClaimAsync(_worker, 10);

        Assert.Equal([(Tenant, 4), (Tenant, 3), (other, 1)], claimed.Select(job => (job.Job.TenantId, job.Job.Priority)));
        Assert.Empty(await _queue.ClaimAsync(_worker, 10));
        await _queue.CompleteAsync(claimed[0]);
        Assert.Single(await _queue.ClaimAsync(_worker, 10, null, "job.t%"));
        Assert.Empty(await _queue.ClaimAsync(_worker, 10, null, "job.other"));
    }

    [ToolFact("postgres")]
    public async Task IdempotencyKey_GivesTheFirstJob_AlsoWithinOneBatch()
    {
        var first = (await SubmitAsync(Job() with { IdempotencyKey = "a" }))[0];

        var batch = await SubmitAsync(Job() with { IdempotencyKey = "a" }, Job() with { IdempotencyKey = "b" }, Job() with { IdempotencyKey = "b" }, Job() with { TenantId = Guid.NewGuid(), IdempotencyKey = "a" });

        Assert.Equal(new SubmittedJob(first.Id, IsNew: false), batch[0]);
        Assert.Equal((true, false, true), (batch[1].IsNew, batch[2].IsNew, batch[3].IsNew));
        Assert.Equal(batch[1].Id, batch[2].Id);
    }

    [ToolFact("postgres")]
    public async Task FiftySubmitters_AtTheEdgeOfTheQuota_GetExactlyWhatIsLeft_AndItIsToldOnce()
    {
        await _tenants.SetLimitsAsync(Tenant, "small", TenantLimits.Default with { Daily = 30 }, None);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(async _ =>
        {
            try
            {
                return (await SubmitAsync(Job())).Count;
            }
            catch (AmpException e) when (e.ErrorCode == "QuotaExceeded")
            {
                Assert.Equal((AmpErrorKind.LimitReached, Tenant), (e.Kind, e.Target));
                return 0;
            }
        }));

        Assert.Equal(30, outcomes.Sum());
        var told = Assert.Single(await EventsAsync(), e => e.Text("type") == JobTopics.QuotaExceeded);
        Assert.Equal(("daily", "small"), (told.Data("quota"), told.Data("tier")));
    }

    [ToolFact("postgres")]
    public async Task Batch_BeyondAQuota_QueuesNothing()
    {
        await _tenants.SetLimitsAsync(Tenant, "small", TenantLimits.Default with { Queued = 3, Payload = 20 }, None);

        var queued = await Assert.ThrowsAsync<AmpException>(() => SubmitAsync(Job(), Job(), Job(), Job()));
        var payload = await Assert.ThrowsAsync<AmpException>(() => SubmitAsync(Job() with { Payload = """{"text":"more than twenty bytes"}""" }));

        Assert.Equal(("QuotaExceeded", "QuotaExceeded"), (queued.ErrorCode, payload.ErrorCode));
        Assert.Equal(["payload", "queued"], (await EventsAsync()).Select(e => e.Data("quota")).Order());
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job"));
    }

    [ToolFact("postgres")]
    public async Task NewDay_ResetsTheDailyCount_AndTellsIt()
    {
        await _tenants.SetLimitsAsync(Tenant, "small", TenantLimits.Default with { Daily = 1 }, None);
        await SubmitAsync(Job());
        await _test.ExecuteAsync("UPDATE amp_jobs.job_tenant SET day = day - 1");

        await SubmitAsync(Job());

        var reset = Assert.Single(await EventsAsync(), e => e.Text("type") == JobTopics.QuotaReset);
        Assert.Equal(1, reset.GetProperty("data").GetProperty("previousUsage").GetProperty("daily").GetInt32());
        await Assert.ThrowsAsync<AmpException>(() => SubmitAsync(Job()));
    }

    [ToolFact("postgres")]
    public async Task SuspendedTenant_BeginsNothing_AndEndsWhatRuns()
    {
        await SubmitAsync(Job(), Job());
        var running = await ClaimOneAsync();
        await _tenants.SetStatusAsync(Tenant, "suspended", None);

        Assert.Equal("TenantSuspended", (await Assert.ThrowsAsync<AmpException>(() => SubmitAsync(Job()))).ErrorCode);
        Assert.Empty(await _queue.ClaimAsync(_worker, 1));
        Assert.Single(await _queue.CompleteAsync(running));
        await _tenants.SetStatusAsync(Tenant, "active", None);
        await ClaimOneAsync();
    }

    [ToolTheory("postgres")]
    [InlineData("", "{}", 0, 5, "JobTypeInvalid")]
    [InlineData("job..x", "{}", 0, 5, "JobTypeInvalid")]
    [InlineData("job.test", "[]", 0, 5, "JobPayloadInvalid")]
    [InlineData("job.test", "{", 0, 5, "JobPayloadInvalid")]
    [InlineData("job.test", """{"text":"\ud800"}""", 0, 5, "JobPayloadInvalid")]
    [InlineData("job.test", "{}", 10, 5, "JobSettingInvalid")]
    [InlineData("job.test", "{}", 0, 0, "JobSettingInvalid")]
    public async Task Submission_ThatCannotBe_IsRefused(string type, string payload, short priority, int attempts, string code)
    {
        var error = await Assert.ThrowsAsync<AmpException>(() => SubmitAsync(Job(), new JobSubmission(Tenant, type, payload) { Priority = priority, MaxAttempts = attempts }));

        Assert.Equal((code, AmpErrorKind.InvalidInput), (error.ErrorCode, error.Kind));
        Assert.Equal(0, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_tenant"));
    }

    [ToolTheory("postgres")]
    [InlineData(1)]
    [InlineData(2)]
    public async Task ManyAtOnce_DoWhateverTheyLike_AndEveryJobEndsOnce(int seed)
    {
        Guid[] tenants = [Tenant, Guid.NewGuid(), Guid.NewGuid()];
        foreach (var tenant in tenants)
        {
            await _tenants.SetLimitsAsync(tenant, "busy", TenantLimits.Default with { Running = 4, Queued = 60 }, None);
        }

        var submitted = new ConcurrentBag<Guid>();
        var completed = new ConcurrentBag<Guid>();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(actor => Task.Run(async () =>
        {
            var random = new Random((seed * 100) + actor);
            var worker = Guid.NewGuid();
            for (var step = 0; step < 60; step++)
            {
                await _test.BeatAsync(worker);
                switch (random.Next(8))
                {
                    case 0 or 1:
                        try
                        {
                            var batch = await SubmitAsync([.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => Job() with { TenantId = tenants[random.Next(3)], MaxAttempts = random.Next(1, 4), Priority = (short)random.Next(10) })]);
                            foreach (var job in batch)
                            {
                                submitted.Add(job.Id);
                            }
                        }
                        catch (AmpException e) when (e.ErrorCode == "QuotaExceeded")
                        {
                            // As it should be.
                        }

                        break;
                    case 2:
                        await _queue.SweepAsync(None);
                        break;
                    case 3 when submitted.TryPeek(out var some):
                        await _queue.CancelAsync([some], "user", "whim", None);
                        break;
                    case 4 when submitted.TryPeek(out var some):
                        await _queue.ReplayAsync([some, .. submitted.Take(5)], "whim", None);
                        break;
                    default:
                        var jobs = await _queue.ClaimAsync(worker, random.Next(1, 5));
                        var done = jobs.Where(_ => random.Next(3) > 0).ToList();
                        foreach (var id in await _queue.CompleteAsync(done))
                        {
                            completed.Add(id);
                        }

                        foreach (var job in jobs.Except(done))
                        {
                            await _queue.EndAsync(job, (JobVerdict)random.Next(1, 6), Fault, TimeSpan.Zero);
                        }

                        break;
                }
            }
        })));

        Assert.Equal(completed.Count, completed.Distinct().Count());
        Assert.Equal(submitted.Count, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job"));
        Assert.True(completed.Count > 20, $"{completed.Count} completed");
    }

    private static JobSubmission Job() => new(Tenant, "job.test", "{}");

    private Task<IReadOnlyList<SubmittedJob>> SubmitAsync(params JobSubmission[] jobs) => _queue.SubmitAsync(jobs, None);

    private async Task<ClaimedJob> ClaimOneAsync() => Assert.Single(await _queue.ClaimAsync(_worker, 1));

    /// <summary>Lets every pause be over.</summary>
    private Task<int> DueAsync() => _test.ExecuteAsync("UPDATE amp_jobs.job SET run_at = now() - interval '1 second' WHERE run_at > now()");

    private async Task<List<JsonElement>> EventsAsync() => await _test.Database.RunAsync(
        "reading events",
        c => c.QueryAsync("""SELECT event::text FROM amp_jobs."KafkaOutbox" WHERE tenant_seq IS NOT NULL ORDER BY id""", [], r => JsonDocument.Parse(r.GetString(0)).RootElement, None), null, None);
}
