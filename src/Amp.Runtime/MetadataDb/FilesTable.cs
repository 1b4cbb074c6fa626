using Amp.Extraction;
using Npgsql;
using NpgsqlTypes;

namespace Amp.MetadataDb;

/// <summary>A finished Parquet file, to be committed.</summary>
internal sealed record NewFile
{
    /// <summary>Revision it belongs to.</summary>
    public required long LocationId { get; init; }

    /// <summary>File name.</summary>
    public required string FileName { get; init; }

    /// <summary>The segment's metadata, as in the file's footer (<c>nozzle_metadata</c>).</summary>
    public required string MetadataJson { get; init; }

    /// <summary>Size in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>Where it is, as a URL.</summary>
    public required string Url { get; init; }

    /// <summary>
    /// The footer as ampd caches it: page indexes, Thrift metadata with offsets into these bytes, their length as 4 bytes,
    /// <c>PAR1</c>.
    /// </summary>
    public required ReadOnlyMemory<byte> Footer { get; init; }

    /// <summary>The object store's entity tag, where there is one.</summary>
    public string? ETag { get; init; }

    /// <summary>The object store's version, where there is one.</summary>
    public string? Version { get; init; }
}

/// <summary>A file as the database knows it.</summary>
internal sealed record StoredFile(long FileId, long LocationId, string FileName, string MetadataJson, long? Size, string Url);

/// <summary>Parquet files: <c>file_metadata</c> and <c>footer_cache</c>. A file exists when its row does.</summary>
public sealed class FilesTable
{
    private readonly MetadataDatabase _database;

    internal FilesTable(MetadataDatabase database) => _database = database;

    /// <summary>Lists the files of a revision with their metadata, in the order in which they were committed.</summary>
    internal Task<List<StoredFile>> ListAsync(long locationId, CancellationToken cancellationToken) =>
        _database.RunAsync($"listing the files of location {locationId}", connection => connection.QueryAsync(
            """
            SELECT id, location_id, file_name, metadata::text, object_size, url
            FROM file_metadata WHERE location_id = $1 ORDER BY id
            """, [locationId],
            r => new StoredFile(r.GetInt64(0), r.GetInt64(1), r.GetString(2), r.GetString(3), r.LongOrNull(4), r.GetString(5)),
            cancellationToken), null, cancellationToken);

    /// <summary>Lists a table's files by block, canonical ones and orphaned ones.</summary>
    /// <param name="table">The table; one without a location has no files.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<List<AmpFile>> ListAsync(AmpTable table, CancellationToken cancellationToken = default)
    {
        if (table.LocationId is not { } locationId)
        {
            return [];
        }

        var chain = CanonicalChain.Build((await SegmentsAsync([locationId], cancellationToken))[locationId]);
        return [.. chain.Canonical.Select(s => (Segment: s, IsCanonical: true))
            .Concat(chain.Orphaned.Select(s => (Segment: s, IsCanonical: false)))
            .OrderBy(f => f.Segment.Start).ThenBy(f => f.Segment.FileId)
            .Select(f => new AmpFile
            {
                Dataset = table.Dataset,
                Table = table.Table,
                Name = f.Segment.FileName,
                FullName = $"{table.Path}/{f.Segment.FileName}",
                StartBlock = f.Segment.Start,
                EndBlock = f.Segment.End,
                Size = f.Segment.Size,
                Hash = f.Segment.Hash,
                PrevHash = f.Segment.PrevHash,
                IsCanonical = f.IsCanonical,
                CreatedAt = f.Segment.CreatedAt,
                FileId = f.Segment.FileId,
            })];
    }

    /// <summary>Gives the segments of revisions, by location id.</summary>
    /// <exception cref="AmpException"><c>SegmentMetadataInvalid</c> when a row does not hold exactly one block range.</exception>
    internal async Task<ILookup<long, Segment>> SegmentsAsync(
        IReadOnlyCollection<long> locationIds, CancellationToken cancellationToken)
    {
        var rows = await _database.RunAsync("listing segments", connection => connection.QueryAsync(
            """
            SELECT f.id, f.location_id, f.file_name, coalesce(f.object_size, 0),
                   (r->'numbers'->>'start')::bigint, (r->'numbers'->>'end')::bigint, r->>'network', r->>'hash', r->>'prev_hash',
                   (f.metadata#>>'{created_at,secs}')::bigint, (f.metadata#>>'{created_at,nanos}')::bigint,
                   jsonb_array_length(f.metadata->'ranges')
            FROM file_metadata f CROSS JOIN LATERAL (SELECT f.metadata->'ranges'->0) AS x(r)
            WHERE f.location_id = ANY($1)
            """, [locationIds.ToArray()], MapSegment, cancellationToken), null, cancellationToken);
        return rows.ToLookup(row => row.LocationId, row => row.Segment);
    }

