using System.Globalization;
using Google.Protobuf;

namespace Amp.Events;

/// <summary>Between our events and the messages of <c>proto/worker_events.proto</c>.</summary>
internal static class SyncEventWire
{
    public const string Started = "sync.started";
    public const string Progress = "sync.progress";
    public const string Completed = "sync.completed";
    public const string Failed = "sync.failed";

    // Far below what a broker takes (1 MB): an error with a page of a node's answer must not cost the event.
    private const int MaxErrorLength = 8192;

    /// <summary>The event's type as consumers see it.</summary>
    public static string TypeOf(SyncEvent syncEvent) => syncEvent switch
    {
        SyncStarted => Started,
        SyncProgress => Progress,
        SyncCompleted => Completed,
        SyncFailed => Failed,
        _ => throw new InvalidOperationException($"{syncEvent.GetType().Name} has no message"),
    };

    /// <summary>The event as the message's value.</summary>
    public static byte[] Encode(SyncEvent syncEvent, Guid eventId, DateTimeOffset timestamp, string workerId)
    {
        var envelope = new Wire.WorkerEvent
        {
            EventId = eventId.ToString(),
            EventType = TypeOf(syncEvent),
            EventVersion = "1.0",
            Timestamp = timestamp.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture),
            Source = new Wire.EventSource { WorkerId = workerId },
        };
        var dataset = new Wire.DatasetInfo
        {
            Namespace = syncEvent.Table.Namespace,
            Name = syncEvent.Table.Name,
            ManifestHash = syncEvent.Table.ManifestHash,
        };
        switch (syncEvent)
        {
            case SyncStarted e:
                envelope.SyncStarted = new Wire.SyncStarted { JobId = e.JobId, Dataset = dataset, TableName = e.Table.Table };
                if (e.StartBlock is { } start)
                {
                    envelope.SyncStarted.StartBlock = start;
                }

                if (e.EndBlock is { } end)
                {
                    envelope.SyncStarted.EndBlock = end;
                }

                break;
            case SyncProgress e:
                envelope.SyncProgress = new Wire.SyncProgress
                {
                    JobId = e.JobId,
                    Dataset = dataset,
                    TableName = e.Table.Table,
                    Progress = new Wire.ProgressInfo
                    {
                        StartBlock = e.StartBlock,
                        CurrentBlock = e.CurrentBlock,
                        FilesCount = e.FilesCount,
                        TotalSizeBytes = e.TotalSizeBytes,
                    },
                };
                if (e.EndBlock is { } last)
                {
                    envelope.SyncProgress.Progress.EndBlock = last;
                }

                break;
            case SyncCompleted e:
                envelope.SyncCompleted = new Wire.SyncCompleted
                {
                    JobId = e.JobId,
                    Dataset = dataset,
                    TableName = e.Table.Table,
                    FinalBlock = e.FinalBlock,
                    DurationMillis = (ulong)Math.Max(0, e.Duration.TotalMilliseconds),
                };
                break;
            case SyncFailed e:
                envelope.SyncFailed = new Wire.SyncFailed
                {
                    JobId = e.JobId,
                    Dataset = dataset,
                    TableName = e.Table.Table,
                    ErrorMessage = Shorten(e.ErrorMessage),
                };
                if (e.ErrorType is { } type)
                {
                    envelope.SyncFailed.ErrorType = type;
                }

                break;
        }

