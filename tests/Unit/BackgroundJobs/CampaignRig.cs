using Amp.BackgroundJobs.Campaigns;
using Amp.MetadataDb;
using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>A database with a queue, a worker and one campaign, whose jobs are run through the queue.</summary>
internal sealed class CampaignRig(TestDatabase test) : IAsyncDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly Guid _worker = Guid.NewGuid();

    public TestDatabase Test => test;

    public JobQueue Queue { get; } = new(test.Database, "job-events");

    public Guid Tenant { get; } = Guid.NewGuid();

    public Guid Campaign { get; } = Guid.NewGuid();

    public static async Task<CampaignRig> CreateAsync(PostgresFixture postgres)
    {
        var rig = new CampaignRig(await postgres.CreateAsync());
        await rig.Queue.InitializeAsync(autoMigrate: true, None);
        await CampaignHandlers.InitializeAsync(rig.Test.Database, autoMigrate: true);
        await rig.Test.BeatAsync(rig._worker);
        await rig.Test.ExecuteAsync(
            "INSERT INTO amp_campaigns.campaign (id, tenant_id, name, url, points_per_referral) VALUES ($1, $2, 'Rockets & Co', 'https://rockets.example', 3)", rig.Campaign, rig.Tenant);
        return rig;
    }

    public async ValueTask DisposeAsync()
    {
        await JobInvariants.AssertAsync(test);
        await test.DisposeAsync();
    }

    public async Task<Guid> AddUserAsync(string email, string name = "Ada", long position = 100)
    {
        var id = Guid.NewGuid();
        await test.ExecuteAsync(
            "INSERT INTO amp_campaigns.campaign_user (id, campaign_id, email, name, original_position, position) VALUES ($1, $2, $3, $4, $5, $5)", id, Campaign, email, name, position);
        return id;
    }

    public Task<int> AddReferralAsync(Guid referrer, Guid referred, bool isVerified) => test.ExecuteAsync(
        "INSERT INTO amp_campaigns.referral (id, campaign_id, referrer_id, referred_id, verified_at) VALUES (gen_random_uuid(), $1, $2, $3, CASE WHEN $4 THEN now() END)",
        Campaign, referrer, referred, isVerified);

    /// <summary>A reward that a user earned.</summary>
    public async Task<Guid> AddRewardAsync(Guid user, string name, string status = "pending")
    {
        var (reward, earned) = (Guid.NewGuid(), Guid.NewGuid());
        await test.ExecuteAsync("INSERT INTO amp_campaigns.reward (id, campaign_id, name) VALUES ($1, $2, $3)", reward, Campaign, name);
        await test.ExecuteAsync(
            """
            INSERT INTO amp_campaigns.user_reward (id, campaign_id, user_id, reward_id, status, delivered_at)
            VALUES ($1, $2, $3, $4, $5, CASE $5 WHEN 'delivered' THEN now() END)
            """, earned, Campaign, user, reward, status);
        return earned;
    }

    /// <summary>Submits a job of the campaign's tenant, and claims it.</summary>
    public async Task<ClaimedJob> ClaimNewAsync(string type, string payload, Guid? tenant = null)
    {
        var id = (await Queue.SubmitAsync([new JobSubmission(tenant ?? Tenant, type, payload)], None))[0].Id;
        return await ClaimAsync(id);
    }

    public async Task<ClaimedJob> ClaimAsync(Guid id) =>
        Assert.Single((await Queue.ExchangeAsync(_worker, [], [id], _ => TimeSpan.FromMinutes(1), None)).Claimed);

    /// <summary>Ends an attempt as a worker does that was told to retry, and claims the job for the next one.</summary>
    public async Task<ClaimedJob> RetryAsync(ClaimedJob claimed)
    {
        Assert.True(await Queue.EndAsync(claimed, JobVerdict.Retry, new JobFault("Error", "it failed"), TimeSpan.Zero));
        await Queue.SweepAsync(None);
        return await ClaimAsync(claimed.Job.JobId);
    }

    /// <summary>Lets the worker that has a job fall silent, and another attempt begin.</summary>
    public async Task<ClaimedJob> TakeAwayAsync(ClaimedJob claimed)
    {
        await test.ExecuteAsync("UPDATE amp_jobs.job_worker SET heartbeat_at = now() - interval '16 seconds'");
        await Queue.SweepAsync(None);
        await test.BeatAsync(_worker);
        await test.ExecuteAsync("UPDATE amp_jobs.job SET run_at = now() - interval '1 second' WHERE state = 'retrying'");
        await Queue.SweepAsync(None);
        return await ClaimAsync(claimed.Job.JobId);
    }

    public Task<AmpJobAnswer> HandleAsync(IJobHandler handler, ClaimedJob claimed, CancellationToken cancellationToken = default) =>
        handler.HandleAsync(new JobContext(Queue, claimed.Job, claimed.Lease), cancellationToken);

    public async Task<AmpJobAnswer> RunAsync(IJobHandler handler, string type, string payload) => await HandleAsync(handler, await ClaimNewAsync(type, payload));

    public async Task<string> StateAsync(ClaimedJob job) => (await test.ScalarAsync<string>("SELECT state FROM amp_jobs.job WHERE id = $1", job.Job.JobId))!;

    /// <summary>What the queue keeps of a job that was completed.</summary>
    public async Task<string> ResultAsync(ClaimedJob job) =>
        (await test.ScalarAsync<string>("SELECT result::text FROM amp_jobs.job WHERE id = $1 AND state = 'completed'", job.Job.JobId))!;
}
