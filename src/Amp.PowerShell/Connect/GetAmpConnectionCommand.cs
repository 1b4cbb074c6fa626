using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Connect;

/// <summary>Gets what the session's cmdlets work on; nothing when the session is not connected.</summary>
[Cmdlet(VerbsCommon.Get, "AmpConnection")]
[OutputType(typeof(AmpConnection))]
public sealed class GetAmpConnectionCommand : AmpCmdlet
{
    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (AmpSession.Current is { } deployment)
        {
            WriteObject(deployment.Connection);
        }
    }
}