    /// <summary>Says how far revisions have come, by location id; empty for one without files.</summary>
    /// <exception cref="AmpException">As of <see cref="SegmentsAsync"/>.</exception>
    internal async Task<IReadOnlyDictionary<long, ChainSummary>> SummariesAsync(
        IReadOnlyCollection<long> locationIds, CancellationToken cancellationToken)
    {
        // The database passes over tens of thousands of segments in the time that reading them takes for a few. Where each follows the one
        // before, all are canonical; only where one does not must the segments be looked at.
        var rows = await _database.RunAsync("summing up segments", connection => connection.QueryAsync(
            """
            SELECT l.id, s.* FROM unnest($1) l(id) CROSS JOIN LATERAL (
                SELECT bool_and(follows), min(first), max(last), count(*), sum(size)::bigint
                FROM (
                    SELECT first, last, size, is_one AND first IS NOT NULL AND last IS NOT NULL AND coalesce(
                        lag(last) OVER w < first AND lag(network) OVER w = network AND lag(hash) OVER w = prev_hash,
                        lag(first) OVER w IS NULL) AS follows
                    FROM (
                        SELECT coalesce(object_size, 0) AS size, metadata#>'{ranges,0}' IS NOT NULL AND metadata#>'{ranges,1}' IS NULL AS is_one,
                               (metadata#>>'{ranges,0,numbers,start}')::bigint AS first, (metadata#>>'{ranges,0,numbers,end}')::bigint AS last,
                               coalesce(metadata#>>'{ranges,0,network}', '') AS network,
                               coalesce(metadata#>>'{ranges,0,hash}', '') AS hash, coalesce(metadata#>>'{ranges,0,prev_hash}', '') AS prev_hash
                        FROM file_metadata WHERE location_id = l.id
                        OFFSET 0 -- so that each is taken from the row once, not once for each of its uses
                    ) f
                    WINDOW w AS (ORDER BY first)
                ) f
            ) s
            """, [locationIds.Distinct().ToArray()],
            r => (LocationId: r.GetInt64(0), Summary: r.GetInt64(4) == 0 ? ChainSummary.Empty
                : r.GetBoolean(1) ? ChainSummary.OfLinked(new BlockRange((ulong)r.GetInt64(2), (ulong)r.GetInt64(3)), r.GetInt64(4), r.GetInt64(5))
                : null),
            cancellationToken), null, cancellationToken);
        long[] branched = [.. rows.Where(row => row.Summary is null).Select(row => row.LocationId)];
        var segments = branched.Length > 0 ? await SegmentsAsync(branched, cancellationToken) : null;
        return rows.ToDictionary(row => row.LocationId, row => row.Summary ?? ChainSummary.Of(CanonicalChain.Build(segments![row.LocationId])));
    }

    /// <summary>
    /// Commits finished files and tells readers, all or nothing, if the job is still this worker's. The fence and the rows
    /// are one statement: no freeze of this process can come between them, and while it runs nobody can reassign the job.
    /// Repeating a commit whose outcome is unknown is safe.
    /// </summary>
    /// <param name="jobId">The job that wrote them.</param>
    /// <param name="nodeId">The worker that runs it.</param>
    /// <param name="files">The files.</param>
    /// <param name="registeredAt">
    /// When this run of the worker registered; fences a run that a later one of the same name replaced. Null: not checked.
    /// </param>
    /// <param name="cancellationToken">Gives up; the outcome is unknown then.</param>
    /// <exception cref="AmpException">
    /// <c>JobLeaseLost</c> when the job was reassigned or has ended; <c>FileAlreadyRegistered</c> when another file has the name.
    /// </exception>
    internal async Task CommitSegmentsAsync(
        long jobId, string nodeId, IReadOnlyList<NewFile> files, DateTimeOffset? registeredAt, CancellationToken cancellationToken)
    {
        if (files.Count == 0)
        {
            return;
        }

        var (held, inserted) = await _database.RunAsync(
            $"committing {files.Count} files of job {jobId}",
            connection => InsertAsync(connection, files, Fence(jobParameter: 9), [jobId, nodeId, Sql.Time(registeredAt)], cancellationToken),
            null, cancellationToken);
        if (!held)
        {
            throw JobErrors.LeaseLost(jobId, nodeId);
        }

        if (inserted < files.Count)
        {
            await CheckCommittedBeforeAsync(files, cancellationToken);
        }
    }

