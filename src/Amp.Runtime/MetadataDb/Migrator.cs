using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Amp.MetadataDb;

/// <summary>Migrations that belong together, and where it is noted which were applied.</summary>
/// <param name="ResourcePrefix">What their resources' names begin with.</param>
/// <param name="History">The table of those that were applied.</param>
/// <param name="Schema">A schema of their own, made when it is not there; null for the database's default, which ampd may own.</param>
/// <param name="LockKey">Key of the lock that keeps migrating processes apart.</param>
internal sealed record MigrationSet(string ResourcePrefix, string History, string? Schema, long LockKey)
{
    /// <summary>Of the metadata database; the key is "amp-migr" in ASCII.</summary>
    public static MigrationSet Metadata { get; } = new("Amp.Migrations.", "amp_migrations", null, 0x616D702D6D696772);

    /// <summary>Of background jobs; the key is "amp-jobs" in ASCII.</summary>
    public static MigrationSet BackgroundJobs { get; } = new("Amp.BackgroundJobs.Migrations.", "amp_jobs.migrations", "amp_jobs", 0x616D702D6A6F6273);

    /// <summary>Of campaigns; the key is "amp-camp" in ASCII.</summary>
    public static MigrationSet Campaigns { get; } = new("Amp.BackgroundJobs.Campaigns.Migrations.", "amp_campaigns.migrations", "amp_campaigns", 0x616D702D63616D70);
}

/// <summary>
/// Applies the numbered migrations of a set, each in a transaction of its own, one process at a time (advisory lock). A database
/// whose tables ampd made (<c>_sqlx_migrations</c>) is never changed: only checked.
/// </summary>
internal sealed class Migrator(MetadataDatabase database, MigrationSet set, ILogger<Migrator> logger)
{
    private readonly IReadOnlyList<Migration> _migrations = Load(set.ResourcePrefix);

    public async Task<IReadOnlyList<string>> RunAsync(bool autoMigrate, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenDedicatedAsync("initializing the database", cancellationToken);
        try
        {
            // The lock goes with the connection, whatever happens.
            await connection.ExecuteAsync("SELECT pg_advisory_lock($1)", [set.LockKey], cancellationToken);
            return await RunLockedAsync(connection, autoMigrate, cancellationToken);
        }
        catch (Exception e) when (DatabaseErrors.IsDatabase(e))
        {
            throw database.Translate(e, "initializing the database");
        }
    }

    private async Task<IReadOnlyList<string>> RunLockedAsync(
        NpgsqlConnection connection, bool autoMigrate, CancellationToken cancellationToken)
    {
        var hasOurs = await HasTableAsync(connection, set.History, cancellationToken);
        if (!hasOurs && set.Schema is null && await HasTableAsync(connection, "_sqlx_migrations", cancellationToken))
        {
            await CheckColumnsAsync(connection, cancellationToken);
            Log.FoundAmpdDatabase(logger, database.Description);
            return [];
        }

        var applied = hasOurs
            ? (await connection.QueryAsync($"SELECT version, checksum FROM {set.History}", [],
                r => (Version: r.GetInt32(0), Checksum: r.GetString(1)), cancellationToken)).ToDictionary(a => a.Version, a => a.Checksum)
            : [];
        CheckApplied(applied);
        var missing = _migrations.Where(m => !applied.ContainsKey(m.Version)).ToArray();
        if (missing.Length > 0 && !autoMigrate)
        {
            throw NotInitialized(applied.Count == 0);
        }

        foreach (var migration in missing)
        {
            await ApplyAsync(connection, migration, cancellationToken);
            Log.AppliedMigration(logger, migration.Name, database.Description);
        }

        return [.. missing.Select(m => m.Name)];
    }

