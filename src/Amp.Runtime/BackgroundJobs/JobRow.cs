using System.Text.Json.Nodes;
using Amp.MetadataDb;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>A job as it is stored, and what events tell of it.</summary>
internal sealed record JobRow(
    Guid Id, Guid TenantId, string Type, string? Key, short Priority, string Payload, string State, DateTimeOffset RunAt, int Attempt, int MaxAttempts, long Lease,
    Guid? WorkerId, bool CancelRequested, int Replays, string? LastError, string? Result, DateTimeOffset? StartedAt, DateTimeOffset? FinishedAt, DateTimeOffset CreatedAt,
    string? IdempotencyKey, bool IsDispatched)
{
    private static readonly string[] Names =
    [
        "id", "tenant_id", "type", "key", "priority", "payload::text", "state", "run_at", "attempt", "max_attempts", "lease", "worker_id", "cancel_requested", "replays",
        "last_error::text", "result::text", "started_at", "finished_at", "created_at", "idem_key", "dispatched_at IS NOT NULL",
    ];

    /// <summary>The columns that <see cref="Read"/> takes.</summary>
    public static string Columns { get; } = string.Join(", ", Names);

    /// <summary>The same, of a table.</summary>
    public static string ColumnsOf(string table) => string.Join(", ", Names.Select(name => $"{table}.{name}"));

    public static JobRow Read(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetGuid(1), r.GetString(2), r.TextOrNull(3), r.GetInt16(4), r.GetString(5), r.GetString(6), r.Time(7), r.GetInt32(8), r.GetInt32(9), r.GetInt64(10),
        r.IsDBNull(11) ? null : r.GetGuid(11), r.GetBoolean(12), r.GetInt32(13), r.TextOrNull(14), r.TextOrNull(15),
        r.IsDBNull(16) ? null : r.Time(16), r.IsDBNull(17) ? null : r.Time(17), r.Time(18), r.TextOrNull(19), r.GetBoolean(20));

    /// <summary>The job, to show to a user or to give to a handler.</summary>
    public AmpBackgroundJob ToJob()
    {
        var error = LastError is null ? null : JsonNode.Parse(LastError);
        return new AmpBackgroundJob
        {
            JobId = Id,
            TenantId = TenantId,
            Type = Type,
            Status = Enum.Parse<AmpBackgroundJobStatus>(State, ignoreCase: true),
            Priority = Priority,
            Key = Key,
            Attempt = Attempt,
            MaxAttempts = MaxAttempts,
            RunAt = RunAt,
            CreatedAt = CreatedAt,
            StartedAt = StartedAt,
            FinishedAt = FinishedAt,
            WorkerId = WorkerId,
            IdempotencyKey = IdempotencyKey,
            Replays = Replays,
            LastError = (string?)error?["message"],
            LastErrorKind = (string?)error?["kind"],
            PayloadJson = Payload,
            ResultJson = Result,
        };
    }

    public static JsonObject Error(JobFault fault) => With(new JsonObject { ["kind"] = fault.Kind, ["message"] = fault.Message }, ("code", fault.Code));

    public JsonObject Enqueued() => With(Of("queued"), ("payload", JsonNode.Parse(Payload)), ("maxAttempts", MaxAttempts), ("runAt", TenantLedger.Time(RunAt)),
        ("idempotencyKey", IdempotencyKey));

    public JsonObject Started() => With(
        Of("running"), ("attempt", Attempt), ("maxAttempts", MaxAttempts), ("workerId", WorkerId?.ToString()), ("startedAt", TenantLedger.Time(StartedAt!.Value)),
        ("queuedMs", Milliseconds(StartedAt.Value - RunAt)));

    public JsonObject Completed(DateTimeOffset now) => With(
        Of("completed"), ("attempt", Attempt), ("workerId", WorkerId?.ToString()), ("startedAt", TenantLedger.Time(StartedAt!.Value)), ("completedAt", TenantLedger.Time(now)),
        ("durationMs", Milliseconds(now - StartedAt.Value)), ("result", Result is null ? null : JsonNode.Parse(Result)));

    public JsonObject Failed(string status, string reason, JsonObject error, DateTimeOffset now, DateTimeOffset? nextRunAt) => With(
        Of(status), ("attempt", Attempt), ("maxAttempts", MaxAttempts), ("workerId", WorkerId?.ToString()), ("failedAt", TenantLedger.Time(now)),
        ("durationMs", Milliseconds(now - StartedAt!.Value)), ("willRetry", nextRunAt is not null), ("nextRunAt", nextRunAt is { } next ? TenantLedger.Time(next) : null),
        ("reason", reason), ("error", error.DeepClone()));

    public JsonObject Cancelled(string cancelledBy, string reason, DateTimeOffset now) => With(
        Of("cancelled"), ("previousStatus", State), ("cancelledBy", cancelledBy), ("reason", reason), ("cancelledAt", TenantLedger.Time(now)));

    public JsonObject Retried(DateTimeOffset now, bool isManual) => With(
        Of("queued"), ("attempt", Attempt), ("nextAttempt", State == "failed" ? 1 : Attempt + 1), ("maxAttempts", MaxAttempts), ("manual", isManual),
        ("previousError", LastError is null ? null : JsonNode.Parse(LastError)), ("retriedAt", TenantLedger.Time(now)));

    public JsonObject DeadLettered(string reason, JsonObject error, DateTimeOffset now) => With(
        Of("deadlettered"), ("attempts", Attempt), ("maxAttempts", MaxAttempts), ("reason", reason), ("error", error.DeepClone()), ("deadletteredAt", TenantLedger.Time(now)),
        ("payload", JsonNode.Parse(Payload)));

    public JsonObject Replayed(string replayedBy, DateTimeOffset now) => With(
        Of("queued"), ("replayedBy", replayedBy), ("replayCount", Replays + 1), ("replayedAt", TenantLedger.Time(now)), ("previousAttempts", Attempt));

    public JsonObject Purged(string purgedBy, DateTimeOffset now) => With(
        Of("purged"), ("purgedBy", purgedBy), ("purgedAt", TenantLedger.Time(now)), ("deadletteredAt", TenantLedger.Time(FinishedAt!.Value)), ("attempts", Attempt));

    private JsonObject Of(string status) => new()
    {
        ["tenantId"] = TenantId.ToString(), ["jobId"] = Id.ToString(), ["type"] = Type, ["priority"] = Priority, ["status"] = status,
    };

    private static long Milliseconds(TimeSpan time) => Math.Max(0, (long)time.TotalMilliseconds);

    // What there is nothing to tell of is left out.
    private static JsonObject With(JsonObject data, params ReadOnlySpan<(string Name, JsonNode? Value)> members)
    {
        foreach (var (name, value) in members)
        {
            if (value is not null)
            {
                data[name] = value;
            }
        }

        return data;
    }
}
