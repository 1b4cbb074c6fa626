using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Providers;

/// <summary>Asks providers who they are: whether they answer, for which chain, how far it is and how fast they are.</summary>
[Cmdlet(VerbsDiagnostic.Test, "AmpProvider")]
[OutputType(typeof(AmpProviderTest))]
public sealed class TestAmpProviderCommand : AmpDeploymentCmdlet
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
                await pipeline.OutputAsync(await deployment.Client.TestProviderAsync(name, cancellationToken));
            }

            foreach (var name in filter.Missing)
            {
                await pipeline.ErrorAsync(AmpErrors.ProviderNotFound(name));
            }
        });
    }
}
