using System.Management.Automation;
using Amp.Datasets;
using Amp.Extraction.Consistency;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>Registers folders of Parquet files as tables of a dataset, from what the files' footers say.</summary>
[Cmdlet(VerbsData.Restore, "AmpTable", SupportsShouldProcess = true)]
[OutputType(typeof(AmpTable))]
public sealed class RestoreAmpTableCommand : AmpDeploymentCmdlet
{
    /// <summary>Dataset as <c>namespace/name</c> or <c>namespace/name@version</c>; it must be registered.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [ValidateNotNullOrEmpty]
    public string Dataset { get; set; } = "";

    /// <summary>Table names; wildcards are allowed. All tables of the dataset when left out.</summary>
    [Parameter(Position = 1)]
    [ArgumentCompleter(typeof(TableCompleter))]
    [SupportsWildcards]
    public string[]? Table { get; set; }

    /// <summary>Folder of the table's files, below the data folder. When left out, the one folder with files that each table has.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>Reads the table from the folder even where it has files in another one; those stay on disk.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var filter = new NameFilter(Table);
        IReadOnlyList<RestorableTable> folders = [];
        DatasetReference? dataset = null;
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            dataset = DatasetReference.Parse(Dataset);
            folders = await deployment.Tables.FindRestorableAsync(dataset, name => filter.IsMatch(name), Path, cancellationToken);
            foreach (var name in filter.Missing)
            {
                await pipeline.ErrorAsync(AmpErrors.NotFound(
                    "TableNotFound", $"{Dataset} has no table '{name}'.", name, $"See its tables: (Get-AmpDataset {Dataset}).Tables"));
            }
        });
        foreach (var folder in folders)
        {
            if (ShouldProcess($"{Dataset} {folder.Table}", $"Restore from {folder.FilesCount} files in {folder.Path}"))
            {
                Run(async (deployment, pipeline, cancellationToken) =>
                {
                    var bar = new CountBar(pipeline, $"Restoring {Dataset} {folder.Table}", "files");
                    var (table, refused) = await deployment.Tables.RestoreAsync(dataset!, folder, Force, cancellationToken, bar);
                    foreach (var error in refused)
                    {
                        await pipeline.ErrorAsync(error);
                    }

                    await pipeline.OutputAsync(table);
                });
            }
        }
    }
}
