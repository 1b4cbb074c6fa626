using System.Runtime.CompilerServices;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>Chooses tables by the names of datasets and tables that a user typed.</summary>
internal sealed class TableFilter(string[]? datasets, string[]? tables, string? manifestHash = null)
{
    private readonly NameFilter _datasets = new(datasets);
    private readonly NameFilter _tables = new(tables);

    /// <summary>One error for each literal name that <see cref="ChooseAsync"/> did not find.</summary>
    public IEnumerable<AmpException> NotFound
    {
        get
        {
            var missing = _datasets.Missing.ToArray();
            return missing.Length > 0
                ? missing.Select(name => AmpErrors.NotFound(
                    "DatasetNotFound", $"No table of a dataset '{name}' has been written.", name,
                    "Get-AmpTable without parameters lists the tables there are; Start-AmpJob writes those of a dataset."))
                : _tables.Missing.Select(name => AmpErrors.NotFound(
                    "TableNotFound", $"No table '{name}' has been written.", name,
                    "Get-AmpTable without parameters lists the tables there are."));
        }
    }

    public async IAsyncEnumerable<AmpTable> ChooseAsync(
        IAmpClient client, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var table in client.GetTablesAsync(cancellationToken))
        {
            if (_datasets.IsMatch(table.Dataset) && _tables.IsMatch(table.Table) && (manifestHash ?? table.ManifestHash) == table.ManifestHash)
            {
                yield return table;
            }
        }
    }
}
