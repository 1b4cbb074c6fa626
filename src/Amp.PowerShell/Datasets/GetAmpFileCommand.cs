using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>Gets the Parquet files that hold the rows of tables, in the order of their blocks.</summary>
[Cmdlet(VerbsCommon.Get, "AmpFile", DefaultParameterSetName = ByName)]
[OutputType(typeof(AmpFile))]
public sealed class GetAmpFileCommand : AmpDeploymentCmdlet
{
    private const string ByName = "Name";
    private const string ByTable = "Table";

    /// <summary>A table, as <c>Get-AmpTable</c> gives it.</summary>
    [Parameter(ParameterSetName = ByTable, Mandatory = true, ValueFromPipeline = true)]
    public AmpTable[] InputObject { get; set; } = [];

    /// <summary>Datasets as <c>namespace/name</c>; wildcards are allowed.</summary>
    [Parameter(ParameterSetName = ByName, Position = 0)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [SupportsWildcards]
    public string[]? Dataset { get; set; }

    /// <summary>Table names; wildcards are allowed.</summary>
    [Parameter(ParameterSetName = ByName, Position = 1)]
    [ArgumentCompleter(typeof(TableCompleter))]
    [SupportsWildcards]
    public string[]? Table { get; set; }

    /// <summary>Gets the other files instead: those that a reorg orphaned, and those behind a gap.</summary>
    [Parameter]
    public SwitchParameter Orphaned { get; set; }

    /// <summary>Counts the rows too, which opens each file.</summary>
    [Parameter]
    public SwitchParameter IncludeRowCount { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var filter = new TableFilter(Dataset, Table);
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            var tables = ParameterSetName == ByTable
                ? InputObject.ToAsyncEnumerable()
                : filter.ChooseAsync(deployment.Client, cancellationToken);
            await foreach (var table in tables.WithCancellation(cancellationToken))
            {
                await foreach (var file in deployment.Tables.GetFilesAsync(table, cancellationToken).Where(file => file.IsCanonical != Orphaned))
                {
                    await pipeline.OutputAsync(
                        IncludeRowCount ? await deployment.Tables.WithRowCountAsync(file, cancellationToken) : file);
                }
            }

            foreach (var error in ParameterSetName == ByName ? filter.NotFound : [])
            {
                await pipeline.ErrorAsync(error);
            }
        });
    }
}
