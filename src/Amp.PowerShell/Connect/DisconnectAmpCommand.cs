using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Connect;

/// <summary>Ends the session's connection. Workers that were started in the session go on.</summary>
[Cmdlet(VerbsCommunications.Disconnect, "Amp")]
public sealed class DisconnectAmpCommand : AmpCmdlet
{
    /// <inheritdoc/>
    protected override void ProcessRecord() => Run((_, cancellationToken) => AmpSession.DisconnectAsync(cancellationToken));
}
