using Amp.BackgroundJobs.Campaigns;
using Amp.MetadataDb;
using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>Positions and rewards of campaigns, through a real queue.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class CampaignPositionTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Recalculate = "job.position.recalculate";

    private readonly PositionRecalculationHandler _handler = new();
    private CampaignRig _rig = null!;

    public async Task InitializeAsync() => _rig = await CampaignRig.CreateAsync(postgres);

    public async Task DisposeAsync() => await _rig.DisposeAsync();

    [ToolFact("postgres")]
    public async Task TenThousandUsers_GetThePositionsOfTheFormula_AndASecondTimeNothingChanges()
    {
        var random = new Random(2);
        var users = Enumerable.Range(1, 10_000).Select(position => (Id: Guid.NewGuid(), Position: (long)position)).ToList();
        var referrals = new List<(Guid Referrer, Guid Referred, bool IsVerified)>();
        foreach (var (referred, _) in users.Where(_ => random.Next(4) > 0))
        {
            // A few bring many.
            var referrer = users[(int)(users.Count * Math.Pow(random.NextDouble(), 3))].Id;
            if (referrer != referred)
            {
                referrals.Add((referrer, referred, random.Next(3) > 0));
            }
        }

        await AddAsync(_rig.Campaign, users, referrals);
        var other = await OtherCampaignAsync();
        await AddAsync(other, [.. users.Select(user => (Guid.NewGuid(), user.Position))], []);
        var verified = referrals.Where(referral => referral.IsVerified).CountBy(referral => referral.Referrer).ToDictionary();
        var expected = users.ToDictionary(user => user.Id, user => user.Position - (7L * verified.GetValueOrDefault(user.Id)));
        Assert.True(verified.Count is > 500 and < 9_000 && expected.Values.Min() < 0, $"{verified.Count} referrers");

        var job = await _rig.ClaimNewAsync(Recalculate, $$"""{"campaign_id": "{{_rig.Campaign}}", "points_per_referral": 7}""");
        Assert.Equal(AmpJobAnswerKind.Complete, (await _rig.HandleAsync(_handler, job)).Kind);

        Assert.Equal($$"""{"users":10000,"changed":{{verified.Count}}}""", await _rig.ResultAsync(job));
        Assert.Equal(expected, await PositionsAsync(_rig.Campaign));
        Assert.Equal(users.Select(user => user.Position), (await PositionsAsync(other)).Values.Order());

        var written = await RowVersionsAsync();
        var again = await _rig.ClaimNewAsync(Recalculate, $$"""{"campaign_id": "{{_rig.Campaign}}", "points_per_referral": 7}""");
        await _rig.HandleAsync(_handler, again);
        Assert.Equal("""{"users":10000,"changed":0}""", await _rig.ResultAsync(again));
        Assert.Equal(written, await RowVersionsAsync());
    }

    [ToolFact("postgres")]
    public async Task Points_AreTheCampaignsOwn_WhereThePayloadHasNone_AndReferralsThatAreNotVerifiedCountNothing()
    {
        var user = await _rig.AddUserAsync("a@example.org", position: 10);
        var (one, two) = (await _rig.AddUserAsync("b@example.org"), await _rig.AddUserAsync("c@example.org"));
        await _rig.AddReferralAsync(user, one, isVerified: true);
        await _rig.AddReferralAsync(user, two, isVerified: false);

        await _rig.RunAsync(_handler, Recalculate, Payload(""));
        Assert.Equal(7, (await PositionsAsync(_rig.Campaign))[user]);

        await _rig.Test.ExecuteAsync("UPDATE amp_campaigns.referral SET verified_at = now()");
        await _rig.RunAsync(_handler, Recalculate, Payload(""", "points_per_referral": 1000000"""));
        Assert.Equal(10 - 2_000_000, (await PositionsAsync(_rig.Campaign))[user]);

        await _rig.RunAsync(_handler, Recalculate, Payload(""", "points_per_referral": 0"""));
        Assert.Equal(10, (await PositionsAsync(_rig.Campaign))[user]);
    }

    [ToolFact("postgres")]
    public async Task Job_ThatIsNotTheWorkersAnyMore_ChangesNoPosition()
    {
        var user = await _rig.AddUserAsync("a@example.org");
        await _rig.AddReferralAsync(user, await _rig.AddUserAsync("b@example.org"), isVerified: true);
        var lost = await _rig.ClaimNewAsync(Recalculate, Payload(""));
        var held = await _rig.TakeAwayAsync(lost);

        Assert.Equal("JobLeaseLost", (await Assert.ThrowsAsync<AmpException>(() => _rig.HandleAsync(_handler, lost))).ErrorCode);
        Assert.Equal(100, (await PositionsAsync(_rig.Campaign))[user]);
        await _rig.HandleAsync(_handler, held);

        Assert.Equal(97, (await PositionsAsync(_rig.Campaign))[user]);
    }

    [ToolFact("postgres")]
    public async Task ManyRecalculationsAtOnce_AllEnd_WithTheSamePositions()
    {
        var users = Enumerable.Range(1, 500).Select(position => (Id: Guid.NewGuid(), Position: (long)position)).ToList();
        await AddAsync(_rig.Campaign, users, [.. users.Skip(1).Select((user, i) => (users[i / 3].Id, user.Id, true))]);
        var jobs = new List<ClaimedJob>();
        for (var i = 0; i < 8; i++)
        {
            jobs.Add(await _rig.ClaimNewAsync(Recalculate, Payload("")));
        }

        await Task.WhenAll(jobs.Select(job => _rig.HandleAsync(_handler, job)));

        var changed = await Task.WhenAll(jobs.Select(_rig.ResultAsync));
        Assert.Equal(7, changed.Count(result => result == """{"users":500,"changed":0}"""));
        Assert.Equal(1, changed.Count(result => result == """{"users":500,"changed":167}"""));
    }

    [ToolTheory("postgres")]
    [InlineData("{}", "The payload of job.position.recalculate has no campaign_id.")]
    [InlineData("""{"campaign_id": 5}""", "has a campaign_id that is no UUID")]
    [InlineData("""{"campaign_id": "{campaign}", "points_per_referral": -1}""", "has a points_per_referral that is no integer from 0 to 1000000")]
    [InlineData("""{"campaign_id": "{campaign}", "points_per_referral": 1000001}""", "has a points_per_referral that is no integer")]
    [InlineData("""{"campaign_id": "{campaign}", "points_per_referral": 1.5}""", "has a points_per_referral that is no integer")]
    [InlineData("""{"campaign_id": "{campaign}", "points_per_referral": "1"}""", "has a points_per_referral that is no integer")]
    [InlineData("""{"campaign_id": "10000000-0000-4000-8000-000000000001"}""", "has no campaign 10000000-0000-4000-8000-000000000001")]
    public async Task Payload_ThatCannotBeUsed_IsGivenUp_AndChangesNothing(string payload, string reason)
    {
        var user = await _rig.AddUserAsync("a@example.org");
        await _rig.AddReferralAsync(user, await _rig.AddUserAsync("b@example.org"), isVerified: true);
        var job = await _rig.ClaimNewAsync(Recalculate, payload.Replace("{campaign}", _rig.Campaign.ToString(), StringComparison.Ordinal));

        var answer = await _rig.HandleAsync(_handler, job);

        Assert.Equal(AmpJobAnswerKind.Fail, answer.Kind);
        Assert.Contains(reason, answer.Reason, StringComparison.Ordinal);
        Assert.Equal((100, "running"), ((await PositionsAsync(_rig.Campaign))[user], await _rig.StateAsync(job)));
    }

    [ToolFact("postgres")]
    public async Task CampaignOfAnotherTenant_IsNotFound()
    {
        var answer = await _rig.HandleAsync(_handler, await _rig.ClaimNewAsync(Recalculate, Payload(""), tenant: Guid.NewGuid()));

        Assert.Equal(AmpJobAnswerKind.Fail, answer.Kind);
        Assert.EndsWith($"has no campaign {_rig.Campaign}.", answer.Reason, StringComparison.Ordinal);
    }

    private string Payload(string more) => $$"""{"campaign_id": "{{_rig.Campaign}}"{{more}}}""";

    private async Task<Guid> OtherCampaignAsync()
    {
        var id = Guid.NewGuid();
        await _rig.Test.ExecuteAsync("INSERT INTO amp_campaigns.campaign (id, tenant_id, name, url) VALUES ($1, $2, 'Other', 'https://other.example')", id, _rig.Tenant);
        return id;
    }

    private async Task AddAsync(Guid campaign, List<(Guid Id, long Position)> users, List<(Guid Referrer, Guid Referred, bool IsVerified)> referrals)
    {
        await _rig.Test.ExecuteAsync(
            """
            INSERT INTO amp_campaigns.campaign_user (id, campaign_id, email, name, original_position, position)
            SELECT id, $1, id || '@example.org', 'name', position, position FROM unnest($2::uuid[], $3::bigint[]) AS n(id, position)
            """, campaign, users.Select(user => user.Id).ToArray(), users.Select(user => user.Position).ToArray());
        await _rig.Test.ExecuteAsync(
            """
            INSERT INTO amp_campaigns.referral (id, campaign_id, referrer_id, referred_id, verified_at)
            SELECT gen_random_uuid(), $1, referrer, referred, CASE WHEN verified THEN now() END FROM unnest($2::uuid[], $3::uuid[], $4::bool[]) AS n(referrer, referred, verified)
            """,
            campaign, referrals.Select(referral => referral.Referrer).ToArray(), referrals.Select(referral => referral.Referred).ToArray(),
            referrals.Select(referral => referral.IsVerified).ToArray());
    }

    private async Task<Dictionary<Guid, long>> PositionsAsync(Guid campaign) => (await _rig.Test.Database.RunAsync(
        "reading", c => c.QueryAsync("SELECT id, position FROM amp_campaigns.campaign_user WHERE campaign_id = $1", [campaign], r => (r.GetGuid(0), r.GetInt64(1)), CancellationToken.None),
        null, CancellationToken.None)).ToDictionary();

    /// <summary>Which transactions wrote the users' rows.</summary>
    private async Task<string> RowVersionsAsync() =>
        (await _rig.Test.ScalarAsync<string>("SELECT string_agg(DISTINCT xmin::text, ' ') FROM amp_campaigns.campaign_user"))!;
}
