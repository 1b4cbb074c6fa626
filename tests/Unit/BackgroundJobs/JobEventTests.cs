using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Amp.Events;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.BackgroundJobs;

/// <summary>Every topic, read by kcat: its messages are exactly the documented envelope, and tell exactly what they are documented to tell.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class JobEventTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Job = "tenantId:uuid jobId:uuid type:text priority:number status:text ";
    private const string Fault = "error:object(kind:text message:text code?:text)";
    private const string Window = "window:object(start:time end:time)";

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly Guid Tenant = Guid.Parse("10000000-0000-4000-8000-000000000004");

    /// <summary>What each topic tells, in its order; <c>?</c> marks what may be missing.</summary>
    private static readonly Dictionary<string, string> Data = new()
    {
        [JobTopics.Enqueued] = Job + "payload:object maxAttempts:number runAt:time idempotencyKey?:text",
        [JobTopics.Started] = Job + "attempt:number maxAttempts:number workerId:uuid startedAt:time queuedMs:number",
        [JobTopics.Completed] = Job + "attempt:number workerId:uuid startedAt:time completedAt:time durationMs:number result?:object",
        [JobTopics.Failed] = Job + $"attempt:number maxAttempts:number workerId:uuid failedAt:time durationMs:number willRetry:boolean nextRunAt?:time reason:text {Fault}",
        [JobTopics.Cancelled] = Job + "previousStatus:text cancelledBy:text reason:text cancelledAt:time",
        [JobTopics.Retried] = Job + "attempt:number nextAttempt:number maxAttempts:number manual:boolean previousError:object(kind:text message:text code?:text) retriedAt:time",
        [JobTopics.DeadLettered] = Job + $"attempts:number maxAttempts:number reason:text {Fault} deadletteredAt:time payload:object",
        [JobTopics.Replayed] = Job + "replayedBy:text replayCount:number replayedAt:time previousAttempts:number",
        [JobTopics.Purged] = Job + "purgedBy:text purgedAt:time deadletteredAt:time attempts:number",
        [JobTopics.QuotaExceeded] = $"tenantId:uuid quota:text limit:number current:number requested:number {Window} tier:text jobType:text exceededAt:time",
        [JobTopics.QuotaReset] = $"tenantId:uuid resetAt:time {Window} previousUsage:object(daily:number) limits:object(daily:number queued:number running:number) tier:text",
    };

    private TestDatabase _test = null!;
    private JobQueue _queue = null!;
    private DevBroker _broker = null!;

    public static TheoryData<string> Topics => [.. JobTopics.Events];

    public async Task InitializeAsync()
    {
        _test = await postgres.CreateAsync();
        _queue = new JobQueue(_test.Database, JobTopics.Work);
        await _queue.InitializeAsync(autoMigrate: true, None);
        _broker = await JobBroker.StartAsync(2);
    }

    public async Task DisposeAsync()
    {
        await _broker.DisposeAsync();
        await _test.DisposeAsync();
    }

    [KafkaFact("postgres", "kcat")]
    public async Task Events_OfAllTopics_AreTheDocumentedEnvelope()
    {
        await LiveAsync();
        foreach (var topic in JobTopics.Events)
        {
            var messages = await ReadAsync(topic);
            Assert.NotEmpty(messages);
            Assert.All(messages, message =>
            {
                Assert.Equal(Tenant.ToString(), message.Key);
                Assert.Equal("content-type=application/cloudevents+json", message.Headers);
                AssertEnvelope(topic, message.Json);
            });
        }
    }

    [KafkaFact("postgres", "kcat")]
    public async Task Jobs_AreBroughtToWorkers_InTheDocumentedMessage()
    {
        await LiveAsync();

        var message = (await ReadAsync(JobTopics.Work)).First(message => message.Json.Text("type") == "job.email.verification");

        Assert.Equal(["id", "type", "account_id", "campaign_id", "data", "timestamp"], message.Json.EnumerateObject().Select(member => member.Name));
        Assert.Equal((Tenant.ToString(), "7a8b0000-0000-4000-8000-000000000001"), (message.Json.Text("account_id"), message.Json.Text("campaign_id")));
        Assert.Equal("""{"type":"verification","campaign_id":"7a8b0000-0000-4000-8000-000000000001","user_id":"u"}""", message.Json.GetProperty("data").GetRawText());
        AssertKind("uuid", message.Json.GetProperty("id"));
        AssertKind("time", message.Json.GetProperty("timestamp"));
    }

    [KafkaFact("postgres")]
    public async Task Reader_GivesWhatItIsAskedFor_InTheOrderOfTime()
    {
        await LiveAsync();
        var reader = new BackgroundJobEventReader(new KafkaEventOptions { Brokers = [_broker.BootstrapServers], Topic = JobTopics.Work });

        var all = await reader.ReadAsync(new BackgroundJobEventQuery(), None).ToListAsync();
        var letters = await reader.ReadAsync(new BackgroundJobEventQuery { Names = ["dlq.*"], TenantIds = [Tenant], Types = ["job.*"] }, None).ToListAsync();

        Assert.Equal(Enumerable.Range(1, all.Count).Select(number => (long)number), all.Select(told => told.Sequence));
        Assert.Equal(JobTopics.Events.Order(), all.Select(told => told.EventType).Distinct().Order());
        Assert.Equal(["dlq.replayed", "dlq.purged"], letters.Select(told => told.Name));
    }

    /// <summary>A life of jobs in which everything happens.</summary>
    private async Task LiveAsync()
    {
        var worker = Guid.NewGuid();
        await _test.BeatAsync(worker);
        var tenants = new TenantsTable(_test.Database, JobTopics.Work);
        await tenants.SetLimitsAsync(Tenant, "small", TenantLimits.Default with { Daily = 6 }, None);
        await _queue.SubmitAsync([new JobSubmission(Tenant, "email.send", """{ "to": "user@example.com", "template": "welcome" }""") { Priority = 5, IdempotencyKey = "one" }], None);
        var job = Assert.Single(await _queue.ClaimAsync(worker, 1));
        await _queue.ExchangeAsync(worker, [new AttemptEnd(job.Job.JobId, job.Lease, JobVerdict.Complete) { Result = """{"sent":true}""" }], [], _ => null, None);

        var payload = """{"type":"verification","campaign_id":"7a8b0000-0000-4000-8000-000000000001","user_id":"u"}""";
        var failing = (await _queue.SubmitAsync([new JobSubmission(Tenant, "job.email.verification", payload) { MaxAttempts = 2 }], None))[0].Id;
        await _queue.EndAsync(Assert.Single(await _queue.ClaimAsync(worker, 1)), JobVerdict.Retry, new JobFault("IOException", "no", "550"), TimeSpan.Zero);
        await _queue.SweepAsync(None);
        await _queue.EndAsync(Assert.Single(await _queue.ClaimAsync(worker, 1)), JobVerdict.Retry, new JobFault("IOException", "no"), TimeSpan.Zero);
        await _queue.ReplayAsync([failing], "operator", None);
        await _queue.EndAsync(Assert.Single(await _queue.ClaimAsync(worker, 1)), JobVerdict.GiveUp, new JobFault("IOException", "no"));
        await _queue.PurgeAsync([failing], "operator", None);
        var waiting = (await _queue.SubmitAsync([new JobSubmission(Tenant, "job.test", "{}")], None))[0].Id;
        await _queue.CancelAsync([waiting], "user", "changed my mind", None);
        await Assert.ThrowsAsync<AmpException>(() => _queue.SubmitAsync([.. Enumerable.Range(0, 9).Select(_ => new JobSubmission(Tenant, "job.test", "{}"))], None));
        await tenants.ResetAsync(Tenant, None);
        await using var relay = new OutboxRelay(
            new OutboxTable(_test.Database), new KafkaEventOptions { Brokers = [_broker.BootstrapServers] }, TimeProvider.System, NullLogger.Instance);
        await Eventually.TrueAsync(async () => await _test.ScalarAsync<long>("""SELECT count(*) FROM amp_jobs."KafkaOutbox" """) == 0, "sending the outbox");
    }

    private static void AssertEnvelope(string topic, JsonElement told)
    {
        Assert.Equal(
            ["specversion", "type", "source", "id", "time", "datacontenttype", "subject", "tenantseq", "partitionkey", "data"], told.EnumerateObject().Select(member => member.Name));
        Assert.Equal(("1.0", topic, "jobs-svc", "application/json"), (told.Text("specversion"), told.Text("type"), told.Text("source"), told.Text("datacontenttype")));
        Assert.Equal((Tenant.ToString(), Tenant.ToString()), (told.Text("subject"), told.Text("partitionkey")));
        Assert.Matches("^evt-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", told.Text("id"));
        Assert.Matches("^[1-9][0-9]*$", told.Text("tenantseq"));
        AssertKind("time", told.GetProperty("time"));
        Assert.Equal(Tenant.ToString(), told.Data("tenantId"));
        AssertMembers(Data[topic], told.GetProperty("data"));
    }

    /// <summary>The members that are documented, in their order, and no other.</summary>
    private static void AssertMembers(string documented, JsonElement members)
    {
        var present = members.EnumerateObject().ToList();
        foreach (Match member in Regex.Matches(documented, @"(?<name>\w+)(?<optional>\?)?:(?<kind>\w+)(\((?<inner>[^)]*)\))?"))
        {
            if (present.Count > 0 && present[0].Name == member.Groups["name"].Value)
            {
                AssertKind(member.Groups["kind"].Value, present[0].Value);
                if (member.Groups["inner"].Success)
                {
                    AssertMembers(member.Groups["inner"].Value, present[0].Value);
                }

                present.RemoveAt(0);
            }
            else
            {
                Assert.True(member.Groups["optional"].Success, $"{member.Value} is missing in {members}");
            }
        }

        Assert.Empty(present);
    }

    private static void AssertKind(string kind, JsonElement value)
    {
        switch (kind)
        {
            case "uuid":
                Assert.True(Guid.TryParse(value.GetString(), out _), $"{value} is no UUID");
                break;
            case "time":
                Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", value.GetString());
                break;
            case "boolean":
                Assert.Contains(value.ValueKind, new[] { JsonValueKind.True, JsonValueKind.False });
                break;
            default:
                Assert.Equal(kind, value.ValueKind is JsonValueKind.String ? "text" : value.ValueKind.ToString().ToLowerInvariant());
                break;
        }
    }

    private async Task<List<(string Key, string Headers, JsonElement Json)>> ReadAsync(string topic)
    {
        var start = new ProcessStartInfo(TestTools.Require("kcat"), ["-C", "-b", _broker.BootstrapServers, "-t", topic, "-e", "-q", "-f", "%k\t%h\t%s\n"]) { RedirectStandardOutput = true };
        using var kcat = Process.Start(start)!;
        var output = await kcat.StandardOutput.ReadToEndAsync();
        await kcat.WaitForExitAsync();
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t', 3)).Select(part => (part[0], part[1], JsonDocument.Parse(part[2]).RootElement))];
    }
}
