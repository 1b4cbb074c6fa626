namespace Amp;

/// <summary>What a tenant may do, and how much of it is used.</summary>
public sealed record AmpQuota
{
    /// <summary>The tenant.</summary>
    public required Guid TenantId { get; init; }

    /// <summary>Name of its tier.</summary>
    public required string Tier { get; init; }

    /// <summary><c>active</c>, <c>suspended</c> (nothing of it begins) or <c>closed</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Jobs it may submit in a day (UTC).</summary>
    public required int DailyLimit { get; init; }

    /// <summary>Jobs it has submitted today.</summary>
    public required int UsedToday { get; init; }

    /// <summary>Jobs that may wait.</summary>
    public required int QueuedLimit { get; init; }

    /// <summary>Jobs that wait now.</summary>
    public required int Queued { get; init; }

    /// <summary>Jobs that may run at once.</summary>
    public required int RunningLimit { get; init; }

    /// <summary>Jobs that run now.</summary>
    public required int Running { get; init; }

    /// <summary>Bytes that a payload may have.</summary>
    public required int PayloadLimit { get; init; }

    /// <summary>When the daily count begins anew (UTC).</summary>
    public required DateTimeOffset ResetsAt { get; init; }

    /// <summary>Share of the daily limit that is used, in percent; 0 when the limit is 0.</summary>
    public double UsedPercent => DailyLimit == 0 ? 0 : 100.0 * UsedToday / DailyLimit;

    /// <summary>Returns the tenant.</summary>
    public override string ToString() => TenantId.ToString();
}
