using System.Collections.Specialized;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Amp;

/// <summary>A sync event as a worker published it to Kafka.</summary>
public sealed record AmpSyncEvent
{
    private static readonly JsonSerializerOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>UUID v7; the same event delivered twice has the same id.</summary>
    public required string EventId { get; init; }

    /// <summary><c>sync.started</c>, <c>sync.progress</c>, <c>sync.completed</c> or <c>sync.failed</c>.</summary>
    public required string EventType { get; init; }

    /// <summary>Version of the schema, <c>1.0</c>.</summary>
    public required string EventVersion { get; init; }

    /// <summary>When it happened (UTC).</summary>
    public required DateTimeOffset Timestamp { get; init; }

    /// <summary>Node id of the worker.</summary>
    public required string WorkerId { get; init; }

    /// <summary>The job.</summary>
    public required long JobId { get; init; }

    /// <summary>Dataset as <c>namespace/name</c>.</summary>
    public required string Dataset { get; init; }

    /// <summary>Manifest hash.</summary>
    public required string ManifestHash { get; init; }

    /// <summary>The table.</summary>
    public required string Table { get; init; }

    /// <summary>First block: of the run (started) or of the table (progress).</summary>
    public ulong? StartBlock { get; init; }

    /// <summary>Last block of the contiguous canonical range (progress), or the final block (completed).</summary>
    public ulong? CurrentBlock { get; init; }

    /// <summary>Last block to extract; null for a continuous job.</summary>
    public ulong? EndBlock { get; init; }

    /// <summary>Number of canonical files (progress).</summary>
    public ulong? FilesCount { get; init; }

    /// <summary>Their size in bytes (progress).</summary>
    public ulong? TotalSizeBytes { get; init; }

    /// <summary>How long the job took (completed).</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>What went wrong (failed).</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>Stable code of what went wrong (failed).</summary>
    public string? ErrorType { get; init; }

    /// <summary>Kafka partition it was read from.</summary>
    public int Partition { get; init; }

    /// <summary>Kafka offset it was read from.</summary>
    public long Offset { get; init; }

    /// <summary>
    /// The event as it is documented: an envelope with <c>event_id</c>, <c>event_type</c>, <c>event_version</c>, <c>timestamp</c>,
    /// <c>source</c> and <c>payload</c>, its members in this order; for <c>ConvertTo-Json -Depth 5</c>.
    /// </summary>
    public OrderedDictionary ToEnvelope() => new()
    {
        ["event_id"] = EventId,
        ["event_type"] = EventType,
        ["event_version"] = EventVersion,
        ["timestamp"] = Timestamp.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture),
        ["source"] = new OrderedDictionary { ["worker_id"] = WorkerId },
        ["payload"] = Payload(),
    };

    /// <summary>The documented JSON of the event, on one line.</summary>
    public string ToJson() => JsonSerializer.Serialize(ToEnvelope(), JsonOptions);

    /// <summary>Returns type, dataset and table.</summary>
    public override string ToString() => $"{EventType} {Dataset}/{Table}";

    private OrderedDictionary Payload()
    {
        var slash = Dataset.IndexOf('/');
        var payload = new OrderedDictionary
        {
            ["job_id"] = JobId,
            ["dataset"] = new OrderedDictionary
            {
                ["namespace"] = Dataset[..Math.Max(0, slash)],
                ["name"] = Dataset[(slash + 1)..],
                ["manifest_hash"] = ManifestHash,
            },
            ["table_name"] = Table,
        };
        switch (EventType)
        {
            case "sync.started":
                Add(payload, "start_block", StartBlock);
                Add(payload, "end_block", EndBlock);
                break;
            case "sync.progress":
                var progress = new OrderedDictionary { ["start_block"] = StartBlock, ["current_block"] = CurrentBlock };
                Add(progress, "end_block", EndBlock);
                progress["files_count"] = FilesCount;
                progress["total_size_bytes"] = TotalSizeBytes;
                payload["progress"] = progress;
                break;
            case "sync.completed":
                payload["final_block"] = CurrentBlock;
                payload["duration_millis"] = (long)(Duration?.TotalMilliseconds ?? 0);
                break;
            case "sync.failed":
                payload["error_message"] = ErrorMessage;
                Add(payload, "error_type", ErrorType);
                break;
        }

        return payload;
    }

    // What is optional in the protocol is left out where it is not set.
    private static void Add(OrderedDictionary members, string name, object? value)
    {
        if (value is not null)
        {
            members[name] = value;
        }
    }
}
