using System.Management.Automation;
using Amp.Events;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Events;

/// <summary>A cmdlet that reads sync events: which ones, and from where.</summary>
public abstract class SyncEventCmdlet : AmpCmdlet
{
    /// <summary>Only these types.</summary>
    [Parameter(Position = 0)]
    [ValidateSet("sync.started", "sync.progress", "sync.completed", "sync.failed")]
    public string[] EventType { get; set; } = [];

    /// <summary>Only these datasets, as <c>namespace/name</c>; wildcards are allowed.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [SupportsWildcards]
    public string[]? Dataset { get; set; }

    /// <summary>Only these tables; wildcards are allowed.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(TableCompleter))]
    [SupportsWildcards]
    public string[]? Table { get; set; }

    /// <summary>Only these jobs.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    public long[] JobId { get; set; } = [];

    /// <summary>Only events of these workers, by node id; wildcards are allowed.</summary>
    [Parameter]
    [Alias("NodeId")]
    [ArgumentCompleter(typeof(NodeIdCompleter))]
    [SupportsWildcards]
    public string[]? WorkerId { get; set; }

    /// <summary>
    /// Name of a consumer group that keeps a bookmark: reading begins where the group left off, and what the pipeline is done with is
    /// committed.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Group { get; set; }

    /// <summary>Brokers to read from; the configuration's when left out.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LocalBrokerCompleter))]
    public string[]? BootstrapServers { get; set; }

    /// <summary>Topic to read; the configuration's when left out.</summary>
    [Parameter]
    public string? Topic { get; set; }

    /// <summary>What the parameters select.</summary>
    private protected SyncEventReadOptions Options => new()
    {
        EventTypes = EventType,
        Datasets = Dataset ?? [],
        Tables = Table ?? [],
        JobIds = JobId,
        WorkerIds = WorkerId ?? [],
        Group = Group,
    };

    /// <summary>What reads the topic that the parameters, or else the configuration, name.</summary>
    private protected async Task<SyncEventReader> OpenAsync(string location, CancellationToken cancellationToken)
    {
        var kafka = BootstrapServers is null
            ? await ConfiguredAsync(location, RunspaceId, cancellationToken)
            : new KafkaEventOptions { Brokers = BootstrapServers };
        return new SyncEventReader(Topic is null ? kafka : kafka with { Topic = Topic });
    }

    /// <summary>Where the session's deployment sends its events.</summary>
    internal static async Task<KafkaEventOptions> ConfiguredAsync(string location, Guid runspaceId, CancellationToken cancellationToken)
    {
        await using var session = await AmpSession.GetAsync(location, runspaceId, cancellationToken);
        return session.Deployment.RequireKafka();
    }
}
