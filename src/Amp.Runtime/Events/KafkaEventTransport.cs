using System.Collections.Concurrent;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Amp.Events;

/// <summary>Sends through librdkafka's idempotent producer.</summary>
internal sealed class KafkaEventTransport : IEventTransport
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(3);

    private readonly Dictionary<string, string> _settings;
    private readonly KafkaEventOptions _options;
    private readonly KafkaClientLog _log;

    // Reports not made yet: a client that is disposed of takes its messages with it without a word.
    private readonly ConcurrentDictionary<long, Action<SendResult>> _outstanding = [];
    private IProducer<string, byte[]> _producer;
    private long _sends;
    private Task<ProbeResult>? _probe;

    // Set by the client's threads: from then on every message fails, with the code of what broke the client.
    private volatile bool _broken;

    /// <summary>Makes the client; connects in the background.</summary>
    /// <exception cref="AmpException"><c>KafkaLibraryMissing</c> or <c>KafkaConfigurationInvalid</c>.</exception>
    public KafkaEventTransport(KafkaEventOptions options, TimeProvider time, ILogger logger)
    {
        _options = options;
        _log = new KafkaClientLog(time, logger);
        _settings = KafkaClients.CommonSettings(options);
        _settings["enable.idempotence"] = "true";
        _settings["partitioner"] = "murmur2_random";
        _settings["compression.type"] = "gzip";
        _settings["linger.ms"] = "5";
        // librdkafka repeats a request within this time by itself and in order; then the sink's own patience begins.
        _settings["message.timeout.ms"] = "15000";
        _settings["request.timeout.ms"] = "10000";
        _producer = Build();
    }

    /// <inheritdoc/>
    public async Task<ProbeResult> ProbeAsync(CancellationToken cancellationToken)
    {
        // The call blocks its thread for as long as no broker answers.
        _probe = Task.Run(Probe, CancellationToken.None);
        return await _probe.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Send(string key, byte[] value, DateTimeOffset timestamp, Action<SendResult> report)
    {
        var message = new Message<string, byte[]> { Key = key, Value = value, Timestamp = new Timestamp(timestamp) };
        var send = Interlocked.Increment(ref _sends);
        _outstanding[send] = report;
        try
        {
            _producer.Produce(_options.Topic, message, delivery => Settle(send, Understand(delivery.Error)));
        }
        catch (KafkaException e)
        {
            Settle(send, Understand(e.Error));
        }
    }

    /// <inheritdoc/>
    public async Task ResetAsync()
    {
        await DisposeAsync();
        _broken = false;
        _producer = Build();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // The native handle must outlive the call that uses it.
        if (_probe is { } probe)
        {
            await probe;
        }

        await Task.Run(_producer.Dispose);
        foreach (var send in _outstanding.Keys)
        {
            Settle(send, new SendResult(SendOutcome.Unanswered, "ClientEnded", "the Kafka client ended before an answer came"));
        }
    }

    private void Settle(long send, SendResult result)
    {
        if (_outstanding.TryRemove(send, out var report))
        {
            report(result);
        }
    }

    private IProducer<string, byte[]> Build() => KafkaClients.BuildProducer(_options, _settings, builder => builder
        .SetLogHandler((_, message) => _log.Write(message))
        .SetErrorHandler((_, error) =>
        {
            _broken |= error.IsFatal;
            _log.Write(error);
        }));

    private ProbeResult Probe()
    {
        try
        {
            using var admin = new DependentAdminClientBuilder(_producer.Handle).Build();
            var topic = admin.GetMetadata(_options.Topic, ProbeTimeout).Topics.Single();
            return topic.Error.IsError
                ? new ProbeResult(ProbeOutcome.Refused, Reason: topic.Error.Code.ToString(), Message: topic.Error.Reason)
                : new ProbeResult(ProbeOutcome.Ready, topic.Partitions.Count);
        }
        catch (KafkaException e)
        {
            var outcome = KafkaClients.IsUnreachable(e.Error.Code) ? ProbeOutcome.Unreachable : ProbeOutcome.Refused;
            return new ProbeResult(outcome, Reason: e.Error.Code.ToString(), Message: e.Error.Reason);
        }
    }

    private SendResult Understand(Error error) => !error.IsError
        ? new SendResult(SendOutcome.Delivered)
        : new SendResult(
            _broken || error.IsFatal ? SendOutcome.Broken
            : error.Code is ErrorCode.MsgSizeTooLarge or ErrorCode.RecordListTooLarge ? SendOutcome.Impossible
            : KafkaClients.IsUnreachable(error.Code) ? SendOutcome.Unanswered
            : SendOutcome.Refused,
            error.Code.ToString(),
            error.Reason);
}
