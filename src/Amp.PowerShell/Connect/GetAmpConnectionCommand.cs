using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Connect;

/// <summary>Gets what the session's cmdlets work on.</summary>
[Cmdlet(VerbsCommon.Get, "AmpConnection")]
[OutputType(typeof(AmpConnection))]
public sealed class GetAmpConnectionCommand : AmpCmdlet
{
    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        Run(async (o, t) => await o.OutputAsync("x"));
    }
}
