using System.Text;
using Amp.Events;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Amp.BackgroundJobs;

/// <summary>
/// Sends the outbox to Kafka: each tenant's events in their order, each at least once. Several relays may run; each shard of tenants has
/// one owner, and another takes it over when that falls silent.
/// </summary>
internal sealed class OutboxRelay : IAsyncDisposable
{
    private const int MostOfAShard = 250;
    private const int Shards = 16;

    /// <summary>Less than a lease, so that nothing of an owner arrives long after it lost a shard.</summary>
    private static readonly TimeSpan MessageTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Renewal = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan FaultPause = TimeSpan.FromSeconds(1);

    private static readonly Headers EventHeaders = new() { { "content-type", "application/cloudevents+json"u8.ToArray() } };

    private readonly OutboxTable _outbox;
    private readonly OutboxReader _reader;
    private readonly KafkaEventOptions _kafka;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly KafkaClientLog _clientLog;
    private readonly Guid _id = Guid.NewGuid();
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<Guid, long> _held = [];
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Task _loop;
    private int _emptyPasses;
    private IProducer<string, byte[]>? _producer;
    private Dictionary<short, long> _epochs = [];
    private long _renewedAt;
    private volatile bool _isBroken;
    private bool _isFaulty;

    /// <summary>Begins to send.</summary>
    public OutboxRelay(OutboxTable outbox, KafkaEventOptions kafka, TimeProvider time, ILogger logger)
    {
        (_outbox, _kafka, _time, _logger) = (outbox, kafka, time, logger);
        _reader = outbox.NewReader(time);
        _clientLog = new KafkaClientLog(time, logger);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Why it cannot send; null when it can.</summary>
    public string? LastError { get; private set; }

    /// <summary>Waits until what waits now is sent, or the time is over: others, or the next start, send the rest.</summary>
    public async Task FlushAsync(TimeSpan limit)
    {
        var (started, passes) = (_time.GetTimestamp(), Volatile.Read(ref _emptyPasses));

        // The first pass to end may have begun before.
        while (Volatile.Read(ref _emptyPasses) < passes + 2 && LastError is null && _time.GetElapsedTime(started) < limit)
        {
            _wake.Release();
            await Task.Delay(ShortestPause, _time);
        }
    }

    /// <summary>Ends after what is under way, and gives its shards back.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        await _reader.DisposeAsync();
        await DropProducerAsync();
        try
        {
            await _outbox.ReleaseAsync(_id, CancellationToken.None);
        }
        catch (AmpException)
        {
            // Then the lease ends by itself.
        }

        _stop.Dispose();
        _wake.Dispose();
    }

    private async Task RunAsync()
    {
        var pause = ShortestPause;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var sent = await SendAsync();
                _emptyPasses += sent == 0 ? 1 : 0;
                pause = sent > 0 ? ShortestPause : pause * 2 < LongestPause ? pause * 2 : LongestPause;
                if (_isFaulty && LastError is null)
                {
                    _isFaulty = false;
                    Log.RelayRecovered(_logger);
                }
            }
            catch (Exception e) when (!_stop.IsCancellationRequested)
            {
                Note(e.Message);
                pause = FaultPause;
            }
            catch (Exception)
            {
                return;
            }

            await ((Task)_wake.WaitAsync(pause, _stop.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Sends one batch and gives the number of events that arrived.</summary>
    private async Task<int> SendAsync()
    {
        if (_epochs.Count == 0 || _time.GetElapsedTime(_renewedAt) >= Renewal)
        {
            _renewedAt = _time.GetTimestamp();
            _epochs = await _outbox.HoldAsync(_id, Lease, MessageTimeout, Shards, _stop.Token);
        }

        foreach (var (tenant, until) in _held.ToArray())
        {
            if (_time.GetTimestamp() >= until)
            {
                _held.Remove(tenant);
            }
        }

        var rows = _epochs.Count == 0 ? [] : await _reader.ReadAsync(_epochs.Keys, _held.Keys, MostOfAShard, _stop.Token);
        if (rows.Count == 0)
        {
            return 0;
        }

        // Checkpoint: whatever ends the process from here on, the rows are still there, and are sent again.
        var producer = _producer ??= Build();
        var results = await Task.WhenAll(rows.Select(row => ProduceAsync(producer, row)));

        // Checkpoint: the broker has what it acknowledged. Nobody else deletes or sends these rows while the epochs are ours.
        var sent = rows.Zip(results).Where(pair => !pair.Second.IsError).Select(pair => pair.First).ToList();
        await _outbox.DeleteAsync(sent, _epochs, _stop.Token);
        LastError = null;
        foreach (var (row, error) in rows.Zip(results).Where(pair => pair.Second.IsError))
        {
            await SettleAsync(row, error);
        }

        if (_isBroken)
        {
            await DropProducerAsync();
        }

        return sent.Count;
    }

    private async Task SettleAsync(OutboxRow row, Error error)
    {
        if (error.Code is ErrorCode.MsgSizeTooLarge or ErrorCode.RecordListTooLarge)
        {
            await _outbox.ParkAsync(row, error.Reason, _stop.Token);
            Log.ParkedEvent(_logger, row.EventId, row.TenantId, row.Topic, error.Reason);
            return;
        }

        // Its tenant waits, so that nothing overtakes it; the others go on.
        _held[row.TenantId] = _time.GetTimestamp() + (long)(FaultPause.TotalSeconds * _time.TimestampFrequency);
        Note($"{row.Topic}: {error.Reason} ({error.Code})");
    }

    private static Task<Error> ProduceAsync(IProducer<string, byte[]> producer, OutboxRow row)
    {
        var done = new TaskCompletionSource<Error>(TaskCreationOptions.RunContinuationsAsynchronously);
        var message = new Message<string, byte[]>
        {
            Key = row.Key,
            Value = Encoding.UTF8.GetBytes(row.Event),
            Headers = row.IsEvent ? EventHeaders : new Headers { { "content-type", "application/json"u8.ToArray() }, { JobMessage.QueuedHeader, Encoding.UTF8.GetBytes(row.EventId) } },
        };
        try
        {
            producer.Produce(row.Topic, message, report => done.SetResult(report.Error));
        }
        catch (KafkaException e)
        {
            done.SetResult(e.Error);
        }

        return done.Task;
    }

    private IProducer<string, byte[]> Build()
    {
        var settings = KafkaClients.CommonSettings(_kafka);
        settings["enable.idempotence"] = "true";

        // A message that is given up would leave a gap: rather the client breaks, and begins again with the oldest row.
        settings["enable.gapless.guarantee"] = "true";
        settings["partitioner"] = "murmur2_random";
        settings["compression.type"] = "lz4";
        settings["linger.ms"] = "0.5";
        settings["message.timeout.ms"] = $"{MessageTimeout.TotalMilliseconds:0}";
        settings["request.timeout.ms"] = "3000";
        _isBroken = false;
        return KafkaClients.BuildProducer(_kafka, settings, builder => builder
            .SetLogHandler((_, message) => _clientLog.Write(message))
            .SetErrorHandler((_, error) =>
            {
                _isBroken |= error.IsFatal;
                _clientLog.Write(error);
            }));
    }

    private async Task DropProducerAsync()
    {
        if (_producer is { } producer)
        {
            _producer = null;
            await Task.Run(producer.Dispose);
        }
    }

    private void Note(string reason)
    {
        LastError = reason;
        if (!_isFaulty)
        {
            _isFaulty = true;
            Log.RelayFails(_logger, reason);
        }
    }
}
