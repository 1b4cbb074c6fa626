using System.Collections.Specialized;

namespace Amp;

/// <summary>An event of a background job or a quota, as it was published to Kafka: a CloudEvent 1.0.</summary>
public sealed record AmpBackgroundJobEvent
{
    private OrderedDictionary? _data;

    /// <summary>Its id; the same event delivered twice has the same id.</summary>
    public required string EventId { get; init; }

    /// <summary>Its type, which is its topic as well, such as <c>eventzr.jobs.completed.v1</c>.</summary>
    public required string EventType { get; init; }

    /// <summary>When it happened (UTC).</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>Whose it is.</summary>
    public required Guid TenantId { get; init; }

    /// <summary>Its number among the tenant's events, from 1 without gap; 0 when the sender does not number them.</summary>
    public long Sequence { get; init; }

    /// <summary>The job; null for events of quotas.</summary>
    public Guid? JobId { get; init; }

    /// <summary>What the job is to do; null for events of quotas.</summary>
    public string? Type { get; init; }

    /// <summary>The job's state after it; null for events of quotas.</summary>
    public string? Status { get; init; }

    /// <summary>All that it tells, as JSON.</summary>
    public required string DataJson { get; init; }

    /// <summary>Kafka partition it was read from.</summary>
    public int Partition { get; init; }

    /// <summary>Kafka offset it was read from.</summary>
    public long Offset { get; init; }

    /// <summary>All that it tells: <c>$event.Data.attempt</c>.</summary>
    public OrderedDictionary Data => _data ??= JsonValues.ParseObject(DataJson);

    /// <summary>The type without what all have in common, such as <c>completed</c> or <c>dlq.replayed</c>.</summary>
    public string Name => EventType.StartsWith("eventzr.jobs.", StringComparison.Ordinal) && EventType.EndsWith(".v1", StringComparison.Ordinal)
        ? EventType["eventzr.jobs.".Length..^".v1".Length]
        : EventType;

    /// <summary>Returns type and job.</summary>
    public override string ToString() => $"{Name} {JobId}";
}
