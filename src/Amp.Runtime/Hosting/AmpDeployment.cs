using Amp.Configuration;
using Amp.Datasets;
using Amp.Events;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Hosting;

/// <summary>
/// A connection to an Amp deployment: its configuration, its metadata database and, in solo mode, the database server
/// itself, which ends with it; or no more than the address of its Admin API.
/// </summary>
public sealed class AmpDeployment : IAsyncDisposable
{
    private readonly AmpConfiguration? _configuration;
    private readonly MetadataDatabase? _database;
    private readonly SoloServer? _server;
    private readonly string? _databaseUrl;
    private AmpBackgroundJobs? _backgroundJobs;

    private AmpDeployment(AmpConfiguration configuration, string databaseUrl, MetadataDatabase database, SoloServer? server)
    {
        _databaseUrl = databaseUrl;
        _configuration = configuration;
        _database = database;
        _server = server;
        Client = new DatabaseAmpClient(configuration, database);
        Connection = new AmpConnection
        {
            MetadataDb = database.Description,
            ConfigPath = configuration.IsFromFile ? configuration.Path : null,
            DataDir = configuration.DataDir,
            ProvidersDir = configuration.ProvidersDir,
            ManifestsDir = configuration.ManifestsDir,
            KafkaBrokers = configuration.WorkerEvents.Enabled ? configuration.WorkerEvents.Kafka.Brokers : [],
            IsSolo = server is not null,
        };
    }

    private AmpDeployment(HttpAmpClient client)
    {
        Client = client;
        Connection = new AmpConnection { Uri = client.Address };
    }

    /// <summary>Whether it is reached over HTTP, so that there is no more than <see cref="Client"/> and <see cref="Connection"/>.</summary>
    public bool IsRemote => Connection.Uri is not null;

    /// <summary>The configuration it was opened with.</summary>
    /// <exception cref="AmpException"><c>DatabaseConnectionRequired</c> when it <see cref="IsRemote"/>.</exception>
    public AmpConfiguration Configuration => _configuration ?? throw NeedsDatabase();

    /// <summary>What to ask of it.</summary>
    public IAmpClient Client { get; }

    /// <summary>Where it is, to show to a user.</summary>
    public AmpConnection Connection { get; }

    /// <summary>Its tables, as far as their files are concerned.</summary>
    /// <exception cref="AmpException"><c>DatabaseConnectionRequired</c> when it <see cref="IsRemote"/>.</exception>
    public AmpTables Tables => new(Configuration, Database, Client);

    /// <summary>Its background jobs, whose tables are made when they are not there.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException"><c>DatabaseConnectionRequired</c> when it <see cref="IsRemote"/>; <c>DatabaseNotInitialized</c>, <c>DatabaseNewerThanModule</c>.</exception>
    public async Task<AmpBackgroundJobs> OpenBackgroundJobsAsync(CancellationToken cancellationToken) =>
        _backgroundJobs ??= await AmpBackgroundJobs.OpenAsync(this, cancellationToken);

    /// <summary>Its background jobs, or null when it has no tables of them or is reached over HTTP. Makes none.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException"><c>DatabaseNewerThanModule</c>; errors of the database.</exception>
    public async Task<AmpBackgroundJobs?> FindBackgroundJobsAsync(CancellationToken cancellationToken) =>
        !IsRemote && await Database.RunAsync(
            "looking for background jobs", connection => Migrator.HasTableAsync(connection, MigrationSet.BackgroundJobs.History, cancellationToken), null, cancellationToken)
            ? await OpenBackgroundJobsAsync(cancellationToken)
            : null;

    internal MetadataDatabase Database => _database ?? throw NeedsDatabase();

    /// <summary>Connects to the same database once more, with a pool of its own, for the statements of a queue.</summary>
    internal Task<MetadataDatabase> ConnectForJobsAsync(int poolSize, ILoggerFactory loggers, CancellationToken cancellationToken) =>
        MetadataDatabase.ConnectAsync(_databaseUrl ?? throw NeedsDatabase(), poolSize, preparedStatements: 50, loggers, cancellationToken);

    /// <summary>
    /// Finds and reads the configuration: the file given, else what <c>AMP_CONFIG</c> names, else <c>.amp/config.toml</c>.
    /// </summary>
    /// <param name="path">A file, or null to look for it.</param>
    /// <param name="folder">The folder that relative paths start from.</param>
    /// <exception cref="AmpException"><c>ConfigurationNotFound</c>, <c>InvalidConfiguration</c> and others of <see cref="AmpConfiguration"/>.</exception>
    public static AmpConfiguration FindConfiguration(string? path, string folder) =>
        AmpConfiguration.Load(AmpConfiguration.Find(path, currentFolder: folder));

    /// <summary>
    /// Connects to the deployment that a configuration describes, and creates or updates its tables where it allows that.
    /// Without a database address, the private server of solo mode beside the configuration is meant; it is started when it
    /// does not run, and then ends with this object.
    /// </summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException"><c>MetadataDbNotConfigured</c>, <c>DatabaseUnavailable</c>, <c>DatabaseAccessDenied</c>,
    /// <c>DatabaseNotInitialized</c>, <c>DatabaseNewerThanModule</c>.</exception>
    public static async Task<AmpDeployment> OpenAsync(
        AmpConfiguration configuration, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        if (configuration.MetadataDb.Url is not null)
        {
            var url = DatabaseUrl(configuration);
            return new AmpDeployment(configuration, url, await ConnectAsync(configuration, url, loggers, cancellationToken), server: null);
        }

        return AmpDirectory.HasDatabase(configuration)
            ? await OpenManagedAsync(configuration, loggers, cancellationToken)
            : throw NotConfigured(configuration);
    }

