using System.Management.Automation;
using Amp.Events;

namespace Amp.PowerShell.Events;

/// <summary>Reads sync events from Kafka; ends at the end of the topic unless told to follow it.</summary>
[Cmdlet(VerbsCommon.Get, "AmpSyncEvent")]
[OutputType(typeof(AmpSyncEvent))]
public sealed class GetAmpSyncEventCommand : SyncEventCmdlet
{
    /// <summary>Reads all events the topic has; the default unless <see cref="Since"/> or <see cref="Follow"/> is given.</summary>
    [Parameter]
    public SwitchParameter FromBeginning { get; set; }

    /// <summary>Reads from this time on.</summary>
    [Parameter]
    public DateTimeOffset? Since { get; set; }

    /// <summary>Leaves out what is later than this time.</summary>
    [Parameter]
    public DateTimeOffset? Until { get; set; }

    /// <summary>Waits for new events until Ctrl+C; starts with new ones unless told where to begin.</summary>
    [Parameter]
    public SwitchParameter Follow { get; set; }

    /// <summary>Ends after so many events.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int First { get; set; } = int.MaxValue;

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var location = Location;
        var options = Options with
        {
            From = Follow && !FromBeginning ? SyncEventReadStart.End : SyncEventReadStart.Beginning,
            Since = Since,
            Until = Until,
            Follow = Follow,
            Limit = First,
        };
        Run(async (pipeline, cancellationToken) =>
        {
            var reader = await OpenAsync(location, cancellationToken);
            await foreach (var result in reader.ReadAsync(options, cancellationToken))
            {
                if (result.Error is { } error)
                {
                    await pipeline.ErrorAsync(error);
                }
                else if (Group is null)
                {
                    await pipeline.OutputAsync(result.Event!);
                }
                else
                {
                    // The next one is asked for, and this one so committed, only when the pipeline is done with it.
                    await pipeline.OutputAndWaitAsync(result.Event!);
                }
            }
        });
    }
}
