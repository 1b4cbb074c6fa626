namespace Amp;

/// <summary>A worker of background jobs, as the queue knows it.</summary>
public sealed record AmpBackgroundWorker
{
    /// <summary>The worker; new at each start.</summary>
    public required Guid WorkerId { get; init; }

    /// <summary>The machine it runs on.</summary>
    public required string Host { get; init; }

    /// <summary>Its process there.</summary>
    public required int ProcessId { get; init; }

    /// <summary>How many jobs it runs at once.</summary>
    public required int PoolSize { get; init; }

    /// <summary>Types that it has handlers for; wildcards are possible.</summary>
    public required IReadOnlyList<string> Types { get; init; }

    /// <summary>When it started (UTC).</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When it last said that it is alive (UTC).</summary>
    public required DateTimeOffset HeartbeatAt { get; init; }

    /// <summary>How old that was when this object was read, by the database's clock. After 15 seconds its jobs are taken from it.</summary>
    public required TimeSpan HeartbeatAge { get; init; }

    /// <summary>Whether the heartbeat is younger than 15 seconds.</summary>
    public bool IsActive => HeartbeatAge < TimeSpan.FromSeconds(15);

    /// <summary>Jobs that handlers had at the last heartbeat.</summary>
    public long Running { get; init; }

    /// <summary>Jobs it has completed.</summary>
    public long Completed { get; init; }

    /// <summary>Attempts of its that failed.</summary>
    public long Failed { get; init; }

    /// <summary>Attempts that did not count, since the job was another's meanwhile.</summary>
    public long Stale { get; init; }

    /// <summary>Attempts that ended in a second, lately.</summary>
    public double JobsPerSecond { get; init; }

    /// <summary>Messages that wait for it in Kafka; null without Kafka.</summary>
    public long? Lag { get; init; }

    /// <summary>Partitions of the work topic that it reads; null without Kafka.</summary>
    public int? Partitions { get; init; }

    /// <summary>How many attempts of a type failed.</summary>
    public IReadOnlyDictionary<string, long> ErrorsByType { get; init; } = new Dictionary<string, long>();

    /// <summary>What was wrong with database or brokers at the last heartbeat; null for nothing.</summary>
    public string? LastError { get; init; }

    /// <summary>Returns the worker's number.</summary>
    public override string ToString() => WorkerId.ToString();
}
