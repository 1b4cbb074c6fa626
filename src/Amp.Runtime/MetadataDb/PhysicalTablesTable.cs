using System.Text.Json;
using Npgsql;

namespace Amp.MetadataDb;

/// <summary>A table of a dataset and the revision its files go to.</summary>
/// <param name="Table">Its name.</param>
/// <param name="LocationId">Number of the active revision.</param>
/// <param name="Path">The revision's folder, relative to the data folder: <c>dataset/table/uuid</c>.</param>
/// <param name="WriterJobId">The job that writes it, or last wrote it.</param>
internal sealed record PhysicalTable(string Table, long LocationId, string Path, long? WriterJobId);

/// <summary>Tables of datasets (<c>physical_tables</c>) and the folders they are in (<c>physical_table_revisions</c>).</summary>
public sealed class PhysicalTablesTable
{
    private readonly MetadataDatabase _database;

    internal PhysicalTablesTable(MetadataDatabase database) => _database = database;

    /// <summary>Gives the active revision of a table, and makes one when it has none. Two callers get the same one.</summary>
    internal Task<PhysicalTable> GetOrCreateAsync(
        string datasetNamespace, string datasetName, string manifestHash, string table, NpgsqlTransaction? transaction,
        CancellationToken cancellationToken) =>
        _database.RunInTransactionAsync($"preparing table {datasetNamespace}/{datasetName}/{table}", async connection =>
        {
            var tableId = await LockTableAsync(connection, datasetNamespace, datasetName, manifestHash, table, cancellationToken);
            var active = await connection.QueryAsync(
                """
                SELECT r.id, r.path, r.writer FROM physical_tables t
                JOIN physical_table_revisions r ON r.id = t.active_revision_id WHERE t.id = $1
                """, [tableId], r => new PhysicalTable(table, r.GetInt64(0), r.GetString(1), r.LongOrNull(2)), cancellationToken);
            if (active.Count == 1)
            {
                return active[0];
            }

            var path = $"{datasetName}/{table}/{Guid.CreateVersion7()}";
            var locationId = await ActivateAsync(connection, tableId, datasetNamespace, datasetName, manifestHash, table, path, cancellationToken);
            return new PhysicalTable(table, locationId, path, null);
        }, transaction, cancellationToken);

    /// <summary>Makes a folder the active revision of a table; both are made known where they are not.</summary>
    /// <exception cref="AmpException">
    /// <c>TableAlreadyRegistered</c> when another revision with files is active and <paramref name="overwrite"/> is not set.
    /// </exception>
    internal Task<long> ActivateAsync(
        string datasetNamespace, string datasetName, string manifestHash, string table, string path, bool overwrite, NpgsqlTransaction transaction,
        CancellationToken cancellationToken) =>
        _database.RunAsync($"restoring table {datasetNamespace}/{datasetName}/{table}", async connection =>
        {
            var tableId = await LockTableAsync(connection, datasetNamespace, datasetName, manifestHash, table, cancellationToken);
            var active = await connection.ScalarAsync<string>(
                """
                SELECT r.path FROM physical_tables t JOIN physical_table_revisions r ON r.id = t.active_revision_id
                WHERE t.id = $1 AND EXISTS (SELECT 1 FROM file_metadata f WHERE f.location_id = r.id)
                """, [tableId], cancellationToken);
            return active is null || active == path || overwrite
                ? await ActivateAsync(connection, tableId, datasetNamespace, datasetName, manifestHash, table, path, cancellationToken)
                : throw new AmpException("TableAlreadyRegistered", AmpErrorKind.Conflict,
                    $"Table {table} of {datasetNamespace}/{datasetName} has files in {active} already; nothing was changed.")
                {
                    Target = table,
                    RecommendedAction = "Give -Force to read the table from the restored folder instead; the files of the other one stay where they are.",
                };
        }, transaction, cancellationToken);

