using System.Text;
using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>What messages of other services do to tenants, on a real PostgreSQL.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class InboxTableTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Created = "eventzr.auth.tenant.created.v1";
    private const string Deleted = "eventzr.auth.tenant.deleted.v1";
    private const string Changed = "eventzr.subscriptions.changed.v1";
    private const string Suspended = "eventzr.wallet.suspended.v1";

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly DateTimeOffset Start = new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Guid _tenant = Guid.NewGuid();
    private readonly Guid _worker = Guid.NewGuid();
    private TestDatabase _test = null!;
    private JobQueue _queue = null!;
    private TenantsTable _tenants = null!;
    private InboxTable _inbox = null!;
    private int _messages;

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync();
        _queue = new JobQueue(_test.Database, "job-events");
        _tenants = new TenantsTable(_test.Database, "job-events");
        _inbox = new InboxTable(_test.Database);
        await _queue.InitializeAsync(autoMigrate: true, None);
        await _test.BeatAsync(_worker);
    }

    public async Task DisposeAsync()
    {
        await JobInvariants.AssertAsync(_test);
        await _test.DisposeAsync();
    }

    [ToolFact("postgres")]
    public async Task NewTenant_GetsTheLimitsOfItsTier_OrOfStandard()
    {
        await TakeAsync(Created, 0, """ "tier":"pro" """);
        var standard = Guid.NewGuid();
        await TakeAsync(Created, 0, "", standard);

        await AssertTenantAsync("pro", "active", TenantsTable.LimitsOf("pro"));
        await AssertTenantAsync("standard", "active", TenantLimits.Default, standard);
    }

    [ToolFact("postgres")]
    public async Task NewTenant_ThatIsThereAlready_KeepsWhatWasSet_AndGetsItsTierWhenNothingWas()
    {
        await _tenants.SetLimitsAsync(_tenant, "special", TenantLimits.Default with { Daily = 5 }, None);
        Assert.Equal(ControlOutcome.Older, await TakeAsync(Created, 0, """ "tier":"pro" """));
        await AssertTenantAsync("special", "active", TenantLimits.Default with { Daily = 5 });

        // Its first job came before the message that it is there.
        var early = Guid.NewGuid();
        await _queue.SubmitAsync([new JobSubmission(early, "job.test", "{}")], None);
        Assert.Equal(ControlOutcome.Applied, await TakeAsync(Created, 0, """ "tier":"pro" """, early));
        Assert.Equal(ControlOutcome.Older, await TakeAsync(Created, 1, """ "tier":"free" """, early));
        await AssertTenantAsync("pro", "active", TenantsTable.LimitsOf("pro"), early);
    }

    [ToolFact("postgres")]
    public async Task ChangedSubscription_SetsTierAndLimits_AndSingleLimitsInstead_AlsoOfATenantThatNobodyHasSeen()
    {
        await TakeAsync(Changed, 0, """ "plan":"Enterprise","limits":{"running":9} """);
        await AssertTenantAsync("Enterprise", "active", TenantsTable.LimitsOf("enterprise") with { Running = 9 });

        await TakeAsync(Changed, 1, """ "limits":{"daily":1,"queued":2,"payload":3} """);
        await AssertTenantAsync("Enterprise", "active", new TenantLimits(1, 2, 9, 3));

        await TakeAsync(Changed, 2, """ "tier":"free" """);
        await AssertTenantAsync("free", "active", TenantsTable.LimitsOf("free"));
    }

    [ToolFact("postgres")]
    public async Task MessageThatComesAgain_ChangesNothing_AndItsNumberCountsWithinItsTopic()
    {
        var suspended = Message(Suspended, 0, "");
        Assert.Equal(ControlOutcome.Applied, await _inbox.TakeAsync(suspended, None));
        await _tenants.SetStatusAsync(_tenant, "active", None);

        Assert.Equal(ControlOutcome.Seen, await _inbox.TakeAsync(suspended, None));
        await AssertTenantAsync("standard", "active", TenantLimits.Default);

        Assert.Equal(ControlOutcome.Applied, await _inbox.TakeAsync(suspended with { Topic = "eventzr.wallet.suspended.v2" }, None));
        await AssertTenantAsync("standard", "suspended", TenantLimits.Default);
    }

    [ToolFact("postgres")]
    public async Task ManyAtOnce_TakeAMessageOnce()
    {
        var messages = Enumerable.Range(0, 20).Select(i => Message(Changed, i, """ "tier":"pro" """)).ToList();

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).SelectMany(_ => messages).Select(message => _inbox.TakeAsync(message, None)));

        Assert.Equal(7 * messages.Count, outcomes.Count(outcome => outcome is ControlOutcome.Seen));
        Assert.Equal(messages.Count, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.inbox"));
    }

    [ToolFact("postgres")]
    public async Task OlderMessage_ChangesNothing_ButIsNoted()
    {
        await TakeAsync(Changed, 5, """ "tier":"pro" """);
        await TakeAsync(Suspended, 5, """ "active":true """);

        Assert.Equal(ControlOutcome.Older, await TakeAsync(Changed, 4, """ "tier":"free" """));
        Assert.Equal(ControlOutcome.Older, await TakeAsync(Suspended, 4, ""));

        await AssertTenantAsync("pro", "active", TenantsTable.LimitsOf("pro"));
        Assert.Equal(4, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.inbox"));
    }

    [ToolFact("postgres")]
    public async Task MessageOfAnotherTopic_ThatIsOlderButComesLater_IsNotShadowed()
    {
        await TakeAsync(Changed, 5, """ "tier":"pro" """);
        Assert.Equal(ControlOutcome.Applied, await TakeAsync(Suspended, 4, ""));
        Assert.Equal(ControlOutcome.Applied, await TakeAsync(Changed, 6, """ "tier":"free" """));

        await AssertTenantAsync("free", "suspended", TenantsTable.LimitsOf("free"));
    }

    [ToolFact("postgres")]
    public async Task MessageOfAClockThatRunsAhead_DoesNotShutOutWhatComesLater()
    {
        await _inbox.TakeAsync(Message(Suspended, 0, "") with { Time = DateTimeOffset.MaxValue }, None);
        await _inbox.TakeAsync(Message(Changed, 0, """ "tier":"free" """) with { Time = DateTimeOffset.UtcNow.AddYears(10) }, None);

        Assert.Equal(ControlOutcome.Applied, await _inbox.TakeAsync(Message(Suspended, 0, """ "active":true """) with { Time = DateTimeOffset.UtcNow.AddSeconds(1) }, None));
        Assert.Equal(ControlOutcome.Applied, await _inbox.TakeAsync(Message(Changed, 0, """ "tier":"pro" """) with { Time = DateTimeOffset.UtcNow.AddSeconds(1) }, None));
        await AssertTenantAsync("pro", "active", TenantsTable.LimitsOf("pro"));
    }

    [ToolFact("postgres")]
    public async Task SuspendedTenant_IsRefused_BeginsNothing_EndsWhatRuns_UntilItIsLifted()
    {
        await _queue.SubmitAsync([Job(), Job()], None);
        var running = Assert.Single(await _queue.ClaimAsync(_worker, 1));
        await TakeAsync(Suspended, 0, "");

        Assert.Equal("TenantSuspended", (await Assert.ThrowsAsync<AmpException>(() => _queue.SubmitAsync([Job()], None))).ErrorCode);
        Assert.Empty(await _queue.ClaimAsync(_worker, 1));
        Assert.Single(await _queue.CompleteAsync(running));

        await TakeAsync(Suspended, 1, """ "active":true """);
        Assert.Single(await _queue.ClaimAsync(_worker, 1));
        await _queue.SubmitAsync([Job()], None);
    }

    [ToolFact("postgres")]
    public async Task ManyJobsOfASuspendedTenant_DoNotKeepThoseOfOthersFromTheWorkers()
    {
        await _queue.SubmitAsync([.. Enumerable.Range(0, 600).Select(_ => Job() with { RunAt = DateTimeOffset.UtcNow.AddHours(1) })], None);
        await _queue.SubmitAsync([Job() with { TenantId = Guid.NewGuid(), RunAt = DateTimeOffset.UtcNow.AddHours(2) }], None);
        await TakeAsync(Suspended, 0, "");
        await _test.ExecuteAsync("UPDATE amp_jobs.job SET run_at = run_at - interval '3 hours'");

        Assert.Equal((0, 1, 0), await _queue.SweepAsync(None));
        Assert.Equal((0, 0, 0), await _queue.SweepAsync(None));
        await TakeAsync(Suspended, 1, """ "active":true """);
        Assert.Equal((0, 500, 0), await _queue.SweepAsync(None));
    }

    [ToolFact("postgres")]
    public async Task DeletedTenant_StaysClosed_WhateverComesLater_AndHoweverOldTheMessageIs()
    {
        await TakeAsync(Suspended, 5, "");
        Assert.Equal(ControlOutcome.Applied, await TakeAsync(Deleted, 4, ""));

        Assert.Equal(ControlOutcome.Older, await TakeAsync(Suspended, 6, """ "active":true """));
        Assert.Equal(ControlOutcome.Older, await TakeAsync(Deleted, 7, ""));
        await TakeAsync(Created, 8, """ "tier":"pro" """);

        Assert.Equal("closed", Assert.Single(await _tenants.ListAsync([], None)).Status);
    }

    [ToolFact("postgres")]
    public async Task JobsOfADeletedTenant_AreCancelled_AndThoseThatRunEnd_ButAreNotTriedAgain()
    {
        var other = (await _queue.SubmitAsync([Job() with { TenantId = Guid.NewGuid() }], None))[0].Id;
        await _queue.SubmitAsync([.. Enumerable.Range(0, 3).Select(i => Job() with { RunAt = DateTimeOffset.UtcNow.AddHours(1) })], None);
        await _queue.SubmitAsync([.. Enumerable.Range(0, 4).Select(i => Job() with { Priority = 9 })], None);
        var fault = new JobFault("IOException", "no");
        var jobs = await _queue.ClaimAsync(_worker, 4);
        await _queue.EndAsync(jobs[0], JobVerdict.Retry, fault, TimeSpan.FromHours(1));
        await TakeAsync(Deleted, 0, "");

        Assert.Equal(4, await _queue.CancelAllOfTenantAsync(_tenant, "system", JobQueue.TenantDeleted, None));
        Assert.Equal(0, await _queue.CancelAllOfTenantAsync(_tenant, "system", JobQueue.TenantDeleted, None));
        Assert.Equal(3, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'running' AND NOT cancel_requested"));
        Assert.Single(await _queue.CompleteAsync(jobs[1]));
        Assert.True(await _queue.EndAsync(jobs[2], JobVerdict.Retry, fault));
        Assert.True(await _queue.EndAsync(jobs[3], JobVerdict.GiveBack));

        Assert.Equal(6, await _test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'cancelled'"));
        Assert.Equal(6, await _test.ScalarAsync<long>(
            """SELECT count(*) FROM amp_jobs."KafkaOutbox" WHERE topic = $1 AND event->'data'->>'cancelledBy' = 'system' AND event->'data'->>'reason' = 'the tenant was deleted'""", JobTopics.Cancelled));
        Assert.Equal("queued", await _test.ScalarAsync<string>("SELECT state FROM amp_jobs.job WHERE id = $1", other));
    }

    [ToolFact("postgres")]
    public async Task Parked_Once()
    {
        Assert.True(await _inbox.ParkAsync(Created, 3, 7, [0, 255], "why", None));
        Assert.False(await _inbox.ParkAsync(Created, 3, 7, [0, 255], "why", None));

        Assert.Equal((byte[])[0, 255], await _test.ScalarAsync<byte[]>("""SELECT message FROM amp_jobs.inbox_dead WHERE topic = $1 AND partition = 3 AND "offset" = 7""", Created));
    }

    private JobSubmission Job() => new(_tenant, "job.test", "{}");

    private ControlMessage Message(string topic, int seconds, string data, Guid? tenant = null) => ControlMessage.Read(
        topic, Encoding.UTF8.GetBytes($$"""{"id":"evt-{{++_messages}}","subject":"{{tenant ?? _tenant}}","data":{ {{data}} } }"""), Start.AddSeconds(seconds));

    private Task<ControlOutcome> TakeAsync(string topic, int seconds, string data, Guid? tenant = null) => _inbox.TakeAsync(Message(topic, seconds, data, tenant), None);

    private async Task AssertTenantAsync(string tier, string status, TenantLimits limits, Guid? tenant = null)
    {
        var quota = Assert.Single(await _tenants.ListAsync([], None), quota => quota.TenantId == (tenant ?? _tenant));
        Assert.Equal((tier, status, limits), (quota.Tier, quota.Status, new TenantLimits(quota.DailyLimit, quota.QueuedLimit, quota.RunningLimit, quota.PayloadLimit)));
    }
}
