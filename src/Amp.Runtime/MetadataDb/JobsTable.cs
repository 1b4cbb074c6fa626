using System.Text.Json;
using Npgsql;

namespace Amp.MetadataDb;

/// <summary>Which jobs to list; a property that is null does not filter.</summary>
public sealed record JobFilter
{
    /// <summary>States.</summary>
    public IReadOnlyCollection<AmpJobStatus>? Statuses { get; init; }

    /// <summary>Namespace of the dataset.</summary>
    public string? DatasetNamespace { get; init; }

    /// <summary>Name of the dataset.</summary>
    public string? DatasetName { get; init; }

    /// <summary>The worker they are assigned to.</summary>
    public string? NodeId { get; init; }

    /// <summary>Only parts of this job.</summary>
    public long? PartOf { get; init; }

    /// <summary>Only jobs older than this one (a page's cursor): lower numbers.</summary>
    public long? BeforeJobId { get; init; }

    /// <summary>Most jobs to return.</summary>
    public int? Limit { get; init; }
}

/// <summary>
/// Jobs: <c>jobs</c> (who), <c>jobs_status</c> (the present state), <c>job_events</c> (every transition). A transition is
/// one statement that checks the state and, for a worker's own, the assignment, and writes state and event together.
/// </summary>
public sealed partial class JobsTable
{
    private const string Select =
        """
        SELECT j.id, s.status, s.node_id, j.created_at, s.updated_at, e.detail::text,
               (SELECT count(*) FROM job_events c WHERE c.job_id = j.id AND c.event_type = 'SCHEDULED')::int,
               CASE WHEN s.status IN ('ERROR', 'FATAL') THEN s.detail::text END
        FROM jobs j
        JOIN jobs_status s ON s.job_id = j.id
        LEFT JOIN LATERAL (
            SELECT detail FROM job_events
            WHERE job_id = j.id AND event_type = 'SCHEDULED' ORDER BY id DESC LIMIT 1) e ON true
        """;

    private readonly MetadataDatabase _database;

    internal JobsTable(MetadataDatabase database) => _database = database;

    /// <summary>Lists jobs, newest first.</summary>
    public Task<List<AmpJob>> ListAsync(JobFilter? filter = null, CancellationToken cancellationToken = default)
    {
        filter ??= new JobFilter();
        return _database.RunAsync("listing jobs", connection => connection.QueryAsync(
            $"""
            {Select}
            WHERE ($1::text[] IS NULL OR s.status = ANY($1))
              AND ($2::text IS NULL OR s.node_id = $2)
              AND ($3::bigint IS NULL OR j.id < $3)
              AND ($4::text IS NULL OR e.detail->>'dataset_namespace' = $4)
              AND ($5::text IS NULL OR e.detail->>'dataset_name' = $5)
              AND ($7::bigint IS NULL OR (e.detail->>'part_of')::bigint = $7)
            ORDER BY j.id DESC
            LIMIT $6
            """,
            [
                Sql.TextArray(filter.Statuses?.Select(s => s.ToText())), Sql.Text(filter.NodeId), Sql.Long(filter.BeforeJobId),
                Sql.Text(filter.DatasetNamespace), Sql.Text(filter.DatasetName), Sql.Long(filter.Limit), Sql.Long(filter.PartOf),
            ], Map, cancellationToken), null, cancellationToken);
    }

    /// <summary>Gives a job by its number.</summary>
    /// <exception cref="AmpException"><c>JobNotFound</c>.</exception>
    public async Task<AmpJob> GetAsync(long jobId, CancellationToken cancellationToken = default) =>
        await FindAsync(jobId, cancellationToken) ?? throw JobErrors.NotFound(jobId);

    /// <summary>Gives a job by its number, or null.</summary>
    internal Task<AmpJob?> FindAsync(long jobId, CancellationToken cancellationToken) =>
        _database.RunAsync($"reading job {jobId}", connection => FindAsync(connection, jobId, cancellationToken), null, cancellationToken);

    /// <summary>Lists a job's transitions, oldest first; none when there is no such job.</summary>
    public Task<List<AmpJobEvent>> EventsAsync(long jobId, CancellationToken cancellationToken = default) =>
        _database.RunAsync($"reading the events of job {jobId}", connection => connection.QueryAsync(
            "SELECT id, job_id, event_type, node_id, created_at, detail::text FROM job_events WHERE job_id = $1 ORDER BY id",
            [jobId],
            r => new AmpJobEvent
            {
                EventId = r.GetInt64(0),
                JobId = r.GetInt64(1),
                Status = JobStatusText.Parse(r.GetString(2)),
                NodeId = r.GetString(3),
                CreatedAt = r.Time(4),
                Detail = r.TextOrNull(5),
            }, cancellationToken), null, cancellationToken);