    /// <summary>
    /// Takes files out of their tables and tells readers, all or nothing, if the job is still this worker's. The files
    /// themselves are removed when a job of the table starts the next time.
    /// </summary>
    /// <param name="jobId">The job that writes the tables.</param>
    /// <param name="nodeId">The worker that runs it.</param>
    /// <param name="fileIds">Rows to remove; those that are gone already do not matter.</param>
    /// <param name="registeredAt">As for <see cref="CommitSegmentsAsync"/>.</param>
    /// <param name="cancellationToken">Gives up; the outcome is unknown then.</param>
    /// <exception cref="AmpException"><c>JobLeaseLost</c> when the job was reassigned or has ended.</exception>
    internal async Task RetireAsync(
        long jobId, string nodeId, IReadOnlyCollection<long> fileIds, DateTimeOffset? registeredAt, CancellationToken cancellationToken)
    {
        var held = await _database.RunAsync($"retiring {fileIds.Count} files of job {jobId}", connection => connection.ScalarAsync<bool>(
            $"""
            WITH fence AS MATERIALIZED ({Fence(jobParameter: 2)}
            ), retired AS (
                DELETE FROM file_metadata WHERE id = ANY($1) AND EXISTS (SELECT 1 FROM fence) RETURNING location_id
            ), notified AS MATERIALIZED (
                SELECT count(pg_notify('change-tracking', location_id::text)) FROM (SELECT DISTINCT location_id FROM retired) l
            )
            SELECT EXISTS (SELECT 1 FROM fence) AND (SELECT * FROM notified) >= 0
            """,
            [fileIds.ToArray(), jobId, nodeId, Sql.Time(registeredAt)], cancellationToken), null, cancellationToken);
        if (!held)
        {
            throw JobErrors.LeaseLost(jobId, nodeId);
        }
    }

    /// <summary>Takes files out of tables that no job writes, and tells readers. The files themselves stay.</summary>
    /// <param name="fileIds">Rows to remove; those that are gone already do not matter.</param>
    /// <param name="cancellationToken">Gives up; the outcome is unknown then.</param>
    internal Task RemoveAsync(IReadOnlyCollection<long> fileIds, CancellationToken cancellationToken) =>
        _database.RunAsync($"removing {fileIds.Count} files", connection => connection.ExecuteAsync(
            """
            WITH removed AS (DELETE FROM file_metadata WHERE id = ANY($1) RETURNING location_id)
            SELECT pg_notify('change-tracking', location_id::text) FROM (SELECT DISTINCT location_id FROM removed) l
            """, [fileIds.ToArray()], cancellationToken), null, cancellationToken);

    /// <summary>Makes files that are on disk part of a revision that no job writes, and tells readers; those that are part of it stay as they are.</summary>
    internal Task RegisterAsync(IReadOnlyList<NewFile> files, NpgsqlTransaction transaction, CancellationToken cancellationToken) =>
        _database.RunAsync(
            $"registering {files.Count} files", connection => InsertAsync(connection, files, "SELECT 1", [], cancellationToken), transaction, cancellationToken);

    /// <summary>A query of one row if the job of the first parameter is still its worker's, in the run that registered then; nobody can reassign it meanwhile.</summary>
    /// <param name="jobParameter">Number of the job's parameter; the worker's name and its time of registration, or null for any, follow.</param>
    internal static string Fence(int jobParameter) =>
        $"""

        SELECT 1 FROM jobs_status s JOIN workers w ON w.node_id = s.node_id
        WHERE s.job_id = ${jobParameter} AND s.node_id = ${jobParameter + 1} AND s.status IN ('RUNNING', 'STOP_REQUESTED', 'STOPPING')
          AND (${jobParameter + 2}::timestamptz IS NULL OR w.registered_at = ${jobParameter + 2})
        FOR SHARE
        """;