    /// <summary>Notes the job that writes the given revisions.</summary>
    internal Task SetWriterAsync(
        IEnumerable<long> locationIds, long jobId, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        _database.RunAsync($"assigning tables to job {jobId}", connection => connection.ExecuteAsync(
            "UPDATE physical_table_revisions SET writer = $1, updated_at = timezone('UTC', now()) WHERE id = ANY($2)",
            [jobId, locationIds.ToArray()], cancellationToken), transaction, cancellationToken);

    /// <summary>The number of a table's row, which stays locked until the transaction ends.</summary>
    private static Task<long> LockTableAsync(
        NpgsqlConnection connection, string datasetNamespace, string datasetName, string manifestHash, string table, CancellationToken cancellationToken) =>
        connection.ScalarAsync<long>(
            """
            INSERT INTO physical_tables (dataset_namespace, dataset_name, manifest_hash, table_name) VALUES ($1, $2, $3, $4)
            ON CONFLICT (dataset_namespace, dataset_name, manifest_hash, table_name)
            DO UPDATE SET updated_at = timezone('UTC', now())
            RETURNING id
            """, [datasetNamespace, datasetName, manifestHash, table], cancellationToken);

    private static Task<long> ActivateAsync(
        NpgsqlConnection connection, long tableId, string datasetNamespace, string datasetName, string manifestHash, string table, string path,
        CancellationToken cancellationToken)
    {
        var metadata = JsonSerializer.Serialize(new Dictionary<string, string>
        {
            ["dataset_namespace"] = datasetNamespace,
            ["dataset_name"] = datasetName,
            ["manifest_hash"] = manifestHash,
            ["table_name"] = table,
        });
        return connection.ScalarAsync<long>(
            """
            WITH revision AS (
                INSERT INTO physical_table_revisions (path, metadata) VALUES ($2, $3)
                ON CONFLICT (path) DO UPDATE SET updated_at = timezone('UTC', now())
                RETURNING id
            )
            UPDATE physical_tables SET active_revision_id = revision.id FROM revision WHERE physical_tables.id = $1
            RETURNING revision.id
            """, [tableId, path, Sql.Json(metadata)], cancellationToken);
    }

    /// <summary>Lists tables with their canonical ranges, in the order in which they were made.</summary>
    /// <param name="datasetNamespace">Namespace of the dataset, or null for all.</param>
    /// <param name="datasetName">Name of the dataset, or null for all.</param>
    /// <param name="manifestHash">Manifest, or null for all.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<List<AmpTable>> ListAsync(
        string? datasetNamespace = null, string? datasetName = null, string? manifestHash = null,
        CancellationToken cancellationToken = default)
    {
        var tables = await _database.RunAsync("listing tables", connection => connection.QueryAsync(
            """
            SELECT t.dataset_namespace || '/' || t.dataset_name, t.table_name, t.manifest_hash, r.id, r.path, r.writer
            FROM physical_tables t LEFT JOIN physical_table_revisions r ON r.id = t.active_revision_id
            WHERE ($1::text IS NULL OR t.dataset_namespace = $1) AND ($2::text IS NULL OR t.dataset_name = $2)
              AND ($3::text IS NULL OR t.manifest_hash = $3)
            ORDER BY t.id
            """,
            [Sql.Text(datasetNamespace), Sql.Text(datasetName), Sql.Text(manifestHash)],
            r => new AmpTable
            {
                Dataset = r.GetString(0),
                Table = r.GetString(1),
                ManifestHash = r.GetString(2),
                LocationId = r.LongOrNull(3),
                Path = r.TextOrNull(4),
                JobId = r.LongOrNull(5),
            }, cancellationToken), null, cancellationToken);
        var summaries = await _database.Files.SummariesAsync([.. tables.Select(t => t.LocationId).OfType<long>()], cancellationToken);
        return [.. tables.Select(table =>
        {
            var files = table.LocationId is { } id ? summaries[id] : ChainSummary.Empty;
            return table with
            {
                StartBlock = files.Range?.Start,
                CurrentBlock = files.Range?.End,
                BlocksCount = files.BlocksCount,
                FilesCount = files.FilesCount,
                TotalSizeBytes = files.TotalSize,
            };
        })];
    }
}
