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
        var filter = new TableFilter(Dataset, Table);
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            await foreach (var table in filter.ChooseAsync(deployment.Client, cancellationToken))
            {
                await pipeline.OutputAsync(table);
            }

            foreach (var error in filter.NotFound)
            {
                await pipeline.ErrorAsync(error);
            }
        });
    }
}