        return envelope.ToByteArray();
    }

    /// <summary>The message's value as an event.</summary>
    /// <exception cref="AmpException"><c>SyncEventMalformed</c>: not a worker event, or one without its payload or table.</exception>
    public static AmpSyncEvent Decode(ReadOnlySpan<byte> value, string topic, int partition, long offset)
    {
        Wire.WorkerEvent envelope;
        try
        {
            envelope = Wire.WorkerEvent.Parser.ParseFrom(value);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw Malformed("it is not a worker event in protobuf", topic, partition, offset, e);
        }

        var (jobId, dataset, table) = envelope.PayloadCase switch
        {
            Wire.WorkerEvent.PayloadOneofCase.SyncStarted =>
                (envelope.SyncStarted.JobId, envelope.SyncStarted.Dataset, envelope.SyncStarted.TableName),
            Wire.WorkerEvent.PayloadOneofCase.SyncProgress =>
                (envelope.SyncProgress.JobId, envelope.SyncProgress.Dataset, envelope.SyncProgress.TableName),
            Wire.WorkerEvent.PayloadOneofCase.SyncCompleted =>
                (envelope.SyncCompleted.JobId, envelope.SyncCompleted.Dataset, envelope.SyncCompleted.TableName),
            Wire.WorkerEvent.PayloadOneofCase.SyncFailed =>
                (envelope.SyncFailed.JobId, envelope.SyncFailed.Dataset, envelope.SyncFailed.TableName),
            _ => throw Malformed("it carries no payload that is known here", topic, partition, offset),
        };
        if (dataset is null || table.Length == 0 || envelope.EventId.Length == 0)
        {
            throw Malformed("its event id, dataset or table is missing", topic, partition, offset);
        }

        if (!DateTimeOffset.TryParse(
            envelope.Timestamp, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var timestamp))
        {
            throw Malformed($"its timestamp '{envelope.Timestamp}' is not a time", topic, partition, offset);
        }

        var decoded = new AmpSyncEvent
        {
            EventId = envelope.EventId,
            EventType = envelope.EventType,
            EventVersion = envelope.EventVersion,
            Timestamp = timestamp,
            WorkerId = envelope.Source?.WorkerId ?? "",
            JobId = jobId,
            Dataset = $"{dataset.Namespace}/{dataset.Name}",
            ManifestHash = dataset.ManifestHash,
            Table = table,
            Partition = partition,
            Offset = offset,
        };
        return envelope.PayloadCase switch
        {
            Wire.WorkerEvent.PayloadOneofCase.SyncStarted => decoded with
            {
                StartBlock = envelope.SyncStarted.HasStartBlock ? envelope.SyncStarted.StartBlock : null,
                EndBlock = envelope.SyncStarted.HasEndBlock ? envelope.SyncStarted.EndBlock : null,
            },
            Wire.WorkerEvent.PayloadOneofCase.SyncProgress when envelope.SyncProgress.Progress is { } progress => decoded with
            {
                StartBlock = progress.StartBlock,
                CurrentBlock = progress.CurrentBlock,
                EndBlock = progress.HasEndBlock ? progress.EndBlock : null,
                FilesCount = progress.FilesCount,
                TotalSizeBytes = progress.TotalSizeBytes,
            },
            Wire.WorkerEvent.PayloadOneofCase.SyncCompleted => decoded with
            {
                CurrentBlock = envelope.SyncCompleted.FinalBlock,
                Duration = TimeSpan.FromMilliseconds(Math.Min(
                    envelope.SyncCompleted.DurationMillis, (ulong)TimeSpan.MaxValue.TotalMilliseconds - 1)),
            },
            Wire.WorkerEvent.PayloadOneofCase.SyncFailed => decoded with
            {
                ErrorMessage = envelope.SyncFailed.ErrorMessage,
                ErrorType = envelope.SyncFailed.HasErrorType ? envelope.SyncFailed.ErrorType : null,
            },
            _ => throw Malformed("its progress is missing", topic, partition, offset),
        };
    }

    private static string Shorten(string message)
    {
        if (message.Length <= MaxErrorLength)
        {
            return message;
        }

        // A cut between the halves of a surrogate pair would not be text any more.
        var length = char.IsHighSurrogate(message[MaxErrorLength - 1]) ? MaxErrorLength - 1 : MaxErrorLength;
        return string.Concat(message.AsSpan(0, length), "…");
    }

    private static AmpException Malformed(string why, string topic, int partition, long offset, Exception? cause = null) =>
        new("SyncEventMalformed", AmpErrorKind.InvalidData,
            $"The message at offset {offset} of partition {partition} of topic '{topic}' is not a sync event: {why}.", cause)
        {
            RecommendedAction = "Find out who else writes to the topic; the message was skipped.",
            Target = $"{topic}[{partition}]@{offset}",
        };
}
