using System.Diagnostics;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Amp.Events;

/// <summary>A message that was read, and where it is.</summary>
internal readonly record struct SyncEventRead(SyncEventReadResult Result, int Partition, long Offset);

/// <summary>Reads one topic from a start to its end, or on and on. Everything runs on the caller's thread and blocks it, but for <see cref="Store"/>.</summary>
internal sealed class SyncEventPump : IDisposable
{
    // How long a cancellation may go unnoticed.
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(100);

    private readonly KafkaEventOptions _kafka;
    private readonly SyncEventReadOptions _options;
    private readonly SyncEventFilter _filter;
    private readonly KafkaClientLog _log;
    private readonly IConsumer<Ignore, byte[]> _consumer;

    // Partitions not read to their end yet, and that end; empty when following.
    private readonly Dictionary<int, long> _ends = [];

    // The next offset to read in each partition.
    private readonly Dictionary<int, long> _positions = [];

    // Partitions that claim to have nothing as late as asked for, and where they begin; see ResolveStarts.
    private readonly Dictionary<int, long> _doubtful = [];

    // Set by the client's threads when it lost every broker, cleared by anything read.
    private volatile bool _lostBrokers;

    public SyncEventPump(KafkaEventOptions kafka, SyncEventReadOptions options, ILogger logger)
    {
        _kafka = kafka;
        _options = options;
        _filter = new SyncEventFilter(options);
        _log = new KafkaClientLog(TimeProvider.System, logger);
        var settings = KafkaClients.CommonSettings(kafka);
        // Confluent.Kafka wants a group's name also where no group is joined and no offset committed.
        settings["group.id"] = options.Group ?? "amp-reader";
        settings["enable.auto.commit"] = options.Group is null ? "false" : "true";
        settings["auto.commit.interval.ms"] = "1000";
        settings["enable.auto.offset.store"] = "false";
        settings["auto.offset.reset"] = "earliest";
        settings["enable.partition.eof"] = "true";
        // A caller may take its time between two events.
        settings["max.poll.interval.ms"] = "86400000";
        settings["fetch.wait.max.ms"] = "100";
        settings["fetch.error.backoff.ms"] = "100";
        _consumer = KafkaClients.BuildConsumer(kafka, settings, builder => builder
            .SetLogHandler((_, message) => _log.Write(message))
            .SetErrorHandler((_, error) => Note(error)));
    }

