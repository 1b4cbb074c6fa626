using System.Diagnostics;
using Amp.Support;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Amp.Events;

/// <summary>Emitting over a real socket to a development broker, and reading back.</summary>
public class BrokerTests(ITestOutputHelper output)
{
    private const string Topic = "amp.worker.events";
    private const short ProduceRequest = 0;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [KafkaFact]
    public async Task Emit_OfEveryKind_IsReadBackInOrder()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using (var sink = NewSink(broker))
        {
            foreach (var table in new[] { "blocks", "logs" })
            {
                sink.Emit(EventSamples.Started(table, job: 42));
                sink.Emit(EventSamples.Progress(table, 15_000_500, job: 42));
                sink.Emit(EventSamples.Completed(table, job: 42));
                sink.Emit(EventSamples.Failed(table, job: 43));
            }

            Assert.True(await sink.FlushAsync(Patience));
        }

        var events = await ReadAllAsync(broker);

        foreach (var table in events.GroupBy(e => e.Table))
        {
            Assert.Equal(["sync.started", "sync.progress", "sync.completed", "sync.failed"], table.Select(e => e.EventType));
            Assert.Equal([42L, 42, 42, 43], table.Select(e => e.JobId));
            Assert.Equal(
                [15_000_000UL, 15_000_500UL, 15_001_000UL],
                new[] { table.ElementAt(0).StartBlock, table.ElementAt(1).CurrentBlock, table.ElementAt(2).CurrentBlock });
            Assert.All(table, e => Assert.Equal(("worker-01", "ethereum/mainnet"), (e.WorkerId, e.Dataset)));
            Assert.All(table, e => Assert.InRange(e.Timestamp, DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow));
        }

