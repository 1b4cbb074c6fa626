using System.Management.Automation;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>
/// Holds the files of tables, their rows in the database and their links against each other: gaps, overlaps, broken links,
/// missing and damaged files. Changes nothing.
/// </summary>
[Cmdlet(VerbsDiagnostic.Test, "AmpTable")]
[OutputType(typeof(AmpTableTest), typeof(bool))]
public sealed class TestAmpTableCommand : AmpDeploymentCmdlet
{
    private bool _isSound = true;

    /// <summary>Datasets as <c>namespace/name</c>; wildcards are allowed.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [SupportsWildcards]
    public string[]? Dataset { get; set; }

    /// <summary>Table names; wildcards are allowed.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TableCompleter))]
    [SupportsWildcards]
    public string[]? Table { get; set; }

    /// <summary>Manifest that the tables were written for; all when left out.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public string? ManifestHash { get; set; }

    /// <summary>Writes only whether all tables are sound.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var filter = new TableFilter(Dataset, Table, ManifestHash);
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            await foreach (var table in filter.ChooseAsync(deployment.Client, cancellationToken))
            {
                try
                {
                    var test = await deployment.Tables.TestAsync(table, cancellationToken, new CountBar(pipeline, $"Testing {table.Dataset} {table.Table}", "files"));
                    _isSound &= test.Success;
                    if (!Quiet)
                    {
                        await pipeline.OutputAsync(test);
                    }
                }
                catch (AmpException e)
                {
                    _isSound = false;
                    await pipeline.ErrorAsync(e);
                }
            }

            foreach (var error in filter.NotFound)
            {
                _isSound = false;
                await pipeline.ErrorAsync(error);
            }
        });
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        SessionState.PSVariable.Set("global:LASTEXITCODE", _isSound ? 0 : 1);
        if (Quiet)
        {
            WriteObject(_isSound);
        }
    }
}