    /// <summary>How far a job has come: for each table the canonical range and its files.</summary>
    /// <exception cref="AmpException"><c>JobNotFound</c>.</exception>
    public async Task<AmpJobProgress> ProgressAsync(long jobId, CancellationToken cancellationToken = default)
    {
        var job = await GetAsync(jobId, cancellationToken);
        var tables = job.Descriptor is { } descriptor
            ? await _database.PhysicalTables.ListAsync(
                descriptor.DatasetNamespace, descriptor.DatasetName, descriptor.ManifestHash, cancellationToken)
            : [];
        ulong? end = ulong.TryParse(job.Descriptor?.EndBlock, System.Globalization.CultureInfo.InvariantCulture, out var number) ? number : null;
        return new AmpJobProgress
        {
            JobId = jobId,
            Status = job.Status,
            Dataset = job.Dataset,
            EndBlock = end,
            ErrorMessage = job.ErrorMessage,
            Tables = [.. tables.Select(table => new AmpTableProgress
            {
                JobId = jobId,
                Status = job.Status,
                Table = table.Table,
                StartBlock = table.StartBlock,
                CurrentBlock = table.CurrentBlock,
                EndBlock = end,
                BlocksCount = table.BlocksCount,
                FilesCount = table.FilesCount,
                TotalSizeBytes = table.TotalSizeBytes,
                PercentComplete = job.PartOf is null ? Percent(table.StartBlock, table.BlocksCount, end) : null,
            })],
        };
    }

    /// <summary>Deletes a job that has ended, with its events; its files stay.</summary>
    /// <exception cref="AmpException"><c>JobNotFound</c>; <c>JobNotTerminal</c> when it has not ended.</exception>
    public async Task DeleteAsync(long jobId, CancellationToken cancellationToken = default)
    {
        var deleted = await _database.RunAsync($"deleting job {jobId}", connection => connection.ExecuteAsync(
            "DELETE FROM jobs WHERE id = $1 AND id IN (SELECT job_id FROM jobs_status WHERE job_id = $1 AND status = ANY($2))",
            [jobId, Sql.TextArray(JobStatusText.Terminal.Select(s => s.ToText()))], cancellationToken), null, cancellationToken);
        if (deleted == 0)
        {
            throw JobErrors.NotTerminal(await GetAsync(jobId, cancellationToken));
        }
    }

    /// <summary>Deletes all jobs in the given states, which must be states of jobs that have ended.</summary>
    /// <returns>How many were deleted.</returns>
    public Task<int> DeleteAsync(IReadOnlyCollection<AmpJobStatus> statuses, CancellationToken cancellationToken = default) =>
        _database.RunAsync("deleting jobs", connection => connection.ExecuteAsync(
            "DELETE FROM jobs WHERE id IN (SELECT job_id FROM jobs_status WHERE status = ANY($1))",
            [Sql.TextArray(statuses.Intersect(JobStatusText.Terminal).Select(s => s.ToText()))], cancellationToken),
            null, cancellationToken);

    private static async Task<AmpJob?> FindAsync(NpgsqlConnection connection, long jobId, CancellationToken cancellationToken) =>
        (await connection.QueryAsync($"{Select} WHERE j.id = $1", [jobId], Map, cancellationToken)).SingleOrDefault();

    private static double? Percent(ulong? start, ulong blocks, ulong? end) => end is not { } last ? null
        : start is { } first && last >= first ? Math.Min(100.0, 100.0 * blocks / (last - first + 1))
        : 0;

    private static AmpJob Map(NpgsqlDataReader reader)
    {
        JobDescriptorJson.TryRead(reader.TextOrNull(5), out var descriptor, out _);
        var (code, message) = ReadError(reader.TextOrNull(7));
        return new AmpJob
        {
            JobId = reader.GetInt64(0),
            Status = JobStatusText.Parse(reader.GetString(1)),
            NodeId = reader.GetString(2),
            CreatedAt = reader.Time(3),
            UpdatedAt = reader.Time(4),
            Descriptor = descriptor,
            Attempts = reader.GetInt32(6),
            ErrorCode = code,
            ErrorMessage = message,
        };
    }

    private static (string? Code, string? Message) ReadError(string? detail)
    {
        if (detail is null)
        {
            return default;
        }

        using var document = JsonDocument.Parse(detail);
        return (Read("error_code"), Read("error_message"));

        string? Read(string name) =>
            document.RootElement.ValueKind == JsonValueKind.Object
            && document.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
                ? value.GetString()
                : null;
    }
}
