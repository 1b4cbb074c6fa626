using System.Globalization;
using System.Reflection;
using Amp.Configuration;
using Amp.Events;
using Amp.Workers;
using Microsoft.Extensions.Logging;

namespace Amp.Hosting;

/// <summary>A worker with all it needs, running in this process until it is disposed.</summary>
public sealed class WorkerHost : IAsyncDisposable
{
    private readonly AmpDeployment _deployment;
    private readonly WorkerService _worker;
    private readonly KafkaSyncEventSink? _events;
    private readonly IDisposable? _metrics;

    private WorkerHost(AmpDeployment deployment, WorkerService worker, KafkaSyncEventSink? events, IDisposable? metrics)
    {
        _metrics = metrics;
        _deployment = deployment;
        _worker = worker;
        _events = events;
    }

    /// <summary>The worker's name.</summary>
    public string NodeId => _worker.NodeId;

    /// <summary>What it is doing.</summary>
    public WorkerState State => _worker.State;

    /// <summary>What last went wrong; null when nothing is wrong.</summary>
    public Exception? LastError => _worker.LastError;

    /// <summary>Ends when the worker does.</summary>
    public Task Completion => _worker.Completion;

    /// <summary>Starts a worker; it is registered, holds its name, beats and listens when the task ends.</summary>
    /// <param name="deployment">Where it works; must outlive the worker.</param>
    /// <param name="nodeId">Its name.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException"><c>InvalidNodeId</c>, <c>NodeIdInUse</c>, <c>StorageNotWritable</c>, and errors of the database.</exception>
    public static async Task<WorkerHost> StartAsync(
        AmpDeployment deployment, string nodeId, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        Configuration.NodeId.Validate(nodeId);
        var configuration = deployment.Configuration;
        await new Storage.SegmentStore(configuration.DataDir).EnsureWritableAsync(cancellationToken);
        var events = KafkaMapping.Options(configuration) is { } kafka
            ? new KafkaSyncEventSink(kafka, nodeId, TimeProvider.System, loggers.CreateLogger<KafkaSyncEventSink>())
            : null;
        var executor = new MaterializeRawExecutor(
            configuration, deployment.Database, (ISyncEventSink?)events ?? NullSyncEventSink.Instance, TimeProvider.System, loggers);
        var build = BuildInfo();
        var worker = new WorkerService(deployment.Database, nodeId, build, executor, loggers);
        var host = new WorkerHost(deployment, worker, events, MetricsExport.Start(configuration.OpenTelemetry, nodeId, build.Version));
        try
        {
            await worker.StartAsync(cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a worker until it is told to stop, then stops it in an orderly way.</summary>
    /// <param name="deployment">Where it works.</param>
    /// <param name="nodeId">Its name.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="stop">Tells it to stop.</param>
    /// <exception cref="AmpException">As <see cref="StartAsync"/>; <c>WorkerEnded</c> when it ended without being told to.</exception>
    public static async Task RunAsync(AmpDeployment deployment, string nodeId, ILoggerFactory loggers, CancellationToken stop)
    {
        await using var host = await StartAsync(deployment, nodeId, loggers, stop);
        await host.WaitAsync(stop);
    }

    /// <summary>Waits until somebody wants the worker to stop; the caller then disposes it.</summary>
    /// <param name="stop">Tells it to stop.</param>
    /// <exception cref="AmpException"><c>WorkerEnded</c> when it ended without being told to.</exception>
    public async Task WaitAsync(CancellationToken stop)
    {
        await Completion.WaitAsync(stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!stop.IsCancellationRequested && State is WorkerState.Failed)
        {
            throw new AmpException(
                "WorkerEnded", AmpErrorKind.InvalidState, $"Worker '{NodeId}' ended: {LastError?.Message ?? "for no known reason"}", LastError)
            {
                Target = NodeId,
                RecommendedAction = $"See who has its name now: Get-AmpWorker {NodeId} | Format-List",
            };
        }
    }

    /// <summary>A name for a worker, or <c>NodeIdRequired</c> or <c>InvalidNodeId</c>.</summary>
    /// <param name="nodeId">What was given; null when nothing was.</param>
    public static string RequireNodeId(string? nodeId) => Configuration.NodeId.Validate(nodeId ?? throw new AmpException(
        "NodeIdRequired", AmpErrorKind.InvalidInput, "A worker needs a node id, and none was given.")
    {
        RecommendedAction = "Give --node-id, or set AMP_NODE_ID.",
    });

    /// <summary>The worker as the metadata database knows it.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<AmpWorker> DescribeAsync(CancellationToken cancellationToken) =>
        await _deployment.Database.Workers.GetAsync(NodeId, cancellationToken)
        ?? throw new AmpException("WorkerNotFound", AmpErrorKind.NotFound, $"Worker '{NodeId}' is not registered.") { Target = NodeId };

    /// <summary>Waits until the events emitted so far are with the broker; false when the time ran out.</summary>
    /// <param name="timeout">How long to wait at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<bool> FlushEventsAsync(TimeSpan timeout, CancellationToken cancellationToken) =>
        _events?.FlushAsync(timeout, cancellationToken) ?? Task.FromResult(true);

    /// <summary>Stops the worker: its jobs end at their last commit and are resumed at its next start; events are flushed.</summary>
    public async ValueTask DisposeAsync()
    {
        await _worker.DisposeAsync();
        if (_events is not null)
        {
            await _events.DisposeAsync();
        }

        // Last, so that the counts of the end are sent as well.
        _metrics?.Dispose();
    }

    private static AmpBuildInfo BuildInfo()
    {
        var assembly = typeof(WorkerHost).Assembly;
        var version = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+') ?? [];
        var commitTime = assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(attribute => attribute.Key == "CommitTimestamp")?.Value;
        return new AmpBuildInfo(
            version.ElementAtOrDefault(0),
            version.ElementAtOrDefault(1),
            DateTimeOffset.TryParse(commitTime, CultureInfo.InvariantCulture, out var time) ? time.ToUniversalTime() : null,
            File.Exists(assembly.Location) ? new DateTimeOffset(File.GetLastWriteTimeUtc(assembly.Location), TimeSpan.Zero) : null);
    }
}