        Assert.Equal(8, events.Count);
    }

    [KafkaFact("kcat", "protobufjs")]
    public async Task Emit_IsReadByAnotherToolchain_WithKeysPartitionsAndFieldNumbersOfTheProtocol()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using (var sink = NewSink(broker))
        {
            for (var table = 0; table < 20; table++)
            {
                sink.Emit(EventSamples.Started($"table{table}", job: 7));
            }

            sink.Emit(EventSamples.Progress("table0", 15_000_500, job: 7));
            sink.Emit(EventSamples.Completed("table0", job: 7));
            sink.Emit(EventSamples.Failed("table1", job: 7));
            Assert.True(await sink.FlushAsync(Patience));
        }

        var dump = Path.GetTempFileName();
        var lines = new List<System.Text.Json.Nodes.JsonNode>();
        try
        {
            await File.WriteAllBytesAsync(dump, await RunAsync(
                TestTools.Require("kcat"), "-C", "-b", broker.BootstrapServers, "-t", Topic, "-e", "-q", "-f", "%k %p %o %S\\n%s"));
            var json = await RunAsync(
                TestTools.Require("protobufjs"), Path.Combine(TestTools.RepositoryRoot, "tests", "tools", "decode-events.cjs"),
                Path.Combine(TestTools.RepositoryRoot, "proto", "worker_events.proto"), dump);
            lines.AddRange(System.Text.Encoding.UTF8.GetString(json).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => System.Text.Json.Nodes.JsonNode.Parse(line)!));
        }
        finally
        {
            File.Delete(dump);
        }

        Assert.Equal(23, lines.Count);
        lines.ForEach(line => output.WriteLine(line.ToJsonString()));
        foreach (var line in lines)
        {
            var payload = line["event"]![(string)line["event"]!["payload"]!]!;
            var key = $"ethereum/mainnet/{EventSamples.Hash}/{payload["tableName"]}";
            Assert.Equal(key, (string)line["key"]!);
            Assert.Equal(Murmur2.Partition(key, 16), (int)line["partition"]!);
            Assert.Equal("7", (string)payload["jobId"]!);
            Assert.Equal("worker-01", (string)line["event"]!["source"]!["workerId"]!);
            Assert.Equal("1.0", (string)line["event"]!["eventVersion"]!);
        }

        Assert.True(lines.Select(l => (int)l["partition"]!).Distinct().Count() > 5);
        var progress = lines.Single(l => (string)l["event"]!["eventType"]! == "sync.progress")["event"]!["syncProgress"]!["progress"]!;
        Assert.Equal(
            """{"startBlock":"15000000","currentBlock":"15000500","endBlock":"15001000","filesCount":"3","totalSizeBytes":"4096"}""",
            progress.ToJsonString());
        var completed = lines.Single(l => (string)l["event"]!["eventType"]! == "sync.completed")["event"]!["syncCompleted"]!;
        Assert.Equal(("15001000", "12345"), ((string)completed["finalBlock"]!, (string)completed["durationMillis"]!));
        var failed = lines.Single(l => (string)l["event"]!["eventType"]! == "sync.failed")["event"]!["syncFailed"]!;
        Assert.Equal(("the node said no", "RpcFailed"), ((string)failed["errorMessage"]!, (string)failed["errorType"]!));
    }

    [KafkaFact]
    public async Task Emit_WhenBrokerStartsLater_ArrivesAllTheSame()
    {
        var port = FreePort();
        await using var sink = new KafkaSyncEventSink(
            EventSamples.Kafka($"127.0.0.1:{port}"), "worker-01", TimeProvider.System, NullLogger.Instance);
        sink.Emit(EventSamples.Started("blocks"));
        for (var block = 0UL; block < 1000; block++)
        {
            sink.Emit(EventSamples.Progress("blocks", block));
        }

        Assert.False(await sink.FlushAsync(TimeSpan.FromSeconds(1)));
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions { Port = port });
        Assert.True(await sink.FlushAsync(Patience));

        var events = await ReadAllAsync(broker);
        Assert.Equal([("sync.started", null), ("sync.progress", 999UL)], events.Select(e => (e.EventType, e.CurrentBlock)));
    }

    [KafkaFact]
    public async Task Emit_WhileBrokerGoesDownAndFails_KeepsTheOrderOfEachTable()
    {
        var random = new Random(11);
        var logger = new RecordingLogger();
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using var sink = new KafkaSyncEventSink(
            EventSamples.Kafka(broker.BootstrapServers), "worker-01", TimeProvider.System, logger);
        var emitted = new Dictionary<string, List<long>>();
        for (var i = 1L; i <= 300; i++)
        {
            var table = $"table{random.Next(6)}";
            if (!emitted.TryGetValue(table, out var jobs))
            {
                emitted[table] = jobs = [];
            }

            jobs.Add(i);
            sink.Emit(EventSamples.Started(table, job: i));
            switch (i)
            {
                case 40:
                    // Breaks the idempotent producer for good: it has to be started anew.
                    broker.FailNext(ProduceRequest, (int)ErrorCode.OutOfOrderSequenceNumber);
                    break;
                case 90 or 200:
                    broker.FailNext(ProduceRequest, (int)ErrorCode.TopicAuthorizationFailed);
                    break;
                default:
                    if (i % 30 == 0)
                    {
                        broker.FailNext(
                            ProduceRequest, (int)ErrorCode.NotLeaderForPartition, 0, (int)ErrorCode.RequestTimedOut,
                            (int)ErrorCode.NotEnoughReplicas);
                    }
                    else if (i % 30 == 15)
                    {
                        broker.SetDown();
                    }
                    else if (i % 30 == 20)
                    {
                        broker.SetUp();
                    }

                    break;
            }

            await Task.Delay(random.Next(10));
        }

        broker.SetUp();
        Assert.True(await sink.FlushAsync(Patience));

        var events = await ReadAllAsync(broker);
        foreach (var (table, jobs) in emitted)
        {
            Assert.Equal(jobs, events.Where(e => e.Table == table).Select(e => e.JobId));
        }

        Assert.Contains(logger.Entries, e => e.Event == nameof(Log.ClientReset));
        Assert.Contains(logger.Entries, e => e.Message.Contains("TopicAuthorizationFailed", StringComparison.Ordinal));
    }

    [KafkaFact]
    public async Task Emit_WhenTopicIsMissing_CreatesNoTopicAndKeepsTrying()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions { Topics = [new("other")] });
        var logger = new RecordingLogger();
        await using var sink = new KafkaSyncEventSink(
            EventSamples.Kafka(broker.BootstrapServers), "worker-01", TimeProvider.System, logger, TimeSpan.Zero);

        sink.Emit(EventSamples.Started("blocks"));
        await Eventually.TrueAsync(() => logger.Entries.Any(e => e.Event == nameof(Log.TopicRefused)), "the topic is reported missing");
        var missing = await Assert.ThrowsAsync<AmpException>(() => ReadAllAsync(broker));
        broker.CreateTopic(new DevBrokerTopic(Topic, 3));
        Assert.True(await sink.FlushAsync(Patience));

        Assert.Equal("TopicNotFound", missing.ErrorCode);
        Assert.Contains($"kafka-topics --create --bootstrap-server {broker.BootstrapServers} --topic {Topic}", missing.RecommendedAction, StringComparison.Ordinal);
        Assert.Single(await ReadAllAsync(broker));
    }

    [KafkaFact]
    public async Task ResetAsync_WithMessagesInFlight_ReportsEachOfThemOnce()
    {
        var transport = new KafkaEventTransport(
            EventSamples.Kafka($"127.0.0.1:{FreePort()}"), TimeProvider.System, NullLogger.Instance);
        var reports = new System.Collections.Concurrent.ConcurrentBag<SendResult>();
        for (var i = 0; i < 100; i++)
        {
            transport.Send("key", [1], DateTimeOffset.UtcNow, reports.Add);
        }

        await transport.ResetAsync();
        await transport.DisposeAsync();

        Assert.Equal(100, reports.Count);
        Assert.All(reports, report => Assert.NotEqual(SendOutcome.Delivered, report.Outcome));
    }

    [KafkaFact]
    public async Task DisposeAsync_WhenNoBrokerIsThere_EndsWithinSeconds()
    {
        var sink = new KafkaSyncEventSink(
            EventSamples.Kafka($"127.0.0.1:{FreePort()}"), "worker-01", TimeProvider.System, NullLogger.Instance, TimeSpan.FromSeconds(1));
        sink.Emit(EventSamples.Started("blocks"));

        var began = Stopwatch.GetTimestamp();
        await sink.DisposeAsync();

        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0.9, 6);
    }

    [KafkaFact]
    public void NewSink_WithUnusableSettings_IsRefusedWithoutTheSecret()
    {
        var kafka = EventSamples.Kafka("127.0.0.1:1") with { SaslMechanism = "PLAIN", SaslUsername = "me", SaslPassword = "hunter2" };

        var mechanism = Refused(kafka with { SaslMechanism = "GSSAPI" });
        var password = Refused(kafka with { SaslPassword = null });
        var file = Refused(kafka with { TlsEnabled = true, CaFile = "/nowhere/ca.pem" });
        var brokers = Refused(kafka with { Brokers = [] });

        Assert.Contains("'GSSAPI' is not one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER", mechanism.Message, StringComparison.Ordinal);
        Assert.Equal("worker_events.kafka.sasl_password", password.Target);
        Assert.Contains("/nowhere/ca.pem", file.Message, StringComparison.Ordinal);
        Assert.Equal("worker_events.kafka.brokers", brokers.Target);
        Assert.DoesNotContain("hunter2", $"{kafka}{mechanism}{password}{file}", StringComparison.Ordinal);
    }

    [KafkaFact]
    public async Task NewSink_WithEverySaslAndTlsSetting_IsTakenByTheLibrary()
    {
        await Task.WhenAll(new[] { "plain", "SCRAM-SHA-256", "SCRAM-SHA-512" }.Select(async mechanism =>
        {
            var kafka = EventSamples.Kafka("127.0.0.1:1") with
            {
                SaslMechanism = mechanism,
                SaslUsername = "me",
                SaslPassword = "hunter2",
                TlsEnabled = true,
            };
            var logger = new RecordingLogger();
            await using (var sink = new KafkaSyncEventSink(kafka, "worker-01", TimeProvider.System, logger, TimeSpan.Zero))
            {
                sink.Emit(EventSamples.Started("blocks"));
                await Eventually.TrueAsync(() => logger.Entries.Any(e => e.Event == nameof(Log.BrokerAway)), "the broker is found away");
            }

            Assert.DoesNotContain(logger.Entries, e => e.Message.Contains("hunter2", StringComparison.Ordinal));
        }));
    }

    private static AmpException Refused(KafkaEventOptions kafka)
    {
        var error = Assert.Throws<AmpException>(
            () => new KafkaSyncEventSink(kafka, "worker-01", TimeProvider.System, NullLogger.Instance));
        Assert.Equal(("KafkaConfigurationInvalid", AmpErrorKind.InvalidInput), (error.ErrorCode, error.Kind));
        return error;
    }

    private static KafkaSyncEventSink NewSink(DevBroker broker) =>
        new(EventSamples.Kafka(broker.BootstrapServers), "worker-01", TimeProvider.System, NullLogger.Instance);

    private static async Task<List<AmpSyncEvent>> ReadAllAsync(DevBroker broker)
    {
        var reader = new SyncEventReader(EventSamples.Kafka(broker.BootstrapServers));
        return await reader.ReadAsync(new SyncEventReadOptions()).Select(r => r.Event!).ToListAsync();
    }

    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<byte[]> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        using var output = new MemoryStream();
        await process.StandardOutput.BaseStream.CopyToAsync(output);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return output.ToArray();
    }
}
