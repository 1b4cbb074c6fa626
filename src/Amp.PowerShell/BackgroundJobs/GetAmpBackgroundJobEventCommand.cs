using System.Management.Automation;
using Amp.BackgroundJobs;
using Amp.Events;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Reads the events of background jobs and quotas from Kafka; ends at the end of the topics unless told to follow them.</summary>
[Cmdlet(VerbsCommon.Get, "AmpBackgroundJobEvent")]
[OutputType(typeof(AmpBackgroundJobEvent))]
public sealed class GetAmpBackgroundJobEventCommand : AmpCmdlet
{
    /// <summary>Only events of these names, such as <c>completed</c> or <c>dlq.*</c>.</summary>
    [Parameter(Position = 0)]
    [ArgumentCompleter(typeof(JobEventNameCompleter))]
    [SupportsWildcards]
    public string[] Name { get; set; } = [];

    /// <summary>Only events of these jobs.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(BackgroundJobIdCompleter))]
    public Guid[]? JobId { get; set; } = [];

    /// <summary>Only events of jobs of these types; wildcards are allowed.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(BackgroundJobTypeCompleter))]
    [SupportsWildcards]
    public string[] Type { get; set; } = [];

    /// <summary>Only events of these tenants.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(TenantCompleter))]
    public Guid[] TenantId { get; set; } = [];

    /// <summary>Leaves out what is older than this time.</summary>
    [Parameter]
    public DateTimeOffset? Since { get; set; }

    /// <summary>Waits for new events until Ctrl+C; starts with new ones unless <see cref="FromBeginning"/> or <see cref="Since"/> is given.</summary>
    [Parameter]
    public SwitchParameter Follow { get; set; }

    /// <summary>Reads all events that the topics have, also when following.</summary>
    [Parameter]
    public SwitchParameter FromBeginning { get; set; }

    /// <summary>Ends after so many events.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int First { get; set; } = int.MaxValue;

    /// <summary>Brokers to read from; the configuration's when left out.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(LocalBrokerCompleter))]
    public string[]? BootstrapServers { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        // An event of a quota has no job.
        if (JobId is null)
        {
            return;
        }

        var location = Location;
        var query = new BackgroundJobEventQuery
        {
            Names = Name,
            Types = Type,
            TenantIds = TenantId,
            JobIds = JobId,
            Since = Since,
            Follow = Follow,
            FromBeginning = !Follow || FromBeginning || Since is not null,
        };
        Run(async (pipeline, cancellationToken) =>
        {
            var reader = BootstrapServers is null
                ? await ConfiguredAsync(location, cancellationToken)
                : new BackgroundJobEventReader(new KafkaEventOptions { Brokers = BootstrapServers, Topic = JobTopics.Work });
            var left = First;
            await foreach (var told in reader.ReadAsync(query, cancellationToken))
            {
                await pipeline.OutputAsync(told);
                if (--left == 0)
                {
                    return;
                }
            }
        });
    }

    private async Task<BackgroundJobEventReader> ConfiguredAsync(string location, CancellationToken cancellationToken)
    {
        await using var session = await AmpSession.GetAsync(location, RunspaceId, cancellationToken);
        return (await session.Deployment.OpenBackgroundJobsAsync(cancellationToken)).Events();
    }
}