    /// <summary>
    /// Opens the deployment in a solo folder: makes the folder and what belongs in it, starts the private database server
    /// unless the configuration names another or it runs already, and connects.
    /// </summary>
    /// <param name="folder">The folder, such as <c>.amp</c>.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException">As <see cref="OpenAsync"/>, and what <see cref="ManagedPostgres"/> throws.</exception>
    public static async Task<AmpDeployment> OpenSoloAsync(string folder, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var configuration = AmpDirectory.Prepare(folder);
        return configuration.MetadataDb.Url is not null
            ? await OpenAsync(configuration, loggers, cancellationToken)
            : await OpenManagedAsync(configuration, loggers, cancellationToken);
    }

    /// <summary>Connects to the Admin API of a deployment's controller, and makes sure that it answers.</summary>
    /// <param name="address">Where it listens, such as <c>http://127.0.0.1:1610</c>.</param>
    /// <param name="token">The bearer token it asks for; null when it asks for none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException"><c>AdminApiAddressInvalid</c>, <c>AdminApiUnavailable</c>, <c>AdminApiAccessDenied</c>,
    /// <c>AdminApiAnswerInvalid</c>.</exception>
    public static async Task<AmpDeployment> OpenRemoteAsync(Uri address, Secret? token, CancellationToken cancellationToken)
    {
        var client = new HttpAmpClient(address, token);
        try
        {
            await foreach (var _ in client.GetJobsAsync(new JobQuery { Limit = 1 }, cancellationToken))
            {
            }

            return new AmpDeployment(client);
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates or updates the tables of a database, those of background jobs among them.</summary>
    /// <param name="configuration">The configuration that names it.</param>
    /// <param name="cancellationToken">Gives up between two migrations; each is applied whole or not at all.</param>
    /// <returns>Names of the migrations that were applied; empty when the database was up to date.</returns>
    public static async Task<IReadOnlyList<string>> MigrateAsync(AmpConfiguration configuration, CancellationToken cancellationToken)
    {
        await using var database = await MetadataDatabase.ConnectAsync(
            DatabaseUrl(configuration), configuration.MetadataDb.PoolSize, NullLoggerFactory.Instance, cancellationToken);
        var applied = new List<string>();
        foreach (var set in (MigrationSet[])[MigrationSet.Metadata, MigrationSet.BackgroundJobs, MigrationSet.Campaigns])
        {
            applied.AddRange(await database.InitializeAsync(set, autoMigrate: true, cancellationToken));
        }

        return applied;
    }

    /// <summary>The database's address without its password, to show to a user.</summary>
    /// <param name="configuration">The configuration that names it.</param>
    public static string DatabaseName(AmpConfiguration configuration) => Redaction.Url(DatabaseUrl(configuration));

    /// <summary>Disconnects; a private database server ends when no other deployment of this process uses it.</summary>
    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        if (_database is not null)
        {
            await _database.DisposeAsync();
        }

        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    /// <summary>Where sync events are; throws <c>SyncEventsNotConfigured</c>.</summary>
    public KafkaEventOptions RequireKafka() => KafkaMapping.Options(Configuration) ?? throw new AmpException(
        "SyncEventsNotConfigured", AmpErrorKind.InvalidInput, $"{Configuration.Path} does not enable sync events, so there are none to read.")
    {
        Target = Configuration.Path,
        RecommendedAction = "Set worker_events.enabled = true and worker_events.kafka.brokers there, or give -BootstrapServers.",
    };

    private AmpException NeedsDatabase() => new(
        "DatabaseConnectionRequired", AmpErrorKind.InvalidState, $"The session is connected to {Connection.Uri} only, and this needs the deployment's configuration, database and files.")
    {
        Target = Connection.Uri,
        RecommendedAction = "Connect where they are: Connect-Amp -ConfigPath …, or Connect-Amp -MetadataDb …",
    };

    private static async Task<AmpDeployment> OpenManagedAsync(
        AmpConfiguration configuration, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var server = await SoloServer.HoldAsync(AmpDirectory.DatabaseFolder(configuration), loggers, cancellationToken);
        try
        {
            return new AmpDeployment(
                configuration, server.ConnectionUrl, await ConnectAsync(configuration, server.ConnectionUrl, loggers, cancellationToken), server);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    private static async Task<MetadataDatabase> ConnectAsync(
        AmpConfiguration configuration, string url, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var database = await MetadataDatabase.ConnectAsync(url, configuration.MetadataDb.PoolSize, loggers, cancellationToken);
        try
        {
            await database.InitializeAsync(configuration.MetadataDb.AutoMigrate, cancellationToken);
            return database;
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    private static string DatabaseUrl(AmpConfiguration configuration) =>
        configuration.MetadataDb.Url?.Reveal() ?? throw NotConfigured(configuration);

    private static AmpException NotConfigured(AmpConfiguration configuration) => new(
        "MetadataDbNotConfigured", AmpErrorKind.InvalidInput, $"{configuration.Path} has no metadata_db.url, and there is no solo server beside it.")
    {
        Target = configuration.Path,
        RecommendedAction = "Set metadata_db.url there, or start solo mode: Start-AmpWorker -NodeId worker -Solo",
    };
}
