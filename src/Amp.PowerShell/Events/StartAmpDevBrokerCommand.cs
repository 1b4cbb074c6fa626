using System.Management.Automation;
using Amp.BackgroundJobs;
using Amp.Events;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Events;

/// <summary>Starts a Kafka broker for development in this process: on loopback, in memory, one node.</summary>
[Cmdlet(VerbsLifecycle.Start, "AmpDevBroker", SupportsShouldProcess = true)]
[OutputType(typeof(AmpDevBroker))]
public sealed class StartAmpDevBrokerCommand : AmpCmdlet
{
    /// <summary>Topics to make; those of sync events and of background jobs when left out.</summary>
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    public string[] Topic { get; set; } = ["amp.worker.events", JobTopics.Work, .. JobTopics.Events];

    /// <summary>Partitions of each topic.</summary>
    [Parameter]
    [ValidateRange(1, 1_000)]
    public int Partitions { get; set; } = 16;

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (!ShouldProcess(string.Join(", ", Topic), "Start development broker"))
        {
            return;
        }

        var options = new DevBrokerOptions { Topics = [.. Topic.Select(topic => new DevBrokerTopic(topic, Partitions))] };
        RunOrThrow(async (pipeline, cancellationToken) =>
        {
            var broker = await DevBroker.StartAsync(options, cancellationToken: cancellationToken);
            AmpSession.Brokers.Add(broker.BootstrapServers, broker, RunspaceId);
            await pipeline.OutputAsync(new AmpDevBroker { BootstrapServers = broker.BootstrapServers, Topics = Topic });
        });
    }
}
