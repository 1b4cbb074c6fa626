using System.Management.Automation;
using Amp.Events;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Events;

/// <summary>Runs a script block for each sync event that comes, in the background, until the job it returns is stopped.</summary>
[Cmdlet(VerbsLifecycle.Register, "AmpSyncEventAction", SupportsShouldProcess = true)]
[OutputType(typeof(Job))]
public sealed class RegisterAmpSyncEventActionCommand : SyncEventCmdlet
{
    /// <summary>What to run; <c>$_</c> is the event. It runs in a runspace of its own, so variables of the caller are not there.</summary>
    [Parameter(Mandatory = true)]
    [ValidateNotNull]
    public ScriptBlock Action { get; set; } = null!;

    /// <summary>Name of the job.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (!ShouldProcess(Action.ToString().Trim(), "Run for each sync event"))
        {
            return;
        }

        var location = Location;

        // A group knows where to begin; without one, nothing is missed that comes from now on.
        var options = Group is null
            ? Options with { Since = DateTimeOffset.UtcNow, Follow = true }
            : Options with { From = SyncEventReadStart.End, Follow = true };
        SyncEventReader? reader = null;
        RunOrThrow(async (_, cancellationToken) =>
        {
            // Broker and topic are proven before a job is there that could only fail.
            reader = await OpenAsync(location, cancellationToken);
            await foreach (var read in reader.ReadAsync(new SyncEventReadOptions { From = SyncEventReadStart.End }, cancellationToken))
            {
            }
        });
        var job = new SyncEventActionJob(Name, Action, ModulePath, reader!.ToString(), location);
        JobRepository.Add(job);
        AmpSession.Actions.Add(job.InstanceId.ToString(), job, RunspaceId);
        job.Start(reader, options);
        WriteObject(job);
    }
}
