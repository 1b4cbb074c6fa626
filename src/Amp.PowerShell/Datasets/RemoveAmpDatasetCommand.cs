using System.Management.Automation;
using Amp.Datasets;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>Removes datasets with all their versions. Tables and files stay.</summary>
[Cmdlet(VerbsCommon.Remove, "AmpDataset", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
public sealed class RemoveAmpDatasetCommand : AmpDeploymentCmdlet
{
    /// <summary>Datasets as <c>namespace/name</c>.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] Dataset { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var dataset in Dataset)
        {
            if (ShouldProcess(dataset, "Remove dataset with all versions"))
            {
                Run((deployment, _, cancellationToken) => deployment.Client.RemoveDatasetAsync(RequireWhole(dataset), cancellationToken));
            }
        }
    }

    private static DatasetReference RequireWhole(string dataset)
    {
        var reference = DatasetReference.Parse(dataset);
        return reference.Version is null
            ? reference
            : throw new AmpException("DatasetVersionInvalid", AmpErrorKind.InvalidInput, $"'{dataset}' cannot be removed: only a dataset with all its versions can.")
            {
                Target = dataset,
                RecommendedAction = $"Remove-AmpDataset {reference.Dataset}",
            };
    }
}
