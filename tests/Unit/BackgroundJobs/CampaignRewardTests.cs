using Amp.BackgroundJobs.Campaigns;
using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>Rewards of campaigns, through a real queue.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class CampaignRewardTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Deliver = "job.reward.deliver";

    private readonly RewardDeliveryHandler _handler = new();
    private CampaignRig _rig = null!;
    private Guid _user;

    public async Task InitializeAsync()
    {
        _rig = await CampaignRig.CreateAsync(postgres);
        _user = await _rig.AddUserAsync("ada@example.org");
    }

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    [ToolFact("postgres")]
    public async Task Reward_IsDeliveredByTheJob_AndByASecondOneNotAgain()
    {
        var (earned, other) = (await _rig.AddRewardAsync(_user, "A mug"), await _rig.AddRewardAsync(_user, "A shirt"));

        var first = await _rig.ClaimNewAsync(Deliver, Payload(earned));
        Assert.Equal(AmpJobAnswerKind.Complete, (await _rig.HandleAsync(_handler, first)).Kind);
        var delivered = await RewardAsync(earned);
        var second = await _rig.ClaimNewAsync(Deliver, Payload(earned));
        Assert.Equal(AmpJobAnswerKind.Complete, (await _rig.HandleAsync(_handler, second)).Kind);

        Assert.Equal(("""{"alreadyDelivered":false}""", """{"alreadyDelivered":true}"""), (await _rig.ResultAsync(first), await _rig.ResultAsync(second)));
        Assert.StartsWith($"delivered by {first.Job.JobId} at ", delivered, StringComparison.Ordinal);
        Assert.Equal(delivered, await RewardAsync(earned));
        Assert.Equal("pending by nobody at no time", await RewardAsync(other));
    }

    [ToolFact("postgres")]
    public async Task RewardBehindTwoThousandPendingOnes_IsFound()
    {
        await _rig.Test.ExecuteAsync("INSERT INTO amp_campaigns.reward (id, campaign_id, name) VALUES (gen_random_uuid(), $1, 'A cap')", _rig.Campaign);
        await _rig.Test.ExecuteAsync(
            "INSERT INTO amp_campaigns.user_reward (id, campaign_id, user_id, reward_id) SELECT gen_random_uuid(), $1, $2, r.id FROM amp_campaigns.reward r, generate_series(1, 2000)",
            _rig.Campaign, _user);
        var earned = await _rig.AddRewardAsync(_user, "A mug");

        await _rig.RunAsync(_handler, Deliver, Payload(earned));

        Assert.StartsWith("delivered", await RewardAsync(earned), StringComparison.Ordinal);
        Assert.Equal(2000, await _rig.Test.ScalarAsync<long>("SELECT count(*) FROM amp_campaigns.user_reward WHERE status = 'pending'"));
    }

    [ToolFact("postgres")]
    public async Task EightJobsAtOnce_DeliverARewardOnce()
    {
        var earned = await _rig.AddRewardAsync(_user, "A mug");
        var jobs = new List<ClaimedJob>();
        for (var i = 0; i < 8; i++)
        {
            jobs.Add(await _rig.ClaimNewAsync(Deliver, Payload(earned)));
        }

        await Task.WhenAll(jobs.Select(job => _rig.HandleAsync(_handler, job)));

        var results = await Task.WhenAll(jobs.Select(_rig.ResultAsync));
        var by = jobs[Array.IndexOf(results, """{"alreadyDelivered":false}""")];
        Assert.Equal(7, results.Count(result => result == """{"alreadyDelivered":true}"""));
        Assert.StartsWith($"delivered by {by.Job.JobId} at ", await RewardAsync(earned), StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Job_ThatIsNotTheWorkersAnyMore_DeliversNothing()
    {
        var earned = await _rig.AddRewardAsync(_user, "A mug");
        var lost = await _rig.ClaimNewAsync(Deliver, Payload(earned));
        await _rig.TakeAwayAsync(lost);

        Assert.Equal("JobLeaseLost", (await Assert.ThrowsAsync<AmpException>(() => _rig.HandleAsync(_handler, lost))).ErrorCode);

        Assert.Equal("pending by nobody at no time", await RewardAsync(earned));
    }

    [ToolTheory("postgres")]
    [InlineData("{}", "has no user_reward_id")]
    [InlineData("""{"user_reward_id": "mug"}""", "has a user_reward_id that is no UUID")]
    [InlineData("""{"user_reward_id": "10000000-0000-4000-8000-000000000001"}""", "has no earned reward 10000000-0000-4000-8000-000000000001.")]
    [InlineData("""{"user_reward_id": "{revoked}"}""", "The earned reward {revoked} is revoked.")]
    public async Task Reward_ThatCannotBeDelivered_GivesTheJobUp(string payload, string reason)
    {
        var revoked = (await _rig.AddRewardAsync(_user, "A car", status: "revoked")).ToString();
        var job = await _rig.ClaimNewAsync(Deliver, payload.Replace("{revoked}", revoked, StringComparison.Ordinal));

        var answer = await _rig.HandleAsync(_handler, job);

        Assert.Equal((AmpJobAnswerKind.Fail, "running"), (answer.Kind, await _rig.StateAsync(job)));
        Assert.Contains(reason.Replace("{revoked}", revoked, StringComparison.Ordinal), answer.Reason, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task RewardOfAnotherTenant_IsNotFound()
    {
        var earned = await _rig.AddRewardAsync(_user, "A mug");

        var answer = await _rig.HandleAsync(_handler, await _rig.ClaimNewAsync(Deliver, Payload(earned), tenant: Guid.NewGuid()));

        Assert.Equal(AmpJobAnswerKind.Fail, answer.Kind);
        Assert.Equal("pending by nobody at no time", await RewardAsync(earned));
    }

    private static string Payload(Guid earned) => $$"""{"user_reward_id": "{{earned}}"}""";

    private async Task<string> RewardAsync(Guid earned) => (await _rig.Test.ScalarAsync<string>(
        "SELECT status || ' by ' || coalesce(delivery_job_id::text, 'nobody') || ' at ' || coalesce(delivered_at::text, 'no time') FROM amp_campaigns.user_reward WHERE id = $1", earned))!;
}
