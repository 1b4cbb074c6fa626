using Amp.Datasets;
using Npgsql;

namespace Amp.MetadataDb;

/// <summary>Where a manifest is stored.</summary>
/// <param name="Hash">Its hash, 64 hex digits.</param>
/// <param name="Kind">Kind of dataset it describes, such as <c>evm-rpc</c>.</param>
/// <param name="Path">Its file, relative to the manifests folder.</param>
/// <param name="CreatedAt">When it was registered (UTC).</param>
public sealed record ManifestFile(string Hash, string Kind, string Path, DateTimeOffset CreatedAt);

/// <summary>
/// Datasets: which manifests exist (<c>manifest_files</c>), which dataset they belong to (<c>dataset_manifests</c>) and
/// which versions point at them (<c>tags</c>). <c>dev</c> is the manifest registered last, <c>latest</c> the highest version.
/// </summary>
public sealed class ManifestsTable
{
    private readonly MetadataDatabase _database;

    internal ManifestsTable(MetadataDatabase database) => _database = database;

    /// <summary>
    /// Registers a manifest for a dataset in one transaction. <c>dev</c> points at it; a version that is given points at it
    /// (moved, if it pointed elsewhere), and <c>latest</c> too when no higher version is there. Repeating it changes nothing.
    /// </summary>
    /// <param name="datasetNamespace">Namespace.</param>
    /// <param name="datasetName">Name.</param>
    /// <param name="version">Semantic version, or null to register without one.</param>
    /// <param name="manifestHash">Hash of the canonical manifest, 64 hex digits.</param>
    /// <param name="kind">Kind, such as <c>evm-rpc</c>.</param>
    /// <param name="path">Its file, relative to the manifests folder.</param>
    /// <param name="cancellationToken">Gives up; nothing is registered then.</param>
    /// <exception cref="AmpException"><c>DatasetVersionInvalid</c>.</exception>
    public Task RegisterAsync(
        string datasetNamespace, string datasetName, string? version, string manifestHash, string kind, string path,
        CancellationToken cancellationToken = default)
    {
        if (version is not null && !SemanticVersion.TryParse(version, out _))
        {
            throw new AmpException("DatasetVersionInvalid", AmpErrorKind.InvalidInput,
                $"'{version}' is not a semantic version such as 1.2.0.")
            {
                Target = version,
            };
        }

        return _database.RunInTransactionAsync($"registering {datasetNamespace}/{datasetName}", async connection =>
        {
            await connection.ExecuteAsync(
                "INSERT INTO manifest_files (hash, kind, path) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING",
                [manifestHash, kind, path], cancellationToken);
            await connection.ExecuteAsync(
                "INSERT INTO dataset_manifests (namespace, name, hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                [datasetNamespace, datasetName, manifestHash], cancellationToken);

            // The row of "dev" is there from the first registration on: writing it first makes registrations of one dataset wait for each other.
            await connection.ExecuteAsync(
                """
                INSERT INTO tags (namespace, name, version, hash, created_at, updated_at) VALUES ($1, $2, 'dev', $3, now(), now())
                ON CONFLICT (namespace, name, version) DO UPDATE
                SET hash = EXCLUDED.hash, updated_at = CASE WHEN tags.hash = EXCLUDED.hash THEN tags.updated_at ELSE now() END
                """, [datasetNamespace, datasetName, manifestHash], cancellationToken);
            if (version is not null)
            {
                await SetTagAsync(connection, datasetNamespace, datasetName, version, manifestHash, cancellationToken);
                var versions = await VersionsAsync(connection, datasetNamespace, datasetName, cancellationToken);
                if (versions.Max(SemanticVersion.TextOrder) == version)
                {
                    await SetTagAsync(connection, datasetNamespace, datasetName, "latest", manifestHash, cancellationToken);
                }
            }

            return true;
        }, null, cancellationToken);
    }

    /// <summary>Lists registered versions, by name and falling version; network, start block and tables are in the manifests.</summary>
    /// <param name="datasetNamespace">Namespace, or null for all.</param>
    /// <param name="datasetName">Name, or null for all.</param>
    /// <param name="includeMoving">Whether <c>latest</c> and <c>dev</c> are listed too.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<List<AmpDataset>> ListAsync(
        string? datasetNamespace = null, string? datasetName = null, bool includeMoving = false,
        CancellationToken cancellationToken = default)
    {
        var rows = await _database.RunAsync("listing datasets", connection => connection.QueryAsync(
            """
            SELECT t.namespace, t.name, t.version, t.hash, m.kind, t.created_at
            FROM tags t JOIN manifest_files m ON m.hash = t.hash
            WHERE ($1::text IS NULL OR t.namespace = $1) AND ($2::text IS NULL OR t.name = $2)
              AND ($3 OR t.version NOT IN ('latest', 'dev'))
            """,
            [Sql.Text(datasetNamespace), Sql.Text(datasetName), includeMoving],
            r => new AmpDataset
            {
                Namespace = r.GetString(0),
                Name = r.GetString(1),
                Version = r.GetString(2),
                ManifestHash = r.GetString(3),
                Kind = r.GetString(4),
                CreatedAt = r.Time(5),
            }, cancellationToken), null, cancellationToken);
        return [.. rows.OrderBy(d => d.Dataset, StringComparer.Ordinal).ThenByDescending(d => d.Version, SemanticVersion.TextOrder)];
    }