    /// <summary>Reads until the end or the cancellation, whichever is first.</summary>
    public void Run(Action<SyncEventRead> write, CancellationToken cancellationToken)
    {
        var starts = ResolveStarts(FindPartitions(cancellationToken), cancellationToken);
        if (_options.Group is not null)
        {
            // A bookmark in each partition, also where nothing is read now: what comes there later is not missed.
            Commit();
        }

        if (starts.Count == 0)
        {
            return;
        }

        _consumer.Assign(starts);
        var lastHeard = Stopwatch.GetTimestamp();
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var read = Consume(Slice);
            if (read is not null || !_lostBrokers)
            {
                lastHeard = Stopwatch.GetTimestamp();
                _lostBrokers = false;
            }
            else if (!_options.Follow && Stopwatch.GetElapsedTime(lastHeard) > _options.ConnectTimeout)
            {
                // Who follows waits for the broker to come back; who reads to the end wants to know.
                throw Unreachable();
            }

            if (read is not null && Settle(read, write))
            {
                return;
            }
        }
    }

    /// <summary>Lets an offset be committed, and all before it. From any thread.</summary>
    public void Store(int partition, long offset)
    {
        if (_options.Group is null)
        {
            return;
        }

        try
        {
            _consumer.StoreOffset(new TopicPartitionOffset(_kafka.Topic, partition, offset + 1));
        }
        catch (ObjectDisposedException)
        {
            // Reading failed meanwhile, which the caller is told next; what it took last comes again.
        }
    }

    /// <summary>Commits all that was read.</summary>
    public void Commit()
    {
        // Closing commits what is stored, which must not be less.
        foreach (var partition in _consumer.Assignment)
        {
            Store(partition.Partition.Value, _positions[partition.Partition.Value] - 1);
        }

        try
        {
            _consumer.Commit(_positions.Select(position => new TopicPartitionOffset(_kafka.Topic, position.Key, position.Value)));
        }
        catch (KafkaException e)
        {
            throw new AmpException(
                "SyncEventGroupNotCommitted", e.Error.Code is ErrorCode.GroupAuthorizationFailed ? AmpErrorKind.Denied : AmpErrorKind.Unavailable,
                $"The offsets of group '{_options.Group}' could not be committed, so what is read now would be read again: {e.Error.Reason} ({e.Error.Code}).", e)
            {
                RecommendedAction = "Give a group of its own, which no consumer has joined and the user may write.",
                Target = _options.Group,
            };
        }
    }

    public void Dispose() => KafkaClients.Leave(_consumer);

    /// <summary>Passes on what was read. Returns whether it was the last of the topic.</summary>
    private bool Settle(ConsumeResult<Ignore, byte[]> read, Action<SyncEventRead> write)
    {
        var partition = read.Partition.Value;
        if (read.IsPartitionEOF)
        {
            return ReachedEnd(partition);
        }

        if (_doubtful.Remove(partition, out var beginning) && read.Message.Timestamp.UtcDateTime >= _options.Since!.Value.UtcDateTime)
        {
            _consumer.Seek(new TopicPartitionOffset(read.TopicPartition, beginning));
            return false;
        }

        if (Understand(read) is { } result)
        {
            write(new SyncEventRead(result, partition, read.Offset.Value));
        }

        _positions[partition] = read.Offset.Value + 1;
        return _ends.TryGetValue(partition, out var end) && read.Offset.Value + 1 >= end && ReachedEnd(partition);
    }

    private bool ReachedEnd(int partition) => !_options.Follow && _ends.Remove(partition) && _ends.Count == 0;

    private SyncEventReadResult? Understand(ConsumeResult<Ignore, byte[]> read)
    {
        try
        {
            var decoded = SyncEventWire.Decode(read.Message.Value, read.Topic, read.Partition.Value, read.Offset.Value);
            return _filter.Passes(decoded) ? new SyncEventReadResult(decoded, null) : null;
        }
        catch (AmpException e)
        {
            return new SyncEventReadResult(null, e);
        }
    }

    private ConsumeResult<Ignore, byte[]>? Consume(TimeSpan timeout)
    {
        try
        {
            return _consumer.Consume(timeout);
        }
        catch (ConsumeException e) when (KafkaClients.IsUnknownTopic(e.Error.Code))
        {
            throw TopicNotFound();
        }
        catch (ConsumeException e) when (e.Error.IsFatal || e.Error.Code is ErrorCode.TopicAuthorizationFailed)
        {
            throw Failed(e.Error, e);
        }
        catch (ConsumeException e)
        {
            // librdkafka repeats the fetch by itself.
            Note(e.Error);
            return null;
        }
    }

    private List<TopicPartition> FindPartitions(CancellationToken cancellationToken)
    {
        using var admin = new DependentAdminClientBuilder(_consumer.Handle).Build();
        var topic = Ask(timeout => admin.GetMetadata(_kafka.Topic, timeout), cancellationToken).Topics.Single();
        if (KafkaClients.IsUnknownTopic(topic.Error.Code))
        {
            throw TopicNotFound();
        }

        return topic.Error.IsError
            ? throw Failed(topic.Error, new KafkaException(topic.Error))
            : topic.Partitions.Select(p => new TopicPartition(_kafka.Topic, p.PartitionId)).ToList();
    }

    /// <summary>Finds where each partition is read from; leaves out those with nothing to read.</summary>
    private List<TopicPartitionOffset> ResolveStarts(List<TopicPartition> partitions, CancellationToken cancellationToken)
    {
        var byTime = _options.Since is { } since
            ? Ask(
                timeout => _consumer.OffsetsForTimes(
                    partitions.Select(p => new TopicPartitionTimestamp(p, new Timestamp(since))), timeout),
                cancellationToken).ToDictionary(o => o.Partition.Value, o => o.Offset)
            : [];
        var bookmarks = _options.Group is null ? [] : Ask(timeout => _consumer.Committed(partitions, timeout), cancellationToken)
            .Where(bookmark => bookmark.Offset >= 0).ToDictionary(bookmark => bookmark.Partition.Value, bookmark => bookmark.Offset.Value);

        var starts = new List<TopicPartitionOffset>();
        foreach (var partition in partitions)
        {
            var bounds = Ask(timeout => _consumer.QueryWatermarkOffsets(partition, timeout), cancellationToken);
            var (low, high) = (bounds.Low.Value, bounds.High.Value);
            var start = _options.From == SyncEventReadStart.Beginning ? low : high;
            if (byTime.TryGetValue(partition.Partition.Value, out var offset))
            {
                start = offset.Value;
                if (offset.Value < 0)
                {
                    // Nothing as late as that, says the broker; one that cannot look up by time (DevBroker) says so too.
                    // The last message tells which.
                    start = high;
                    if (high > low)
                    {
                        start = high - 1;
                        _doubtful[partition.Partition.Value] = low;
                    }
                }
            }

            if (bookmarks.TryGetValue(partition.Partition.Value, out var bookmark))
            {
                _doubtful.Remove(partition.Partition.Value);
                start = Math.Max(low, bookmark);
            }

            _positions[partition.Partition.Value] = start;
            if (_options.Follow || start < high)
            {
                starts.Add(new TopicPartitionOffset(partition, start));
            }

            if (!_options.Follow && start < high)
            {
                _ends[partition.Partition.Value] = high;
            }
        }

        return starts;
    }

    /// <summary>Asks the broker, in slices so that a cancellation is noticed, until it answers or the time is up.</summary>
    private T Ask<T>(Func<TimeSpan, T> question, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        var slice = Slice;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                return question(slice);
            }
            catch (KafkaException e) when (KafkaClients.IsUnreachable(e.Error.Code))
            {
                // Errors of connections are handed over only while consuming; they tell why nobody answered.
                Consume(TimeSpan.Zero);
            }
            catch (KafkaException e) when (KafkaClients.IsUnknownTopic(e.Error.Code))
            {
                throw TopicNotFound();
            }
            catch (KafkaException e) when (e.Error.Code is not (ErrorCode.LeaderNotAvailable or ErrorCode.NotLeaderForPartition))
            {
                throw Failed(e.Error, e);
            }
            catch (KafkaException e)
            {
                // A leader moves; asking again finds the new one.
                Note(e.Error);
                cancellationToken.WaitHandle.WaitOne(Slice);
            }

            if (Stopwatch.GetElapsedTime(began) > _options.ConnectTimeout)
            {
                throw Unreachable();
            }

            // A distant broker needs longer than the first slice.
            slice = slice < TimeSpan.FromSeconds(2) && Stopwatch.GetElapsedTime(began) > TimeSpan.FromSeconds(1) ? slice * 2 : slice;
        }
    }

    private void Note(Error error)
    {
        _lostBrokers |= error.Code == ErrorCode.Local_AllBrokersDown;
        _log.Write(error);
    }

    private AmpException Unreachable() => _log.LastDenial is { } denial
        ? new AmpException(
            "BrokerAccessDenied", AmpErrorKind.Denied,
            $"The Kafka broker at {string.Join(',', _kafka.Brokers)} refused the connection: {denial.Reason}.",
            new KafkaException(denial))
        {
            RecommendedAction = "Check SASL mechanism, user name, password and TLS settings of worker_events.kafka.",
            Target = string.Join(',', _kafka.Brokers),
        }
        : new AmpException(
            "BrokerUnavailable", AmpErrorKind.Unavailable,
            $"No Kafka broker at {string.Join(',', _kafka.Brokers)} answered within "
            + $"{_options.ConnectTimeout.TotalSeconds:0.#} s: {_log.LastError?.Reason ?? "no connection"}.",
            new KafkaException(_log.LastError ?? new Error(ErrorCode.Local_TimedOut)))
        {
            RecommendedAction = "Check that a broker runs at that address; Start-AmpDevBroker starts one on this machine.",
            Target = string.Join(',', _kafka.Brokers),
            IsTransient = true,
        };

    private AmpException TopicNotFound() =>
        new("TopicNotFound", AmpErrorKind.NotFound, $"The Kafka broker at {string.Join(',', _kafka.Brokers)} has no topic '{_kafka.Topic}'.")
        {
            RecommendedAction = $"Create it: kafka-topics --create --bootstrap-server {_kafka.Brokers[0]} --topic {_kafka.Topic} "
                + $"--partitions {_kafka.Partitions} --replication-factor 3",
            Target = _kafka.Topic,
        };

    private AmpException Failed(Error error, Exception cause) =>
        new("SyncEventReadFailed", error.Code is ErrorCode.TopicAuthorizationFailed ? AmpErrorKind.Denied : AmpErrorKind.Unavailable,
            $"Reading topic '{_kafka.Topic}' from {string.Join(',', _kafka.Brokers)} failed: {error.Reason} ({error.Code}).", cause)
        {
            RecommendedAction = "Check that the user may read the topic, and the broker's log.",
            Target = _kafka.Topic,
        };
}
