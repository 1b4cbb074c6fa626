using System.Collections.Specialized;

namespace Amp;

/// <summary>A background job that is not tried any more, until somebody replays or purges it.</summary>
public sealed record AmpDeadLetter
{
    private OrderedDictionary? _payload;

    /// <summary>The job.</summary>
    public required Guid JobId { get; init; }

    /// <summary>Whose it is.</summary>
    public required Guid TenantId { get; init; }

    /// <summary>What it was to do.</summary>
    public required string Type { get; init; }

    /// <summary><c>error</c>, <c>timeout</c>, <c>lease_expired</c> (its attempts are used up), <c>non_retryable</c> or <c>refused</c> (its tenant may not have it).</summary>
    public required string Reason { get; init; }

    /// <summary>What went wrong the last time.</summary>
    public required string Error { get; init; }

    /// <summary>What kind of error that was.</summary>
    public required string ErrorKind { get; init; }

    /// <summary>How often it was tried.</summary>
    public required int Attempts { get; init; }

    /// <summary>How often it was replayed before.</summary>
    public required int Replays { get; init; }

    /// <summary>When it was given up (UTC).</summary>
    public required DateTimeOffset DeadAt { get; init; }

    /// <summary>When it is deleted by itself (UTC).</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Its payload, a JSON object.</summary>
    public required string PayloadJson { get; init; }

    /// <summary>The members of its payload.</summary>
    public OrderedDictionary Payload => _payload ??= JsonValues.ParseObject(PayloadJson);

    /// <summary>Returns the number of the job.</summary>
    public override string ToString() => JobId.ToString();
}