    /// <summary>Finds the manifest that a version of a dataset stands for.</summary>
    /// <param name="datasetNamespace">Namespace.</param>
    /// <param name="datasetName">Name.</param>
    /// <param name="version">A semantic version, <c>latest</c>, <c>dev</c>, or a manifest hash of the dataset; null for <c>latest</c>, or <c>dev</c> where no version exists.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The manifest hash.</returns>
    /// <exception cref="AmpException"><c>DatasetNotFound</c>; <c>DatasetVersionNotFound</c>.</exception>
    public Task<string> ResolveAsync(
        string datasetNamespace, string datasetName, string? version = null, CancellationToken cancellationToken = default) =>
        _database.RunAsync($"resolving {datasetNamespace}/{datasetName}", async connection =>
        {
            var hash = await connection.ScalarAsync<string>(
                """
                SELECT hash FROM (
                    SELECT hash, CASE version WHEN 'dev' THEN 1 ELSE 0 END AS rank FROM tags
                    WHERE namespace = $1 AND name = $2
                      AND (version = $3 OR ($3::text IS NULL AND version IN ('latest', 'dev')))
                    UNION ALL
                    SELECT hash, 2 FROM dataset_manifests WHERE namespace = $1 AND name = $2 AND hash = $3
                ) found ORDER BY rank LIMIT 1
                """, [datasetNamespace, datasetName, Sql.Text(version)], cancellationToken);
            return hash ?? throw await NotFoundAsync(connection, datasetNamespace, datasetName, version, cancellationToken);
        }, null, cancellationToken);

    /// <summary>Removes a dataset with all its versions; manifests, tables and files stay.</summary>
    /// <exception cref="AmpException"><c>DatasetNotFound</c>.</exception>
    public Task RemoveAsync(string datasetNamespace, string datasetName, CancellationToken cancellationToken = default) =>
        _database.RunAsync($"removing {datasetNamespace}/{datasetName}", async connection =>
            await connection.ExecuteAsync(
                "DELETE FROM dataset_manifests WHERE namespace = $1 AND name = $2", [datasetNamespace, datasetName], cancellationToken) > 0
                ? true
                : throw await NotFoundAsync(connection, datasetNamespace, datasetName, null, cancellationToken),
            null, cancellationToken);

    /// <summary>Says where a manifest is stored; null when it is not registered.</summary>
    public Task<ManifestFile?> FindAsync(string manifestHash, CancellationToken cancellationToken = default) =>
        _database.RunAsync($"reading manifest {manifestHash}", async connection =>
            (await connection.QueryAsync("SELECT hash, kind, path, created_at FROM manifest_files WHERE hash = $1", [manifestHash],
                r => new ManifestFile(r.GetString(0), r.GetString(1), r.GetString(2), r.Time(3)), cancellationToken)).SingleOrDefault(),
            null, cancellationToken);

    private static Task<int> SetTagAsync(
        NpgsqlConnection connection, string datasetNamespace, string datasetName, string version, string hash,
        CancellationToken cancellationToken) =>
        connection.ExecuteAsync(
            """
            INSERT INTO tags (namespace, name, version, hash, created_at, updated_at) VALUES ($1, $2, $3, $4, now(), now())
            ON CONFLICT (namespace, name, version) DO UPDATE SET hash = EXCLUDED.hash, updated_at = now()
            WHERE tags.hash <> EXCLUDED.hash
            """, [datasetNamespace, datasetName, version, hash], cancellationToken);

    private static Task<List<string>> VersionsAsync(
        NpgsqlConnection connection, string datasetNamespace, string datasetName, CancellationToken cancellationToken) =>
        connection.QueryAsync(
            "SELECT version FROM tags WHERE namespace = $1 AND name = $2 AND version NOT IN ('latest', 'dev')",
            [datasetNamespace, datasetName], r => r.GetString(0), cancellationToken);

    private static async Task<AmpException> NotFoundAsync(
        NpgsqlConnection connection, string datasetNamespace, string datasetName, string? version, CancellationToken cancellationToken)
    {
        var dataset = $"{datasetNamespace}/{datasetName}";
        var exists = await connection.ScalarAsync<bool>(
            "SELECT EXISTS (SELECT 1 FROM dataset_manifests WHERE namespace = $1 AND name = $2)",
            [datasetNamespace, datasetName], cancellationToken);
        if (!exists)
        {
            return JobErrors.DatasetNotFound(dataset);
        }

        var versions = await VersionsAsync(connection, datasetNamespace, datasetName, cancellationToken);
        var known = versions.OrderDescending(SemanticVersion.TextOrder).Take(5).DefaultIfEmpty("dev");
        return new AmpException("DatasetVersionNotFound", AmpErrorKind.NotFound,
            $"Dataset {dataset} has no version '{version}'; it has {string.Join(", ", known)}.")
        {
            Target = $"{dataset}@{version}",
        };
    }
}