    /// <summary>Inserts files with their footers if the fence gives a row; files of names that are there are left out.</summary>
    private static async Task<(bool Held, long Inserted)> InsertAsync(
        NpgsqlConnection connection, IReadOnlyList<NewFile> files, string fence, object?[] fenceParameters, CancellationToken cancellationToken)
    {
        await using var command = connection.Command(
            $"""
            WITH fence AS MATERIALIZED ({fence}
            ), new AS (
                SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bytea[])
                    AS n(location_id, file_name, metadata, size, e_tag, version, url, footer)
            ), inserted AS (
                INSERT INTO file_metadata (location_id, file_name, metadata, object_size, object_e_tag, object_version, url)
                SELECT location_id, file_name, metadata::jsonb, size, e_tag, version, url FROM new
                WHERE EXISTS (SELECT 1 FROM fence)
                ON CONFLICT (location_id, file_name) DO NOTHING
                RETURNING id, location_id, file_name
            ), footers AS (
                INSERT INTO footer_cache (file_id, footer)
                SELECT i.id, n.footer FROM inserted i JOIN new n ON n.location_id = i.location_id AND n.file_name = i.file_name
            ), notified AS MATERIALIZED (
                SELECT count(pg_notify('change-tracking', location_id::text)) FROM (SELECT DISTINCT location_id FROM inserted) l
            )
            SELECT EXISTS (SELECT 1 FROM fence), (SELECT count(*) FROM inserted), (SELECT * FROM notified)
            """,
            [
                files.Select(f => f.LocationId).ToArray(), Sql.TextArray(files.Select(f => f.FileName)),
                Sql.TextArray(files.Select(f => f.MetadataJson)), files.Select(f => f.Size).ToArray(),
                Sql.TextArray(files.Select(f => f.ETag)), Sql.TextArray(files.Select(f => f.Version)), Sql.TextArray(files.Select(f => f.Url)),
                new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea, Value = files.Select(f => f.Footer.ToArray()).ToArray() },
                .. fenceParameters,
            ]);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return (reader.GetBoolean(0), reader.GetInt64(1));
    }

    /// <summary>Some names were there: that is well only when they are these very files, from a commit whose answer was lost.</summary>
    private async Task CheckCommittedBeforeAsync(IReadOnlyList<NewFile> files, CancellationToken cancellationToken)
    {
        var other = await _database.RunAsync("checking committed files", connection => connection.ScalarAsync<string>(
            """
            SELECT n.file_name
            FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) AS n(location_id, file_name, metadata, size)
            JOIN file_metadata f ON f.location_id = n.location_id AND f.file_name = n.file_name
            WHERE f.metadata <> n.metadata::jsonb OR f.object_size <> n.size
            LIMIT 1
            """,
            [
                files.Select(f => f.LocationId).ToArray(), Sql.TextArray(files.Select(f => f.FileName)),
                Sql.TextArray(files.Select(f => f.MetadataJson)), files.Select(f => f.Size).ToArray(),
            ], cancellationToken), null, cancellationToken);
        if (other is not null)
        {
            throw new AmpException("FileAlreadyRegistered", AmpErrorKind.Conflict,
                $"A file named {other} with another content is already part of its table.")
            {
                Target = other,
            };
        }
    }

    private static (long LocationId, Segment Segment) MapSegment(NpgsqlDataReader reader)
    {
        if (reader.IsDBNull(4) || reader.IsDBNull(5) || reader.IsDBNull(11) || reader.GetInt32(11) != 1)
        {
            throw new AmpException("SegmentMetadataInvalid", AmpErrorKind.InvalidData,
                $"File {reader.GetString(2)} (file_metadata.id {reader.GetInt64(0)}) does not say which one range of blocks it covers.")
            {
                Target = reader.GetString(2),
            };
        }

        var created = DateTimeOffset.FromUnixTimeSeconds(reader.LongOrNull(9) ?? 0).AddTicks((reader.LongOrNull(10) ?? 0) / 100);
        return (reader.GetInt64(1), new Segment(
            reader.GetInt64(0), reader.GetString(2), (ulong)reader.GetInt64(4), (ulong)reader.GetInt64(5),
            reader.TextOrNull(6) ?? "", reader.TextOrNull(7) ?? "", reader.TextOrNull(8) ?? "", created, reader.GetInt64(3)));
    }
}
