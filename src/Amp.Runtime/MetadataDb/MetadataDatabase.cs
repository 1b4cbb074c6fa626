using System.Data.Common;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Amp.MetadataDb;

/// <summary>
/// The metadata database: a pool of connections and one object per family of tables. Safe for use by many threads.
/// Every failure is an <see cref="AmpException"/> that names host, port and database, never the password.
/// </summary>
public sealed class MetadataDatabase : IAsyncDisposable
{
    private const int ConnectTimeoutSeconds = 5;

    private readonly NpgsqlDataSource _pool;
    private readonly NpgsqlDataSource _dedicated;
    private readonly ILoggerFactory _loggerFactory;

    private MetadataDatabase(NpgsqlConnectionStringBuilder settings, ILoggerFactory loggerFactory)
    {
        Description = settings.Host!.StartsWith('/')
            ? $"{settings.Host}/.s.PGSQL.{settings.Port}/{settings.Database}"
            : settings.Host.Contains(',', StringComparison.Ordinal)
                ? $"{settings.Host}/{settings.Database}"
                : $"{settings.Host}:{settings.Port}/{settings.Database}";
        _loggerFactory = loggerFactory;
        _pool = new NpgsqlDataSourceBuilder(settings.ConnectionString).Build();
        var dedicated = new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Pooling = false };
        _dedicated = new NpgsqlDataSourceBuilder(dedicated.ConnectionString).Build();
        Workers = new WorkersTable(this);
        Jobs = new JobsTable(this);
        Manifests = new ManifestsTable(this);
        PhysicalTables = new PhysicalTablesTable(this);
        Files = new FilesTable(this);
    }

    /// <summary>Host, port and name, as in <c>db.example.org:5432/amp</c>; for messages.</summary>
    public string Description { get; }

    /// <summary>The fleet: table <c>workers</c>.</summary>
    public WorkersTable Workers { get; }

    /// <summary>Jobs, their states and events: tables <c>jobs</c>, <c>jobs_status</c>, <c>job_events</c>.</summary>
    public JobsTable Jobs { get; }

    /// <summary>Datasets and versions: tables <c>manifest_files</c>, <c>dataset_manifests</c>, <c>tags</c>.</summary>
    public ManifestsTable Manifests { get; }

    /// <summary>Tables of datasets and where they are: <c>physical_tables</c>, <c>physical_table_revisions</c>.</summary>
    public PhysicalTablesTable PhysicalTables { get; }

    /// <summary>Parquet files: tables <c>file_metadata</c>, <c>footer_cache</c>.</summary>
    public FilesTable Files { get; }

    /// <summary>Connects, and proves that the database answers.</summary>
    /// <param name="postgresUrl">A <c>postgresql://</c> URL (a socket's folder as <c>?host=/folder</c>) or an ADO.NET connection string.</param>
    /// <param name="poolSize">Most connections of the pool, 1 or more; a worker uses two more of its own.</param>
    /// <param name="loggerFactory">Where log lines go.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException">
    /// <c>DatabaseUrlInvalid</c>, <c>DatabaseUnavailable</c> (transient; within 5 seconds), <c>DatabaseAccessDenied</c>, <c>DatabaseNotFound</c>.
    /// </exception>
    public static Task<MetadataDatabase> ConnectAsync(
        string postgresUrl, int poolSize, ILoggerFactory loggerFactory, CancellationToken cancellationToken = default) =>
        ConnectAsync(postgresUrl, poolSize, preparedStatements: 0, loggerFactory, cancellationToken);

    /// <summary>As the other, for a pool whose connections run the same few statements again and again, which are then prepared.</summary>
    internal static async Task<MetadataDatabase> ConnectAsync(
        string postgresUrl, int poolSize, int preparedStatements, ILoggerFactory loggerFactory, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(postgresUrl);
        ArgumentOutOfRangeException.ThrowIfLessThan(poolSize, 1);
        var settings = PostgresUrl.Parse(postgresUrl);

        // The typed builder cannot tell a value that was given from a default.
        var given = new DbConnectionStringBuilder { ConnectionString = settings.ConnectionString };
        if (!given.ContainsKey("Timeout"))
        {
            settings.Timeout = ConnectTimeoutSeconds;
        }

        if (!given.ContainsKey("GSS Encryption Mode"))
        {
            settings.GssEncryptionMode = GssEncryptionMode.Disable;
        }

        settings.ApplicationName ??= "amp";
        settings.MaxPoolSize = poolSize;
        settings.MaxAutoPrepare = preparedStatements;
        settings.Timezone = "UTC";
        settings.Enlist = false;
        settings.PersistSecurityInfo = false;

        var database = new MetadataDatabase(settings, loggerFactory);
        try
        {
            await database.RunAsync("connecting", connection => connection.ScalarAsync<int>("SELECT 1", [], cancellationToken),
                null, cancellationToken);
            return database;
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes the schema what this version needs, or says why it cannot be used.</summary>
    /// <param name="autoMigrate">Whether missing migrations may be applied.</param>
    /// <param name="cancellationToken">Gives up; what is applied stays applied.</param>
    /// <returns>Names of the migrations applied now; empty when there was nothing to do.</returns>
    /// <exception cref="AmpException">
    /// <c>DatabaseNotInitialized</c>, <c>DatabaseNewerThanModule</c>, <c>DatabaseSchemaMismatch</c>, <c>DatabaseNotEmpty</c>,
    /// <c>DatabaseMigrationChanged</c>.
    /// </exception>
    public Task<IReadOnlyList<string>> InitializeAsync(bool autoMigrate, CancellationToken cancellationToken = default) =>
        InitializeAsync(MigrationSet.Metadata, autoMigrate, cancellationToken);

    /// <summary>Creates or updates the tables of one set of migrations.</summary>
    internal Task<IReadOnlyList<string>> InitializeAsync(MigrationSet set, bool autoMigrate, CancellationToken cancellationToken) =>
        new Migrator(this, set, _loggerFactory.CreateLogger<Migrator>()).RunAsync(autoMigrate, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _pool.DisposeAsync();
        await _dedicated.DisposeAsync();
    }

    /// <summary>Starts a transaction for methods of several tables; dispose it to roll back. Dispose its connection too.</summary>
    internal async Task<NpgsqlTransaction> BeginAsync(CancellationToken cancellationToken)
    {
        NpgsqlConnection? connection = null;
        try
        {
            connection = await _pool.OpenConnectionAsync(cancellationToken);
            return await connection.BeginTransactionAsync(cancellationToken);
        }
        catch (Exception e) when (DatabaseErrors.IsDatabase(e))
        {
            await (connection?.DisposeAsync() ?? ValueTask.CompletedTask);
            throw Translate(e, "beginning a transaction");
        }
    }

    /// <summary>Opens a connection outside the pool, for locks and LISTEN: it lives as long as its owner keeps it.</summary>
    internal async Task<NpgsqlConnection> OpenDedicatedAsync(string action, CancellationToken cancellationToken)
    {
        try
        {
            return await _dedicated.OpenConnectionAsync(cancellationToken);
        }
        catch (Exception e) when (DatabaseErrors.IsDatabase(e))
        {
            throw Translate(e, action);
        }
    }

    /// <summary>As <see cref="OpenDedicatedAsync"/>, for a thread that must not depend on the thread pool.</summary>
    internal NpgsqlConnection OpenDedicated() => _dedicated.OpenConnection();

    /// <summary>Runs statements on a pooled connection, or on the given transaction's.</summary>
    internal async Task<T> RunAsync<T>(
        string action, Func<NpgsqlConnection, Task<T>> work, NpgsqlTransaction? transaction, CancellationToken cancellationToken)
    {
        try
        {
            if (transaction is not null)
            {
                return await work(transaction.Connection!);
            }

            await using var connection = await _pool.OpenConnectionAsync(cancellationToken);
            return await work(connection);
        }
        catch (Exception e) when (DatabaseErrors.IsDatabase(e))
        {
            throw Translate(e, action);
        }
    }

    /// <summary>Runs statements in a transaction of their own, or as part of the given one (which the caller commits).</summary>
    internal Task<T> RunInTransactionAsync<T>(
        string action, Func<NpgsqlConnection, Task<T>> work, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        transaction is not null
            ? RunAsync(action, work, transaction, cancellationToken)
            : RunAsync(action, async connection =>
            {
                await using var own = await connection.BeginTransactionAsync(cancellationToken);
                var result = await work(connection);
                await own.CommitAsync(cancellationToken);
                return result;
            }, null, cancellationToken);

    internal AmpException Translate(Exception exception, string action) =>
        DatabaseErrors.Translate(exception, action, Description);
}
