using System.Net;
using System.Net.Sockets;
using Amp.BackgroundJobs.Campaigns;
using Amp.Configuration;
using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>E-mails of campaigns: a real queue, a real mail server on loopback.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class CampaignEmailTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Address = "ada@example.org";

    private readonly DirectoryInfo _templates = Directory.CreateTempSubdirectory("amp-templates-");
    private CampaignRig _rig = null!;
    private Guid _user;

    public async Task InitializeAsync()
    {
        _rig = await CampaignRig.CreateAsync(postgres);
        _user = await _rig.AddUserAsync(Address, "Ada <b>", position: 42);
    }

    public async Task DisposeAsync()
    {
        _templates.Delete(recursive: true);
        await _rig.DisposeAsync();
    }

    [ToolTheory("postgres")]
    [InlineData("verification", "Confirm your e-mail address for Rockets & Co", "https://rockets.example/verify?token={token}")]
    [InlineData("welcome", "Welcome to Rockets & Co", "Your position is 42.")]
    [InlineData("position_update", "Your position in Rockets & Co is 42 now", "People you brought, who confirmed: 1.")]
    [InlineData("reward_earned", "You earned a reward: A mug", "you earned A mug in Rockets & Co.")]
    [InlineData("milestone", "Rockets & Co has reached a milestone", "Your position is 42; people you brought, who confirmed: 1.")]
    public async Task EachKind_ByTheDocumentedPayload_SendsWhatItsTemplateSays(string kind, string subject, string text)
    {
        await using var sink = new SmtpSink();
        await _rig.AddReferralAsync(_user, await _rig.AddUserAsync("b@example.org"), isVerified: true);
        await _rig.AddReferralAsync(_user, await _rig.AddUserAsync("c@example.org"), isVerified: false);
        await _rig.AddRewardAsync(_user, "A mug");
        var token = await _rig.Test.ScalarAsync<Guid>("SELECT verification_token FROM amp_campaigns.campaign_user WHERE id = $1", _user);

        var job = await _rig.ClaimNewAsync($"job.email.{kind}", Payload($$""", "type": "{{kind}}", "priority": 1"""));
        var answer = await _rig.HandleAsync(Handler(sink), job);

        Assert.Equal(AmpJobAnswerKind.Complete, answer.Kind);
        Assert.Equal($$"""{"messageId":"\u003C{{job.Job.JobId}}@rockets.example\u003E","alreadySent":false}""", await _rig.ResultAsync(job));
        var mail = Assert.Single(sink.Mails);
        Assert.Equal(("team@rockets.example", Address, subject), (mail.From, mail.To, mail.Subject));
        Assert.Equal(($"<{job.Job.JobId}@rockets.example>", "auto-generated"), (mail.Header("Message-ID"), mail.Header("Auto-Submitted")));
        Assert.StartsWith("Hello Ada <b>,\n\n", mail.Text, StringComparison.Ordinal);
        Assert.Contains(text.Replace("{token}", token.ToString(), StringComparison.Ordinal), mail.Text, StringComparison.Ordinal);
        Assert.Contains("<p>Hello Ada &lt;b&gt;,</p>", mail.Html!, StringComparison.Ordinal);
        Assert.DoesNotContain("{{", mail.Data, StringComparison.Ordinal);
        Assert.Equal($"{_user} {kind}", await _rig.Test.ScalarAsync<string>("SELECT user_id || ' ' || kind FROM amp_campaigns.sent_email WHERE job_id = $1", job.Job.JobId));
    }

    [ToolFact("postgres")]
    public async Task Values_CannotBeginAHeaderOrALineOfTheProtocol_AndArriveWhole()
    {
        await using var sink = new SmtpSink();
        await File.WriteAllTextAsync(Path.Combine(_templates.FullName, "welcome.txt"), "Subject: Grüße, {{name}}\n\n{{text}}\n.\nQUIT\n");

        await _rig.RunAsync(Handler(sink, _templates.FullName), "job.email.welcome", Payload(""", "name": "Zoë\r\nBcc: eve@example.org", "text": ".\r\n=41 100 % \u20ac", "email": "eve@example.org" """));

        var mail = Assert.Single(sink.Mails);
        Assert.Equal((Address, "Grüße, Zoë Bcc: eve@example.org"), (mail.To, mail.Subject));
        Assert.Equal(".\n=41 100 % €\n.\nQUIT\n", mail.Text);
        Assert.Null(mail.Html);
    }

    [ToolFact("postgres")]
    public async Task JobOfACommitThatFailed_IsSentAgainWithTheSameMessageId_AndNotAfterTheCommit()
    {
        await using var sink = new SmtpSink();
        var first = await _rig.ClaimNewAsync("job.email.welcome", Payload());
        await _rig.Test.ExecuteAsync("ALTER TABLE amp_campaigns.sent_email ADD CONSTRAINT broken CHECK (kind = '') NOT VALID");
        Assert.Equal("DatabaseConstraintViolated", (await Assert.ThrowsAsync<AmpException>(() => _rig.HandleAsync(Handler(sink), first))).ErrorCode);
        Assert.Equal("running", await _rig.StateAsync(first));
        await _rig.Test.ExecuteAsync("ALTER TABLE amp_campaigns.sent_email DROP CONSTRAINT broken");

        var second = await _rig.RetryAsync(first);
        Assert.Equal(AmpJobAnswerKind.Complete, (await _rig.HandleAsync(Handler(sink), second)).Kind);
        Assert.Equal(2, sink.Mails.Count);
        Assert.Single(sink.Mails.Select(mail => mail.Header("Message-ID")).Distinct());

        var again = await _rig.HandleAsync(Handler(sink), second);
        Assert.Equal((AmpJobAnswerKind.Complete, true), (again.Kind, JobJson.Write(again.Result)!.Contains("\"alreadySent\":true", StringComparison.Ordinal)));
        Assert.Equal(2, sink.Mails.Count);
    }

    [ToolFact("postgres")]
    public async Task JobThatIsTakenAwayWhileItIsSent_RecordsNothing_AndItsNextAttemptDoes()
    {
        await using var sink = new SmtpSink();
        var lost = await _rig.ClaimNewAsync("job.email.welcome", Payload());
        ClaimedJob? held = null;
        sink.Received = async _ =>
        {
            held ??= await _rig.TakeAwayAsync(lost);
            return true;
        };

        Assert.Equal("JobLeaseLost", (await Assert.ThrowsAsync<AmpException>(() => _rig.HandleAsync(Handler(sink), lost))).ErrorCode);
        Assert.Equal(0, await _rig.Test.ScalarAsync<long>("SELECT count(*) FROM amp_campaigns.sent_email"));
        Assert.Equal(AmpJobAnswerKind.Complete, (await _rig.HandleAsync(Handler(sink), held!)).Kind);

        Assert.Equal(1, await _rig.Test.ScalarAsync<long>("SELECT count(*) FROM amp_campaigns.sent_email"));
        Assert.Single(sink.Mails.Select(mail => mail.Header("Message-ID")).Distinct());
    }

    [ToolTheory("postgres")]
    [InlineData("421 4.3.2 shutting down", AmpJobAnswerKind.Retry, "shutting down")]
    [InlineData("450 4.2.1 mailbox busy", AmpJobAnswerKind.Retry, "mailbox busy")]
    [InlineData("451 4.7.1 greylisted", AmpJobAnswerKind.Retry, "greylisted")]
    [InlineData("452 4.2.2 full", AmpJobAnswerKind.Retry, "full")]
    [InlineData("", AmpJobAnswerKind.Retry, "did not take the e-mail")]
    [InlineData("550 5.1.1 no such user", AmpJobAnswerKind.Fail, "no such user")]
    [InlineData("553 5.1.3 no such address", AmpJobAnswerKind.Fail, "no such address")]
    [InlineData("554 5.7.1 not wanted", AmpJobAnswerKind.Fail, "not wanted")]
    public async Task Server_ThatRefuses_DecidesWhetherItIsTriedAgain(string reply, AmpJobAnswerKind kind, string reason)
    {
        await using var sink = new SmtpSink();
        sink.Recipients[Address] = reply;
        var job = await _rig.ClaimNewAsync("job.email.welcome", Payload());

        var answer = await _rig.HandleAsync(Handler(sink), job);

        Assert.Equal(kind, answer.Kind);
        Assert.StartsWith($"The mail server 127.0.0.1:{sink.Port} did not take the e-mail: ", answer.Reason, StringComparison.Ordinal);
        Assert.Contains(reason, answer.Reason, StringComparison.Ordinal);
        Assert.Equal((0, "running"), (await _rig.Test.ScalarAsync<long>("SELECT count(*) FROM amp_campaigns.sent_email"), await _rig.StateAsync(job)));
        sink.Recipients.Clear();
        Assert.Equal(AmpJobAnswerKind.Complete, (await _rig.HandleAsync(Handler(sink), job)).Kind);
    }

    [ToolFact("postgres")]
    public async Task Server_ThatGoesAwayBeforeItAcknowledges_IsTriedAgain()
    {
        await using var sink = new SmtpSink { Received = _ => Task.FromResult(false) };

        var answer = await _rig.RunAsync(Handler(sink), "job.email.welcome", Payload());

        Assert.Equal(AmpJobAnswerKind.Retry, answer.Kind);
        Assert.Empty(sink.Mails);
    }

    [ToolFact("postgres")]
    public async Task Server_ThatIsDown_IsTriedAgain()
    {
        var answer = await _rig.RunAsync(Handler(Smtp(TestTools.FreePort())), "job.email.welcome", Payload());

        Assert.Equal(AmpJobAnswerKind.Retry, answer.Kind);
        Assert.EndsWith("Connection refused", answer.Reason, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Server_ThatSaysNothing_IsTriedAgainAfterTheTimeLimit()
    {
        await using var sink = new SmtpSink { IsSilent = true };

        var answer = await _rig.RunAsync(Handler(Smtp(sink.Port) with { Timeout = TimeSpan.FromMilliseconds(50) }), "job.email.welcome", Payload());

        Assert.Equal((AmpJobAnswerKind.Retry, $"The mail server 127.0.0.1:{sink.Port} did not take the e-mail within 0.1 s."), (answer.Kind, answer.Reason));
        await sink.Disconnected.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [ToolFact("postgres")]
    public async Task Server_ThatTakesNoConnection_IsTriedAgainAfterTheTimeLimit()
    {
        // Its backlog is full, so that connecting neither succeeds nor fails.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        var address = (IPEndPoint)full.LocalEndPoint!;
        var waiting = Enumerable.Range(0, 4).Select(_ => new TcpClient()).ToList();
        waiting.ForEach(client => _ = client.ConnectAsync(address).ContinueWith(_ => { }, TaskScheduler.Default));

        var answer = await _rig.RunAsync(Handler(Smtp(address.Port) with { Timeout = TimeSpan.FromMilliseconds(50) }), "job.email.welcome", Payload());

        waiting.ForEach(client => client.Dispose());
        Assert.Equal(AmpJobAnswerKind.Retry, answer.Kind);
        Assert.EndsWith("within 0.1 s.", answer.Reason, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Cancellation_WhileTheServerIsSilent_EndsTheAttemptAndTheConnection()
    {
        await using var sink = new SmtpSink { IsSilent = true };
        using var stop = new CancellationTokenSource();
        var running = _rig.HandleAsync(Handler(sink), await _rig.ClaimNewAsync("job.email.welcome", Payload()), stop.Token);
        await sink.Connected.Task.WaitAsync(TimeSpan.FromSeconds(30));

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        await sink.Disconnected.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [ToolFact("postgres")]
    public async Task Cancellation_AfterTheServerTookIt_StillRecordsIt()
    {
        using var stop = new CancellationTokenSource();
        var job = await _rig.ClaimNewAsync("job.email.welcome", Payload());

        // The statement that records it waits for this lock; the job is cancelled meanwhile.
        await using var sink = new SmtpSink();
        await using var gate = await _rig.Test.Database.BeginAsync(CancellationToken.None);
        await using var connection = gate.Connection!;
        await _rig.Test.Database.RunAsync("locking", c => MetadataDb.Sql.ExecuteAsync(c, "LOCK TABLE amp_campaigns.sent_email IN SHARE MODE", [], CancellationToken.None), gate, CancellationToken.None);
        var running = _rig.HandleAsync(Handler(sink), job, stop.Token);
        await Eventually.TrueAsync(
            async () => await _rig.Test.ScalarAsync<bool>(
                """
                SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'amp_campaigns.sent_email'::regclass
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
                """),
            "the recording");
        await stop.CancelAsync();
        await gate.RollbackAsync();

        Assert.Equal(AmpJobAnswerKind.Complete, (await running).Kind);
        Assert.Equal("completed", await _rig.StateAsync(job));
    }

    [ToolTheory("postgres")]
    [InlineData("LOGIN")]
    [InlineData("GSSAPI NTLM LOGIN PLAIN")]
    public async Task LogIn_IsDone_WhereItIsConfigured(string mechanisms)
    {
        await using var sink = new SmtpSink { Login = ("amp", "hunter2"), Mechanisms = mechanisms };
        var handler = Handler(Smtp(sink.Port) with { Username = "amp", Password = new Secret("hunter2") });

        Assert.Equal(AmpJobAnswerKind.Complete, (await _rig.RunAsync(handler, "job.email.welcome", Payload())).Kind);

        Assert.Equal("amp", Assert.Single(sink.Mails).User);
    }

    [ToolTheory("postgres")]
    [InlineData("LOGIN PLAIN", "right")]
    [InlineData("PLAIN", "hunter2")]
    public async Task LogIn_ThatIsRefusedOrNotOfferedByLogin_GivesTheJobUp_AndTellsNoPassword(string mechanisms, string password)
    {
        await using var sink = new SmtpSink { Login = ("amp", password), Mechanisms = mechanisms };
        var handler = Handler(Smtp(sink.Port) with { Username = "amp", Password = new Secret("hunter2") });

        var answer = await _rig.RunAsync(handler, "job.email.welcome", Payload());

        Assert.Equal(AmpJobAnswerKind.Fail, answer.Kind);
        Assert.Contains("authenticat", answer.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", answer.Reason, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task StartTls_EncryptsTheLogInAndTheMail()
    {
        using var certificates = new TestCertificates();
        using var trust = SmtpTrust.Of(certificates.Authority);
        await using var sink = new SmtpSink { Certificate = certificates.Server, Login = ("amp", "hunter2") };
        var handler = Handler(Smtp(sink.Port) with { Host = "localhost", StartTls = true, Username = "amp", Password = new Secret("hunter2") });

        var answer = await _rig.RunAsync(handler, "job.email.welcome", Payload());

        Assert.Equal((AmpJobAnswerKind.Complete, null), (answer.Kind, answer.Reason));
        var mail = Assert.Single(sink.Mails);
        Assert.Equal((true, "amp"), (mail.IsEncrypted, mail.User));
    }

    [ToolTheory("postgres")]
    [InlineData(true, "certificate")]
    [InlineData(false, "secure connections")]
    public async Task StartTls_ThatIsNotTrustedOrNotOffered_SendsNothing_AndSaysWhy(bool isOffered, string reason)
    {
        using var certificates = new TestCertificates();
        await using var sink = new SmtpSink { Certificate = isOffered ? certificates.Server : null };

        var answer = await _rig.RunAsync(Handler(Smtp(sink.Port) with { StartTls = true }), "job.email.welcome", Payload());

        Assert.Equal(AmpJobAnswerKind.Retry, answer.Kind);
        Assert.Contains(reason, answer.Reason, StringComparison.Ordinal);
        Assert.Empty(sink.Mails);
    }

    [ToolTheory("postgres")]
    [InlineData("job.email.welcome", "{}", "The payload of job.email.welcome has no campaign_id.")]
    [InlineData("job.email.welcome", """{"campaign_id": "{campaign}", "user_id": null}""", "has no user_id")]
    [InlineData("job.email.welcome", """{"campaign_id": "{campaign}", "user_id": "ada"}""", "has a user_id that is no UUID")]
    [InlineData("job.email.welcome", """{"campaign_id": "{campaign}", "user_id": "{user}", "type": "milestone"}""", "says type 'milestone'")]
    [InlineData("job.email.welcome", """{"campaign_id": "{campaign}", "user_id": "{user}", "type": 5}""", "has a type that is no text")]
    [InlineData("job.email.farewell", """{"campaign_id": "{campaign}", "user_id": "{user}"}""", "job.email.farewell is no kind of e-mail")]
    [InlineData("job.email.welcome", """{"campaign_id": "{other}", "user_id": "{user}"}""", "has no campaign {other}")]
    [InlineData("job.email.welcome", """{"campaign_id": "{campaign}", "user_id": "{other}"}""", "Campaign {campaign} has no user {other}.")]
    [InlineData("job.email.reward_earned", """{"campaign_id": "{campaign}", "user_id": "{user}"}""", "Template reward_earned.txt (built in), line 1: there is no value for {{reward_name}}. There are: campaign_id, campaign_name,")]
    public async Task Job_ThatCannotBeDone_IsGivenUpWithTheReason(string type, string payload, string reason)
    {
        await using var sink = new SmtpSink();
        var other = Guid.NewGuid();

        var answer = await _rig.RunAsync(Handler(sink), type, Fill(payload));

        Assert.Equal(AmpJobAnswerKind.Fail, answer.Kind);
        Assert.Contains(Fill(reason), answer.Reason, StringComparison.Ordinal);
        Assert.False(sink.Connected.Task.IsCompleted);

        string Fill(string text) => text.Replace("{campaign}", _rig.Campaign.ToString(), StringComparison.Ordinal)
            .Replace("{user}", _user.ToString(), StringComparison.Ordinal).Replace("{other}", other.ToString(), StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task User_WithoutAUsableAddress_GivesTheJobUp()
    {
        await using var sink = new SmtpSink();
        await _rig.Test.ExecuteAsync("UPDATE amp_campaigns.campaign_user SET email = $1 WHERE id = $2", "ada@example.org\r\nRCPT TO:<eve@example.org>", _user);

        var answer = await _rig.RunAsync(Handler(sink), "job.email.welcome", Payload());

        Assert.Equal((AmpJobAnswerKind.Fail, $"User {_user} has no e-mail address that can be used."), (answer.Kind, answer.Reason));
        Assert.False(sink.Connected.Task.IsCompleted);
    }

    [ToolFact("postgres")]
    public async Task CampaignOfAnotherTenant_IsNotFound()
    {
        await using var sink = new SmtpSink();
        var job = await _rig.ClaimNewAsync("job.email.welcome", Payload(), tenant: Guid.NewGuid());

        var answer = await _rig.HandleAsync(Handler(sink), job);

        Assert.Equal((AmpJobAnswerKind.Fail, $"Tenant {job.Job.TenantId} has no campaign {_rig.Campaign}."), (answer.Kind, answer.Reason));
        Assert.Empty(sink.Mails);
    }

    [ToolFact("postgres")]
    public async Task RewardThatIsNamed_IsTheOneOfTheEmail_ElseTheLastThatWasNotRevoked()
    {
        await using var sink = new SmtpSink();
        var mug = await _rig.AddRewardAsync(_user, "A mug");
        await _rig.AddRewardAsync(_user, "A shirt");
        await _rig.AddRewardAsync(_user, "A car", status: "revoked");

        await _rig.RunAsync(Handler(sink), "job.email.reward_earned", Payload());
        await _rig.RunAsync(Handler(sink), "job.email.reward_earned", Payload($$""", "user_reward_id": "{{mug}}" """));

        Assert.Equal(["You earned a reward: A shirt", "You earned a reward: A mug"], sink.Mails.Select(mail => mail.Subject));
    }

    [ToolFact("postgres")]
    public async Task Handlers_AreThoseOfTheJobTypes_AndOfEmailsOnlyWithAMailServer()
    {
        Assert.Empty(await CampaignHandlers.InitializeAsync(_rig.Test.Database, autoMigrate: true));

        Assert.Equal(["job.position.recalculate", "job.reward.deliver"], CampaignHandlers.Create(_rig.Test.Database, null, null).Select(handler => handler.Types));
        Assert.Equal(
            ["job.position.recalculate", "job.reward.deliver", "job.email.*"], CampaignHandlers.Create(_rig.Test.Database, Smtp(25), null).Select(handler => handler.Types));
    }

    private static SmtpConfiguration Smtp(int port) => new() { Host = "127.0.0.1", Port = port, StartTls = false, From = "The team <team@rockets.example>" };

    private IJobHandler Handler(SmtpSink sink, string? templates = null) => Handler(Smtp(sink.Port), templates);

    private IJobHandler Handler(SmtpConfiguration smtp, string? templates = null) =>
        CampaignHandlers.Create(_rig.Test.Database, smtp, templates).Single(handler => handler.Types == "job.email.*").Handler;

    private string Payload(string more = "") => $$"""{"campaign_id": "{{_rig.Campaign}}", "user_id": "{{_user}}"{{more}}}""";
}
