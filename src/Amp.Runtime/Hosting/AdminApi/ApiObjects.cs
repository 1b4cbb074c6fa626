using System.Text.Json;
using Amp.MetadataDb;

namespace Amp.Hosting.AdminApi;

/// <summary>
/// How workers, jobs and errors travel: each as it is written, and beside it how it is read. What ampd's own Admin API does not tell may
/// be missing. Datasets, tables and providers travel as their records are.
/// </summary>
internal static class ApiObjects
{
    // The list has all fields too: those who count workers by version or age need not ask for each of them.
    public static object From(AmpWorker worker) => new
    {
        node_id = worker.NodeId,
        created_at = worker.CreatedAt,
        registered_at = worker.RegisteredAt,
        heartbeat_at = worker.HeartbeatAt,
        heartbeat_age = worker.HeartbeatAge,
        active_jobs = worker.ActiveJobs,
        info = new { worker.Version, worker.CommitSha, worker.CommitTimestamp, worker.BuildDate },
    };

    public static AmpWorker Worker(JsonElement json)
    {
        var heartbeat = json.GetProperty("heartbeat_at").GetDateTimeOffset();
        var info = json.Optional<AmpBuildInfo>("info");
        return new AmpWorker
        {
            NodeId = json.GetProperty("node_id").GetString()!,
            CreatedAt = json.Optional<DateTimeOffset?>("created_at") ?? heartbeat,
            RegisteredAt = json.Optional<DateTimeOffset?>("registered_at") ?? heartbeat,
            HeartbeatAt = heartbeat,
            HeartbeatAge = json.Optional<TimeSpan?>("heartbeat_age") ?? DateTimeOffset.UtcNow - heartbeat,
            ActiveJobs = json.Optional<int>("active_jobs"),
            Version = info?.Version,
            CommitSha = info?.CommitSha,
            CommitTimestamp = info?.CommitTimestamp,
            BuildDate = info?.BuildDate,
        };
    }

    public static object From(AmpJob job) => new
    {
        id = job.JobId,
        created_at = job.CreatedAt,
        updated_at = job.UpdatedAt,
        node_id = job.NodeId,
        status = job.Status.ToText(),
        descriptor = job.Descriptor is { } descriptor ? JsonSerializer.Deserialize<JsonElement>(JobDescriptorJson.Write(descriptor)) : (JsonElement?)null,
        attempts = job.Attempts,
        error_code = job.ErrorCode,
        error_message = job.ErrorMessage,
    };

    public static AmpJob Job(JsonElement json)
    {
        JobDescriptorJson.TryRead(json.GetProperty("descriptor").GetRawText(), out var descriptor, out _);
        return new AmpJob
        {
            JobId = json.GetProperty("id").GetInt64(),
            CreatedAt = json.GetProperty("created_at").GetDateTimeOffset(),
            UpdatedAt = json.GetProperty("updated_at").GetDateTimeOffset(),
            NodeId = json.GetProperty("node_id").GetString()!,
            Status = JobStatusText.Parse(json.GetProperty("status").GetString()!),
            Descriptor = descriptor,
            Attempts = json.Optional<int>("attempts"),
            ErrorCode = json.Optional<string>("error_code"),
            ErrorMessage = json.Optional<string>("error_message"),
        };
    }

    public static object From(AmpJobProgress progress) => new
    {
        job_id = progress.JobId,
        job_status = progress.Status.ToText(),
        dataset = progress.Dataset,
        end_block = progress.EndBlock,
        error_message = progress.ErrorMessage,
        tables = progress.Tables.ToDictionary(
            table => table.Table,
            table => new { table.CurrentBlock, table.StartBlock, table.EndBlock, table.PercentComplete, table.BlocksCount, table.FilesCount, table.TotalSizeBytes }),
    };

    public static AmpJobProgress Progress(JsonElement json)
    {
        var (jobId, status) = (json.GetProperty("job_id").GetInt64(), JobStatusText.Parse(json.GetProperty("job_status").GetString()!));
        return new AmpJobProgress
        {
            JobId = jobId,
            Status = status,
            Dataset = json.Optional<string>("dataset") ?? "",
            EndBlock = json.Optional<ulong?>("end_block"),
            ErrorMessage = json.Optional<string>("error_message"),
            Tables = [.. json.GetProperty("tables").EnumerateObject().Select(table => new AmpTableProgress
            {
                JobId = jobId,
                Status = status,
                Table = table.Name,
                CurrentBlock = table.Value.Optional<ulong?>("current_block"),
                StartBlock = table.Value.Optional<ulong?>("start_block"),
                EndBlock = table.Value.Optional<ulong?>("end_block"),
                PercentComplete = table.Value.Optional<double?>("percent_complete"),
                BlocksCount = table.Value.Optional<ulong>("blocks_count"),
                FilesCount = table.Value.GetProperty("files_count").GetInt64(),
                TotalSizeBytes = table.Value.GetProperty("total_size_bytes").GetInt64(),
            })],
        };
    }

    public static object From(AmpJobEvent transition) => new
    {
        id = transition.EventId,
        created_at = transition.CreatedAt,
        node_id = transition.NodeId,
        event_type = transition.Status.ToText(),
        detail = transition.Detail is { } detail ? JsonSerializer.Deserialize<JsonElement>(detail) : (JsonElement?)null,
    };

    public static AmpJobEvent Event(long jobId, JsonElement json) => new()
    {
        EventId = json.GetProperty("id").GetInt64(),
        JobId = jobId,
        CreatedAt = json.GetProperty("created_at").GetDateTimeOffset(),
        NodeId = json.GetProperty("node_id").GetString()!,
        Status = JobStatusText.Parse(json.GetProperty("event_type").GetString()!),
        Detail = json.GetProperty("detail") is { ValueKind: not JsonValueKind.Null } detail ? detail.GetRawText() : null,
    };

    public static object From(AmpException error) => new
    {
        error_code = error.ApiErrorCode,
        error_message = error.Message,
        error_kind = JsonNamingPolicy.SnakeCaseLower.ConvertName(error.Kind.ToString()),
        target = error.Target is long or int ? error.Target : error.Target?.ToString(),
        recommended_action = error.RecommendedAction,
    };

    /// <summary>The error of an answer, as it was thrown; null when the answer is no error of an Admin API.</summary>
    /// <param name="json">The answer.</param>
    /// <param name="kind">Its kind, when the answer does not say.</param>
    public static AmpException? Error(JsonElement json, AmpErrorKind kind)
    {
        if (json.ValueKind != JsonValueKind.Object || json.Optional<string>("error_code") is not { } code)
        {
            return null;
        }

        var target = json.TryGetProperty("target", out var value) ? value : default;
        return new AmpException(
            string.Concat(code.Split('_').Select(word => word.Length == 0 ? "" : word[..1] + word[1..].ToLowerInvariant())),
            Enum.TryParse<AmpErrorKind>(json.Optional<string>("error_kind")?.Replace("_", "", StringComparison.Ordinal), ignoreCase: true, out var told) ? told : kind,
            json.Optional<string>("error_message") ?? code)
        {
            Target = target.ValueKind == JsonValueKind.Number ? target.GetInt64() : target.ValueKind == JsonValueKind.String ? target.GetString() : null,
            RecommendedAction = json.Optional<string>("recommended_action"),
        };
    }

    private static T? Optional<T>(this JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) ? value.Deserialize<T>(ApiJson.Options) : default;
}
