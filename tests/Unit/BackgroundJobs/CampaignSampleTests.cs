using System.Diagnostics;
using Amp.Configuration;
using Amp.Events;
using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>The samples of background jobs, in a real shell, with a real database, a broker and a mail server.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class CampaignSampleTests(PostgresFixture postgres) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly string Samples = Path.Combine(TestTools.RepositoryRoot, "samples");

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"amp-samples-{Guid.NewGuid():N}");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [KafkaFact("postgres", "pwsh")]
    public async Task WorkerAndEnqueuer_DoTheJobsOfACampaign()
    {
        var rig = await CampaignRig.CreateAsync(postgres);
        await using var test = rig.Test;
        await using var sink = new SmtpSink();
        await using var broker = await JobBroker.StartAsync(2);
        var (ada, bob) = (await rig.AddUserAsync("ada@example.org"), await rig.AddUserAsync("bob@example.org", "Bob", 200));
        await rig.AddReferralAsync(ada, bob, isVerified: true);
        var reward = await rig.AddRewardAsync(ada, "A mug");
        var config = TestDeployment.WriteConfiguration(_folder, new Dictionary<string, string>
        {
            ["metadata_db.url"] = rig.Test.Url,
            ["background_jobs.smtp.host"] = "127.0.0.1",
            ["background_jobs.smtp.port"] = $"{sink.Port}",
            ["background_jobs.smtp.starttls"] = "false",
            ["background_jobs.smtp.from"] = "team@rockets.example",
        });
        using var worker = Start(broker, "JobWorker.ps1", config);
        var startup = await ReadUntilAsync(worker, "Consumer group");

        using var enqueuer = Start(
            broker, "EnqueueJobs.ps1", config, "-CampaignId", $"{rig.Campaign}", "-UserId", $"{ada}", "-UserRewardId", $"{reward}", "-TenantId", $"{rig.Tenant}");
        var output = await enqueuer.StandardOutput.ReadToEndAsync().WaitAsync(Patience);
        await enqueuer.WaitForExitAsync();

        Assert.True(enqueuer.ExitCode == 0, output + await enqueuer.StandardError.ReadToEndAsync());
        foreach (var line in new[]
        {
            "Kafka job worker server configuration:", "  - Event-driven jobs: 3 concurrent workers", $"  - Kafka brokers: [{broker.BootstrapServers}]", "  - Kafka topic: job-events",
            "  - Consumer group: job-workers",
        })
        {
            Assert.Contains(line, startup, StringComparison.Ordinal);
        }

        Assert.Equal(5, sink.Mails.Count);
        Assert.All(sink.Mails, mail => Assert.Equal("ada@example.org", mail.To));
        Assert.Contains("2 users, 1 changed", output, StringComparison.Ordinal);
        Assert.Equal(99, await rig.Test.ScalarAsync<long>("SELECT position FROM amp_campaigns.campaign_user WHERE id = $1", ada));
        Assert.Equal("delivered", await rig.Test.ScalarAsync<string>("SELECT status FROM amp_campaigns.user_reward WHERE id = $1", reward));
        Assert.Equal(8, await rig.Test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE state = 'completed'"));
        AmpdProcess.Terminate(worker.Id);
        await worker.WaitForExitAsync().WaitAsync(Patience);
        Assert.Equal(0, worker.ExitCode);
        Assert.Equal(0, await rig.Test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job_worker WHERE pool_size = 3"));
    }

    private static Process Start(DevBroker broker, string sample, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(TestTools.Require("pwsh"), ["-NoProfile", "-NonInteractive", "-File", Path.Combine(Samples, sample), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["KAFKA_BROKERS"] = broker.BootstrapServers,
                ["KAFKA_WORKER_POOL_SIZE"] = "3",
                ["NO_COLOR"] = "1",
                ["PSModulePath"] = Path.Combine(TestTools.RepositoryRoot, "artifacts", "module"),
            },
        })!;

    private static async Task<string> ReadUntilAsync(Process process, string text)
    {
        var lines = new List<string>();
        while (await process.StandardOutput.ReadLineAsync().WaitAsync(Patience) is { } line)
        {
            lines.Add(line.Replace("VERBOSE: ", "", StringComparison.Ordinal));
            if (line.Contains(text, StringComparison.Ordinal))
            {
                return string.Join('\n', lines);
            }
        }

        throw new InvalidOperationException($"{string.Join('\n', lines)}\n{await process.StandardError.ReadToEndAsync()}");
    }
}