    private void CheckApplied(Dictionary<int, string> applied)
    {
        var newest = _migrations[^1].Version;
        if (applied.Keys.Any(version => version > newest))
        {
            throw new AmpException("DatabaseNewerThanModule", AmpErrorKind.InvalidState,
                $"The database {database.Description} has schema version {applied.Keys.Max()}; this version of Amp knows versions up to {newest}.")
            {
                Target = database.Description,
                RecommendedAction = "Update Amp on this machine: Update-Module Amp.",
            };
        }

        foreach (var migration in _migrations)
        {
            if (applied.TryGetValue(migration.Version, out var checksum) && checksum != migration.Checksum)
            {
                throw new AmpException("DatabaseMigrationChanged", AmpErrorKind.InvalidData,
                    $"Migration {migration.Name} was applied to {database.Description} with another content than this version of Amp has.")
                {
                    Target = database.Description,
                    RecommendedAction = "Use the version of Amp that initialized this database, or another database.",
                };
            }
        }
    }

    private AmpException NotInitialized(bool empty) =>
        new("DatabaseNotInitialized", AmpErrorKind.InvalidState,
            $"The database {database.Description} {(empty ? "has none of Amp's tables" : "lacks migrations")}, and metadata_db.auto_migrate is false.")
        {
            Target = database.Description,
            RecommendedAction = "Run Initialize-AmpDatabase or `ampd migrate`.",
        };

    private async Task ApplyAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        try
        {
            if (set.Schema is not null)
            {
                await connection.ExecuteAsync($"CREATE SCHEMA IF NOT EXISTS {set.Schema}", [], cancellationToken);
            }

            await connection.ExecuteAsync(
                $"""
                CREATE TABLE IF NOT EXISTS {set.History} (
                    version    INTEGER PRIMARY KEY,
                    name       TEXT NOT NULL,
                    applied_at TIMESTAMPTZ NOT NULL DEFAULT now(),
                    checksum   TEXT NOT NULL
                )
                """, [], cancellationToken);
            await connection.ExecuteAsync(migration.Text, [], cancellationToken);
            await connection.ExecuteAsync($"INSERT INTO {set.History} (version, name, checksum) VALUES ($1, $2, $3)",
                [migration.Version, migration.Name, migration.Checksum], cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.DuplicateObject)
        {
            throw new AmpException("DatabaseNotEmpty", AmpErrorKind.Conflict,
                $"Migration {migration.Name} cannot be applied to {database.Description}: {e.MessageText}. The database holds tables that are not Amp's.", e)
            {
                Target = database.Description,
                RecommendedAction = "Use an empty database.",
            };
        }
    }

    private async Task CheckColumnsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var present = await connection.QueryAsync(
            "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = ANY(current_schemas(false))",
            [], r => r.GetString(0), cancellationToken);
        var missing = RequiredColumns.All.Except(present).Order(StringComparer.Ordinal).ToArray();
        if (missing.Length > 0)
        {
            throw new AmpException("DatabaseSchemaMismatch", AmpErrorKind.InvalidState,
                $"The database {database.Description} was made by a version of ampd whose tables lack {string.Join(", ", missing)}.")
            {
                Target = database.Description,
                RecommendedAction = "Update ampd, which migrates its own database.",
            };
        }
    }

    /// <summary>Whether there is a table of that name.</summary>
    internal static async Task<bool> HasTableAsync(NpgsqlConnection connection, string table, CancellationToken cancellationToken) =>
        await connection.ScalarAsync<bool>("SELECT to_regclass($1) IS NOT NULL", [table], cancellationToken);

    private static List<Migration> Load(string prefix)
    {
        var assembly = Assembly.GetExecutingAssembly();
        return [.. assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(name =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
                var text = reader.ReadToEnd().ReplaceLineEndings("\n");
                var file = name[prefix.Length..];
                return new Migration(
                    int.Parse(file.AsSpan(0, 4), CultureInfo.InvariantCulture),
                    Path.GetFileNameWithoutExtension(file),
                    text,
                    Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))));
            })
            .OrderBy(m => m.Version)];
    }

    private sealed record Migration(int Version, string Name, string Text, string Checksum);
}
