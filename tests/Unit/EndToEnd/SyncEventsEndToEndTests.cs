using System.Diagnostics;
using Amp.Events;
using Amp.Extraction.DevChains;
using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>What jobs tell Kafka.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class SyncEventsEndToEndTests(PostgresFixture postgres)
{
    private const string Dataset = "test/told";
    private const ulong End = 149;
    private static readonly string[] AllTables = ["blocks", "logs", "transactions"];
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [KafkaFact("postgres", "kcat")]
    public async Task Job_TellsStartProgressAndCompletionOfEachTableInOrder()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)End + 1, Seed = 5 });
        await using var deployment = await PrepareAsync(broker.BootstrapServers, chain.Url);
        var dataset = await deployment.RegisterDatasetAsync(Dataset);
        await using var worker = await deployment.StartWorkerAsync("teller");

        var job = await deployment.CompleteJobAsync(Dataset, End);
        Assert.True(await worker.FlushEventsAsync(Patience, CancellationToken.None));

        var events = await ReadAsync(deployment);
        Assert.All(events, e => Assert.Equal((job.JobId, Dataset, dataset.ManifestHash, "teller"), (e.JobId, e.Dataset, e.ManifestHash, e.WorkerId)));
        Assert.Equal(AllTables, events.Select(e => e.Table).Distinct().Order(StringComparer.Ordinal));
        foreach (var table in events.GroupBy(e => e.Table))
        {
            var (started, progress, completed) = (table.First(), table.Skip(1).SkipLast(1).ToList(), table.Last());
            Assert.Equal(("sync.started", 0ul, End), (started.EventType, started.StartBlock, started.EndBlock));
            Assert.Equal(("sync.completed", End), (completed.EventType, completed.CurrentBlock));
            Assert.InRange(completed.Duration!.Value, TimeSpan.FromMilliseconds(1), Patience);

            Assert.NotEmpty(progress);
            Assert.All(progress, e => Assert.Equal(("sync.progress", 0ul, End), (e.EventType, e.StartBlock, e.EndBlock)));
            Assert.Equal(progress.Select(e => e.CurrentBlock).Distinct().Order(), progress.Select(e => e.CurrentBlock));
            var files = await deployment.FilesAsync(Dataset, table.Key);
            Assert.Equal((End, (ulong)files.Count, (ulong)files.Sum(file => file.Size)), (progress[^1].CurrentBlock, progress[^1].FilesCount, progress[^1].TotalSizeBytes));
            Assert.All(progress, e => Assert.Contains(files, file => file.EndBlock == e.CurrentBlock));
        }

        // By another client: the key of every message, and its partition.
        var keys = await KeysAsync(broker);
        Assert.Equal(events.Count, keys.Count);
        foreach (var (key, partition) in keys)
        {
            Assert.Contains(key, AllTables.Select(table => $"{Dataset}/{dataset.ManifestHash}/{table}"));
            Assert.Equal(Murmur2.Partition(key, 16), partition);
        }
    }

    [KafkaFact("postgres")]
    public async Task Job_ThatFails_TellsSoForEachTable()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using var wrong = await DevChain.StartAsync(new DevChainOptions { BlockCount = 2, ChainId = 10 });
        await using var right = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)End + 1, Seed = 5, ChainId = 1 });
        await using var deployment = await PrepareAsync(broker.BootstrapServers, right.Url);
        await deployment.RegisterProviderAsync(wrong.Url, "mainnet");
        await deployment.RegisterDatasetAsync(Dataset, "mainnet");
        await using var worker = await deployment.StartWorkerAsync();

        var failed = await deployment.WaitAsync(await deployment.StartJobAsync(Dataset, End));
        await deployment.RegisterProviderAsync(right.Url, "mainnet");
        await deployment.CompleteJobAsync(Dataset, End);
        Assert.True(await worker.FlushEventsAsync(Patience, CancellationToken.None));

        Assert.Equal((AmpJobStatus.Fatal, "PROVIDER_WRONG_NETWORK"), (failed.Status, failed.ErrorCode));
        var events = await ReadAsync(deployment);
        foreach (var table in AllTables)
        {
            var told = events.Where(e => e.Table == table).ToList();
            Assert.Equal(("sync.failed", "PROVIDER_WRONG_NETWORK", failed.ErrorMessage), (told[0].EventType, told[0].ErrorType, told[0].ErrorMessage));
            Assert.Equal(("sync.started", "sync.completed"), (told[1].EventType, told[^1].EventType));
            Assert.All(told.Skip(2).SkipLast(1), e => Assert.Equal("sync.progress", e.EventType));
        }
    }

    [KafkaFact("postgres", "duckdb")]
    public async Task Job_WhenTheBrokerIsAway_WritesTheSameRows()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)End + 1, Seed = 5 });
        await using var silent = await TestDeployment.CreateAsync(postgres);
        await using var deployment = await PrepareAsync("127.0.0.1:1", chain.Url);
        await silent.RegisterProviderAsync(chain.Url);
        foreach (var one in new[] { silent, deployment })
        {
            await one.RegisterDatasetAsync(Dataset);
            await using var worker = await one.StartWorkerAsync();
            await one.CompleteJobAsync(Dataset, End);
            await TableChecks.AssertConsistentAsync(one.Deployment);
        }

        foreach (var table in AllTables)
        {
            await TableRows.AssertSameAsync(
                await TableRows.SourceAsync(silent, Dataset, table), await TableRows.SourceAsync(deployment, Dataset, table));
        }
    }

    private async Task<TestDeployment> PrepareAsync(string brokers, Uri chain)
    {
        var deployment = await TestDeployment.CreateAsync(
            postgres,
            ("worker_events.enabled", "true"), ("worker_events.progress_interval", "0"), ("worker_events.kafka.brokers", brokers));
        await deployment.RegisterProviderAsync(chain);
        return deployment;
    }

    private static async Task<List<AmpSyncEvent>> ReadAsync(TestDeployment deployment) =>
        await new SyncEventReader(deployment.Deployment.RequireKafka()).ReadAsync(new SyncEventReadOptions())
            .Select(result => result.Event ?? throw result.Error!).ToListAsync();

    private static async Task<List<(string Key, int Partition)>> KeysAsync(DevBroker broker)
    {
        using var kcat = Process.Start(new ProcessStartInfo(
            TestTools.Require("kcat"), ["-C", "-b", broker.BootstrapServers, "-t", "amp.worker.events", "-e", "-q", "-f", "%k %p\\n"]) { RedirectStandardOutput = true })!;
        var lines = (await kcat.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await kcat.WaitForExitAsync();
        return [.. lines.Select(line => line.Split(' ')).Select(parts => (parts[0], int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture)))];
    }
}
