using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>Gets the registered dataset versions.</summary>
[Cmdlet(VerbsCommon.Get, "AmpDataset")]
[OutputType(typeof(AmpDataset))]
public sealed class GetAmpDatasetCommand : AmpDeploymentCmdlet
{
    /// <summary>Datasets as <c>namespace/name</c>, with <c>@version</c> or without; wildcards are allowed.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [SupportsWildcards]
    public string[]? Dataset { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var filter = new NameFilter(Dataset);
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            await foreach (var dataset in deployment.Client.GetDatasetsAsync(cancellationToken))
            {
                if (filter.IsMatch(dataset.Dataset, dataset.ToString()))
                {
                    await pipeline.OutputAsync(dataset);
                }
            }

            foreach (var name in filter.Missing)
            {
                await pipeline.ErrorAsync(AmpErrors.NotFound(
                    "DatasetNotFound", $"No dataset '{name}' is registered.", name, "Get-AmpDataset lists the datasets there are."));
            }
        });
    }
}
