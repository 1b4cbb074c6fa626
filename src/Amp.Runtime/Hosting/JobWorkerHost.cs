using Amp.BackgroundJobs;
using Amp.BackgroundJobs.Campaigns;
using Amp.Configuration;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging;

namespace Amp.Hosting;

/// <summary>A worker of background jobs with all it needs, running in this process until it is disposed.</summary>
public sealed class JobWorkerHost : IAsyncDisposable
{
    /// <summary>Connections beside those of handlers: the worker's own, the sweep, the relay, and what other services tell.</summary>
    private const int OwnConnections = 6;

    private static readonly TimeSpan FlushPatience = TimeSpan.FromSeconds(3);

    /// <summary>The positions of a campaign with a million users take a while.</summary>
    private static readonly JobHandlerOptions CampaignOptions = new() { TimeLimit = TimeSpan.FromMinutes(10) };

    private readonly MetadataDatabase _database;
    private readonly List<IAsyncDisposable> _parts = [];
    private JobWorker? _worker;

    private JobWorkerHost(MetadataDatabase database) => _database = database;

    /// <summary>The worker.</summary>
    public Guid WorkerId => _worker!.Id;

    /// <summary>Ends when the worker does, with <c>JobWorkerFailed</c> when it could not go on.</summary>
    public Task Completion => _worker!.Completion;

    /// <summary>Waits until somebody wants the worker to stop; the caller then disposes it.</summary>
    /// <param name="stop">Tells it to stop.</param>
    /// <exception cref="AmpException"><c>JobWorkerFailed</c> when it could not go on.</exception>
    public async Task WaitAsync(CancellationToken stop)
    {
        try
        {
            await Completion.WaitAsync(stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // As it was told to.
        }
    }

    /// <summary>Starts a worker; it is registered, beats, and brokers and topics have been proven when the task ends.</summary>
    /// <param name="deployment">Where it works; must outlive the worker.</param>
    /// <param name="handlers">What it can do; may be changed while it works.</param>
    /// <param name="options">How it works.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException"><c>JobTopicInvalid</c>, <c>BrokerUnavailable</c>, <c>JobTopicsMissing</c>, and errors of the database.</exception>
    public static async Task<JobWorkerHost> StartAsync(
        AmpDeployment deployment, JobHandlers handlers, JobWorkerOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PoolSize, 1);
        var configuration = deployment.Configuration;
        if (KafkaMapping.JobOptions(configuration) is { } kafka)
        {
            await JobTopics.RequireAsync(kafka, cancellationToken);
        }

        var host = new JobWorkerHost(await deployment.ConnectForJobsAsync(options.PoolSize + OwnConnections, loggers, cancellationToken));
        try
        {
            await host.StartAsync(configuration, handlers, options, loggers, cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>How the configuration wants a worker to work.</summary>
    /// <param name="configuration">The configuration.</param>
    public static JobWorkerOptions OptionsOf(AmpConfiguration configuration) =>
        new() { PoolSize = configuration.BackgroundJobs.PoolSize, DrainTimeout = configuration.BackgroundJobs.DrainTimeout };

    /// <summary>What it says when it starts.</summary>
    /// <param name="deployment">Where the worker works.</param>
    /// <param name="options">How it works.</param>
    public static IEnumerable<string> Describe(AmpDeployment deployment, JobWorkerOptions options)
    {
        var jobs = deployment.Configuration.BackgroundJobs;
        yield return "Kafka job worker server configuration:";
        yield return $"  - Event-driven jobs: {options.PoolSize} concurrent workers";
        if (jobs.Brokers.Count == 0)
        {
            yield return "  - No Kafka brokers: jobs are taken from the database";
            yield break;
        }

        yield return $"  - Kafka brokers: [{string.Join(' ', jobs.Brokers)}]";
        yield return $"  - Kafka topic: {jobs.Topic}";
        yield return $"  - Consumer group: {jobs.ConsumerGroup}";
    }

    /// <summary>Stops the worker: its jobs go on for the drain time, what remains is given back; events that wait are sent.</summary>
    public async ValueTask DisposeAsync()
    {
        // The worker was the last to begin, and so is the first to end; what it said at last is sent.
        for (var i = _parts.Count - 1; i >= 0; i--)
        {
            if (_parts[i] is OutboxRelay relay)
            {
                await relay.FlushAsync(FlushPatience);
            }

            await _parts[i].DisposeAsync();
        }

        await _database.DisposeAsync();
    }

    internal static JobQueue NewQueue(AmpConfiguration configuration, MetadataDatabase database) => new(database, KafkaMapping.JobOptions(configuration)?.Topic);

    private async Task StartAsync(
        AmpConfiguration configuration, JobHandlers handlers, JobWorkerOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var (jobs, kafka, queue) = (configuration.BackgroundJobs, KafkaMapping.JobOptions(configuration), NewQueue(configuration, _database));
        await queue.InitializeAsync(configuration.MetadataDb.AutoMigrate, cancellationToken);
        if (options.RunsCampaigns)
        {
            await CampaignHandlers.InitializeAsync(_database, configuration.MetadataDb.AutoMigrate, cancellationToken);
            foreach (var (types, handler) in CampaignHandlers.Create(_database, configuration.Smtp, configuration.TemplatesDir))
            {
                handlers.SetDefault(types, handler, CampaignOptions);
            }
        }

        var inbox = new InboxTable(_database);
        if (kafka is not null)
        {
            _parts.Add(new OutboxRelay(new OutboxTable(_database), kafka, TimeProvider.System, loggers.CreateLogger<OutboxRelay>()));
            _parts.Add(new ControlFeed(inbox, queue, kafka, TimeProvider.System, loggers.CreateLogger<ControlFeed>()));
        }

        _parts.Add(new JobSweeper(queue, new TenantsTable(_database, kafka?.Topic), TimeProvider.System, loggers.CreateLogger<JobSweeper>()));
        var feed = kafka is null ? null : new JobFeed(kafka, jobs.ConsumerGroup, inbox, TimeProvider.System, loggers.CreateLogger<JobFeed>());
        try
        {
            _parts.Add(_worker = new JobWorker(_database, queue, feed, jobs.Topic, handlers, options, TimeProvider.System, loggers.CreateLogger<JobWorker>()));
        }
        catch when (feed is not null)
        {
            await feed.DisposeAsync();
            throw;
        }
    }
}
