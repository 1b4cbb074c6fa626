using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>
/// Takes missing and damaged files out of their tables, and starts a job for each dataset that extracts again what its
/// tables lack.
/// </summary>
[Cmdlet(VerbsDiagnostic.Repair, "AmpTable", SupportsShouldProcess = true)]
[OutputType(typeof(AmpJob))]
public sealed class RepairAmpTableCommand : AmpDeploymentCmdlet
{
    private readonly List<AmpTableTest> _broken = [];

    /// <summary>Datasets as <c>namespace/name</c>; wildcards are allowed.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Dataset { get; set; } = [];

    /// <summary>Table names; wildcards are allowed.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TableCompleter))]
    [SupportsWildcards]
    public string[]? Table { get; set; }

    /// <summary>Manifest that the tables were written for; all when left out.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public string? ManifestHash { get; set; }

    /// <summary>Node id of the worker to use, wildcards allowed; the active worker with the fewest jobs when left out.</summary>
    [Parameter]
    [Alias("NodeId")]
    [ArgumentCompleter(typeof(NodeIdCompleter))]
    [SupportsWildcards]
    public string? Worker { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var filter = new TableFilter(Dataset, Table, ManifestHash);
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            await foreach (var table in filter.ChooseAsync(deployment.Client, cancellationToken))
            {
                var test = await deployment.Tables.TestAsync(table, cancellationToken, new CountBar(pipeline, $"Testing {table.Dataset} {table.Table}", "files"));
                if (test.Success)
                {
                    await pipeline.VerboseAsync($"{table.Dataset} {table.Table}: nothing is wrong.");
                }
                else
                {
                    _broken.Add(test);
                }
            }

            foreach (var error in filter.NotFound)
            {
                await pipeline.ErrorAsync(error);
            }
        });
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        foreach (var dataset in _broken.GroupBy(test => (test.Dataset, test.ManifestHash)))
        {
            AmpTableTest[] wanted = [.. dataset.Where(test => ShouldProcess($"{test.Dataset} {test.Table}", Describe(test)))];
            if (wanted.Length > 0)
            {
                Run(async (deployment, pipeline, cancellationToken) =>
                    await pipeline.OutputAsync(await deployment.Tables.RepairAsync(wanted, Worker, cancellationToken)));
            }
        }
    }

    private static string Describe(AmpTableTest test) => test.Problems.Count == 1
        ? $"Repair ({test.Problems[0].Message})"
        : $"Repair {test.Problems.Count} problems ({test.Problems[0].Message} …)";
}
