using System.Management.Automation;
using Amp.Events;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Events;

/// <summary>Reads sync events from Kafka; ends at the end of the topic unless told to follow it.</summary>
[Cmdlet(VerbsCommon.Get, "AmpSyncEvent")]
[OutputType(typeof(AmpSyncEvent))]
public sealed class GetAmpSyncEventCommand : AmpCmdlet
{
    /// <summary>Reads all events the topic has; the default unless <see cref="Since"/> or <see cref="Follow"/> is given.</summary>
    [Parameter]
    public SwitchParameter FromBeginning { get; set; }

    /// <summary>Reads from this time on.</summary>
    [Parameter]
    public DateTimeOffset? Since { get; set; }

    /// <summary>Waits for new events until Ctrl+C; starts with new ones unless told where to begin.</summary>
    [Parameter]
    public SwitchParameter Follow { get; set; }

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

    /// <summary>Ends after so many events.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int First { get; set; } = int.MaxValue;

    /// <summary>Brokers to read from; the configuration's when left out.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LocalBrokerCompleter))]
    public string[]? BootstrapServers { get; set; }

    /// <summary>Topic to read; the configuration's when left out.</summary>
    [Parameter]
    public string? Topic { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var location = Location;
        Run(async (pipeline, cancellationToken) =>
        {
            var kafka = BootstrapServers is null
                ? await ConfiguredAsync(location, cancellationToken)
                : new KafkaEventOptions { Brokers = BootstrapServers };
            var options = new SyncEventReadOptions
            {
                From = Follow && !FromBeginning ? SyncEventReadStart.End : SyncEventReadStart.Beginning,
                Since = Since,
                Follow = Follow,
                EventTypes = EventType,
                Datasets = Dataset ?? [],
                Tables = Table ?? [],
                JobIds = JobId,
            };
            var left = First;
            await foreach (var result in new SyncEventReader(Topic is null ? kafka : kafka with { Topic = Topic })
                .ReadAsync(options, cancellationToken))
            {
                if (result.Error is { } error)
                {
                    await pipeline.ErrorAsync(error);
                }
                else
                {
                    await pipeline.OutputAsync(result.Event!);
                    if (--left == 0)
                    {
                        return;
                    }
                }
            }
        });
    }

    private async Task<KafkaEventOptions> ConfiguredAsync(string location, CancellationToken cancellationToken)
    {
        await using var session = await AmpSession.GetAsync(location, RunspaceId, cancellationToken);
        return session.Deployment.RequireKafka();
    }
}
