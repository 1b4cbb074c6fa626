using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>Gets the tables that jobs have begun to write, and how far they have come.</summary>
[Cmdlet(VerbsCommon.Get, "AmpTable")]
[OutputType(typeof(AmpTable))]
public sealed class GetAmpTableCommand : AmpDeploymentCmdlet
{
    /// <summary>Datasets as <c>namespace/name</c>; wildcards are allowed.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [SupportsWildcards]
    public string[]? Dataset { get; set; }

    /// <summary>Table names; wildcards are allowed.</summary>
    [Parameter(Position = 1)]
    [ArgumentCompleter(typeof(TableCompleter))]
    [SupportsWildcards]
    public string[]? Table { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var datasets = new NameFilter(Dataset);
        var tables = new NameFilter(Table);
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            await foreach (var table in deployment.Client.GetTablesAsync(cancellationToken))
            {
                if (datasets.IsMatch(table.Dataset) && tables.IsMatch(table.Table))
                {
                    await pipeline.OutputAsync(table);
                }
            }

            foreach (var name in datasets.Missing)
            {
                await pipeline.ErrorAsync(AmpErrors.NotFound(
                    "DatasetNotFound", $"No table of a dataset '{name}' has been written.", name,
                    "Get-AmpTable without parameters lists the tables there are; Start-AmpJob writes those of a dataset."));
            }
        });
    }
}
