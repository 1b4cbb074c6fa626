using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Providers;

/// <summary>Gets the providers of the deployment, secrets left out.</summary>
[Cmdlet(VerbsCommon.Get, "AmpProvider")]
[OutputType(typeof(AmpProvider))]
public sealed class GetAmpProviderCommand : AmpDeploymentCmdlet
{
    /// <summary>Names; wildcards are allowed. All providers when left out.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(ProviderNameCompleter))]
    [SupportsWildcards]
    public string[]? Name { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var filter = new NameFilter(Name);
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            await foreach (var name in deployment.Client.GetProviderNamesAsync(cancellationToken).Where(name => filter.IsMatch(name)))
            {
                try
                {
                    await pipeline.OutputAsync(await deployment.Client.GetProviderAsync(name, cancellationToken));
                }
                catch (AmpException e)
                {
                    await pipeline.ErrorAsync(e);
                }
            }

            foreach (var name in filter.Missing)
            {
                await pipeline.ErrorAsync(AmpErrors.ProviderNotFound(name));
            }
        });
    }
}
