using System.Buffers.Text;
using System.Text;
using System.Web;
using Amp.Support;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Events;

/// <summary>Brokers that want TLS and a login: a real client library, a real socket, a gate that speaks both before a development broker.</summary>
public sealed class SecuredBrokerTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TestCertificates _certificates = new();

    public void Dispose() => _certificates.Dispose();

    [KafkaTheory]
    [InlineData("PLAIN", true)]
    [InlineData("PLAIN", false)]
    [InlineData("SCRAM-SHA-256", true)]
    [InlineData("scram-sha-512", true)]
    [InlineData("SCRAM-SHA-512", false)]
    [InlineData(null, true)]
    public async Task RightCredentials_SendAndRead(string? mechanism, bool tls)
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using var gate = new KafkaGate(broker) { Certificate = tls ? _certificates.Server : null, User = mechanism is null ? null : ("amp", "hunter2") };
        var kafka = Kafka(gate, tls) with { SaslMechanism = mechanism, SaslUsername = "amp", SaslPassword = "hunter2" };

        await SendAsync(kafka);

        Assert.Single(await new SyncEventReader(kafka).ReadAsync(new()).ToListAsync());
        Assert.Equal(0, gate.Refused);
        Assert.Equal(mechanism is not null, gate.LoggedIn > 0);
    }

    [KafkaTheory]
    [InlineData("PLAIN")]
    [InlineData("SCRAM-SHA-256")]
    [InlineData("SCRAM-SHA-512")]
    public async Task WrongPassword_IsReportedOnce_AndTheEventWaits(string mechanism)
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using var gate = new KafkaGate(broker) { Certificate = _certificates.Server, User = ("amp", "hunter3") };
        var kafka = Kafka(gate, tls: true) with { SaslMechanism = mechanism, SaslUsername = "amp", SaslPassword = "hunter2" };
        var logger = new RecordingLogger();
        await using var sink = new KafkaSyncEventSink(kafka, "worker-01", TimeProvider.System, logger);
        sink.Emit(EventSamples.Started("blocks"));

        // Again and again: many refusals, one report of each kind.
        await Eventually.TrueAsync(() => gate.Refused >= 5, "refusals", Patience);
        var error = await Assert.ThrowsAsync<AmpException>(() => new SyncEventReader(kafka).ReadAsync(new() { ConnectTimeout = TimeSpan.FromSeconds(1) }).ToListAsync().AsTask());

        Assert.Equal(("BrokerAccessDenied", AmpErrorKind.Denied), (error.ErrorCode, error.Kind));
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        Assert.Single(logger.Entries, entry => entry.Event == nameof(Log.BrokerAway));
        Assert.Single(logger.Entries, entry => entry.Event == nameof(Log.ClientFailed) && entry.Message.Contains("Authentication", StringComparison.Ordinal));
        Assert.DoesNotContain(logger.Entries, entry => entry.Message.Contains("hunter2", StringComparison.Ordinal));

        gate.User = ("amp", "hunter2");
        Assert.True(await sink.FlushAsync(Patience));
    }

    [KafkaFact]
    public async Task ServerOfAnotherAuthority_IsNotTalkedTo()
    {
        using var others = new TestCertificates();
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using var gate = new KafkaGate(broker) { Certificate = others.Server };

        var error = await Assert.ThrowsAsync<AmpException>(() => new SyncEventReader(Kafka(gate, tls: true)).ReadAsync(new() { ConnectTimeout = TimeSpan.FromSeconds(1) }).ToListAsync().AsTask());

        Assert.Equal("BrokerAccessDenied", error.ErrorCode);
        Assert.Contains("certificate", error.Message, StringComparison.OrdinalIgnoreCase);
    }

    [KafkaFact]
    public async Task ClientCertificate_IsShownWhereTheBrokerAsksForOne()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using var gate = new KafkaGate(broker) { Certificate = _certificates.Server, ClientAuthority = _certificates.Authority };
        var kafka = Kafka(gate, tls: true);

        await SendAsync(kafka with { CertificateFile = _certificates.ClientFile, KeyFile = _certificates.ClientKeyFile });

        await Assert.ThrowsAsync<AmpException>(() => new SyncEventReader(kafka).ReadAsync(new() { ConnectTimeout = TimeSpan.FromSeconds(1) }).ToListAsync().AsTask());
    }

    [KafkaFact]
    public async Task LoginThatIsRevoked_CostsNoEvent_AndNoOrder()
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using var gate = new KafkaGate(broker) { Certificate = _certificates.Server, User = ("amp", "hunter2") };
        var kafka = Kafka(gate, tls: true) with { SaslMechanism = "SCRAM-SHA-256", SaslUsername = "amp", SaslPassword = "hunter2" };
        await using var sink = new KafkaSyncEventSink(kafka, "worker-01", TimeProvider.System, NullLogger.Instance);
        for (var job = 1; job <= 30; job++)
        {
            sink.Emit(EventSamples.Started("blocks", job));
            if (job == 10)
            {
                Assert.True(await sink.FlushAsync(Patience));
                gate.User = ("amp", "changed");
                gate.Disconnect();
            }
        }

        await Eventually.TrueAsync(() => gate.Refused > 0, "a refusal", Patience);
        gate.User = ("amp", "hunter2");
        Assert.True(await sink.FlushAsync(Patience));

        Assert.Equal(Enumerable.Range(1, 30).Select(job => (long)job), (await new SyncEventReader(kafka).ReadAsync(new()).ToListAsync()).Select(read => read.Event!.JobId));
    }

    [KafkaTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task WhateverIsDoneToTheBroker_EachTablesEventsArriveInOrder_WithoutGaps(int seed)
    {
        var random = new Random(seed);
        var happened = new List<string>();
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        await using var gate = new KafkaGate(broker) { User = ("amp", "hunter2") };
        var kafka = Kafka(gate, tls: false) with { SaslMechanism = "SCRAM-SHA-256", SaslUsername = "amp", SaslPassword = "hunter2" };
        await using var sink = new KafkaSyncEventSink(kafka, "worker-01", TimeProvider.System, NullLogger.Instance);
        var emitted = new Dictionary<string, List<string>>();
        for (var job = 1L; job <= 40; job++)
        {
            // A life of three events for each of three tables, while something happens to the broker.
            foreach (var table in new[] { "blocks", "transactions", "logs" })
            {
                SyncEvent[] life = [EventSamples.Started(table, job), random.Next(5) == 0 ? EventSamples.Failed(table, job) : EventSamples.Completed(table, job)];
                foreach (var syncEvent in life)
                {
                    sink.Emit(syncEvent);
                    (emitted.TryGetValue(table, out var told) ? told : emitted[table] = []).Add($"{SyncEventWire.TypeOf(syncEvent)} {job}");
                }
            }

            if (job % 4 == 0)
            {
                await HappenAsync();
            }
        }

        Assert.True(await sink.FlushAsync(TimeSpan.FromMinutes(2)), string.Join(", ", happened));
        var events = await new SyncEventReader(kafka).ReadAsync(new()).Select(read => read.Event!).ToListAsync();

        foreach (var (table, told) in emitted)
        {
            Assert.Equal(told, events.Where(e => e.Table == table).Select(e => $"{e.EventType} {e.JobId}"));
        }

        async Task HappenAsync()
        {
            var what = random.Next(6);
            var pause = random.Next(1_500);
            happened.Add($"{what} for {pause} ms");
            switch (what)
            {
                case 0:
                    broker.SetDown();
                    await Task.Delay(pause);
                    broker.SetUp();
                    break;
                case 1:
                    gate.Delay = TimeSpan.FromMilliseconds(50 + random.Next(300));
                    await Task.Delay(pause);
                    gate.Delay = TimeSpan.Zero;
                    break;
                case 2:
                    // A leader moves.
                    broker.FailNext(0, (int)ErrorCode.NotLeaderForPartition, 0, (int)ErrorCode.NotLeaderForPartition, (int)ErrorCode.LeaderNotAvailable);
                    break;
                case 3:
                    broker.SetTopicError(kafka.Topic, (int)ErrorCode.UnknownTopicOrPart);
                    await Task.Delay(pause);
                    broker.SetTopicError(kafka.Topic, 0);
                    break;
                case 4:
                    gate.User = ("amp", "changed");
                    gate.Disconnect();
                    await Task.Delay(pause);
                    gate.User = ("amp", "hunter2");
                    break;
                default:
                    // In the middle of whatever is under way; and the idempotent producer broken for good.
                    gate.Disconnect();
                    broker.FailNext(0, (int)ErrorCode.OutOfOrderSequenceNumber);
                    break;
            }
        }
    }

    [KafkaFact]
    public async Task IamToken_LogsIn_AsAmazonMskTakesIt()
    {
        // The only test that looks for credentials, and these are whom AWS's own chain finds first.
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "s3cr3t");
        Environment.SetEnvironmentVariable("AWS_SESSION_TOKEN", "t0k3n/+=");
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions());
        string? seen = null;
        await using var gate = new KafkaGate(broker) { Certificate = _certificates.Server, Token = token => IsGood(seen = token) };
        var kafka = Kafka(gate, tls: true) with { SaslMechanism = "OAUTHBEARER", AwsRegion = "eu-west-1" };

        await SendAsync(kafka);

        Assert.Single(await new SyncEventReader(kafka).ReadAsync(new()).ToListAsync());
        Assert.DoesNotContain("s3cr3t", Decode(seen!).ToString(), StringComparison.Ordinal);

        static bool IsGood(string token)
        {
            var url = Decode(token);
            var query = HttpUtility.ParseQueryString(url.Query);
            var time = DateTimeOffset.ParseExact(query["X-Amz-Date"]!, "yyyyMMdd'T'HHmmss'Z'", null, System.Globalization.DateTimeStyles.AssumeUniversal);
            var expected = AwsSignature.Presign(
                url.Host, "/", [KeyValuePair.Create("Action", "kafka-cluster:Connect")], "kafka-cluster", "eu-west-1",
                new AwsKey("AKIDEXAMPLE", "s3cr3t", "t0k3n/+=", null), time, TimeSpan.FromMinutes(15), AwsSignature.EmptyPayload);
            return url.Host == "kafka.eu-west-1.amazonaws.com" && url.AbsoluteUri == $"{expected}&User-Agent=amp" && DateTimeOffset.UtcNow - time < TimeSpan.FromMinutes(5);
        }
    }

    [Fact]
    public void Signature_IsThatOfAwsOwnExample()
    {
        // "Authenticating Requests: Using Query Parameters", Amazon S3 API reference.
        var url = AwsSignature.Presign(
            "examplebucket.s3.amazonaws.com", "/test.txt", [], "s3", "us-east-1", new AwsKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", null, null),
            new DateTimeOffset(2013, 5, 24, 0, 0, 0, TimeSpan.Zero), TimeSpan.FromDays(1), "UNSIGNED-PAYLOAD");

        Assert.Equal(
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
            + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
            url);
    }

    [Fact]
    public async Task Token_LastsNoLongerThanTheCredentials()
    {
        var time = new ManualTimeProvider();
        var key = new AwsKey("AKID", "s3cr3t", "token", time.GetUtcNow().AddMinutes(4));
        var tokens = new AwsMskTokens("us-east-1", time, () => Task.FromResult(key));

        Assert.Equal(time.GetUtcNow().AddMinutes(4), (await tokens.CreateAsync()).Expires);
        Assert.Contains("X-Amz-Expires=240&", Decode((await tokens.CreateAsync()).Token).Query, StringComparison.Ordinal);
        key = key with { Expiration = null };
        Assert.Equal(time.GetUtcNow().AddMinutes(15), (await tokens.CreateAsync()).Expires);
        key = key with { Expiration = time.GetUtcNow().AddSeconds(-1) };
        var error = await Assert.ThrowsAsync<InvalidOperationException>(tokens.CreateAsync);
        Assert.DoesNotContain("s3cr3t", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("boot-abc.c1.kafka-serverless.us-east-1.amazonaws.com:9098", "us-east-1")]
    [InlineData("b-1.demo.abc.c2.kafka.eu-central-1.amazonaws.com:9098", "eu-central-1")]
    [InlineData("kafka.example:9098", null)]
    public void Region_IsInTheNamesOfMskBrokers(string broker, string? region) => Assert.Equal(region, AwsMskTokens.RegionOf(["other:1", broker]));

    private static Uri Decode(string token) => new(Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token)));

    private KafkaEventOptions Kafka(KafkaGate gate, bool tls) =>
        EventSamples.Kafka(gate.BootstrapServers) with { TlsEnabled = tls, CaFile = tls ? _certificates.AuthorityFile : null };

    private static async Task SendAsync(KafkaEventOptions kafka)
    {
        await using var sink = new KafkaSyncEventSink(kafka, "worker-01", TimeProvider.System, NullLogger.Instance);
        sink.Emit(EventSamples.Started("blocks"));
        Assert.True(await sink.FlushAsync(Patience));
    }
}
