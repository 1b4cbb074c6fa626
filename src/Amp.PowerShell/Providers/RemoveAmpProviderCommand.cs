using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Providers;

/// <summary>Removes provider files. Jobs that run keep what they have read of them.</summary>
[Cmdlet(VerbsCommon.Remove, "AmpProvider", SupportsShouldProcess = true)]
public sealed class RemoveAmpProviderCommand : AmpDeploymentCmdlet
{
    /// <summary>Names of the providers.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(ProviderNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] Name { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var name in Name)
        {
            if (ShouldProcess(name, "Remove provider"))
            {
                Run((deployment, _, cancellationToken) => deployment.Client.RemoveProviderAsync(name, cancellationToken));
            }
        }
    }
}
