using System.Management.Automation;
using Amp.Extraction.Rows;
using Amp.Parquet;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>Gets rows of tables, straight from their Parquet files.</summary>
[Cmdlet(VerbsCommon.Get, "AmpTableRow", DefaultParameterSetName = ByName)]
[OutputType(TypeName)]
public sealed class GetAmpTableRowCommand : AmpDeploymentCmdlet
{
    private const string ByName = "Name";
    private const string ByFile = "File";
    private const string ByPath = "Path";
    private const string ByLiteralPath = "LiteralPath";
    private const string TypeName = "Amp.TableRow";
    private const int PreviewRows = 10;

    private readonly List<string> _filesWithoutBlocks = [];
    private AmpBlockRange? _otherBlocks;
    private bool _hasBlocks;

    /// <summary>Datasets as <c>namespace/name</c>; wildcards are allowed.</summary>
    [Parameter(ParameterSetName = ByName, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [SupportsWildcards]
    public string[]? Dataset { get; set; }

    /// <summary>Table names; wildcards are allowed.</summary>
    [Parameter(ParameterSetName = ByName, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TableCompleter))]
    [SupportsWildcards]
    public string[]? Table { get; set; }

    /// <summary>Manifest that the tables were written for; all when left out.</summary>
    [Parameter(ParameterSetName = ByName, ValueFromPipelineByPropertyName = true)]
    public string? ManifestHash { get; set; }

    /// <summary>A file, as <c>Get-AmpFile</c> gives it.</summary>
    [Parameter(ParameterSetName = ByFile, Mandatory = true, ValueFromPipeline = true)]
    public AmpFile[] InputObject { get; set; } = [];

    /// <summary>Parquet files that Amp or ampd wrote; wildcards are allowed. Needs no connection.</summary>
    [Parameter(ParameterSetName = ByPath, Mandatory = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>As <see cref="Path"/>, with every character taken as it is.</summary>
    [Parameter(ParameterSetName = ByLiteralPath, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath")]
    [ValidateNotNullOrEmpty]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>Rows of these blocks only, as numbers or ranges such as <c>100..200</c>, <c>100..</c> and <c>..200</c>.</summary>
    [Parameter]
    public AmpBlockRange[] Block { get; set; } = [];

    /// <summary>Columns to read; wildcards are allowed.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(ColumnCompleter))]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Column { get; set; }

    /// <summary>Rows of each table or file at most; 10 unless blocks are chosen.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int First { get; set; } = PreviewRows;

    /// <summary>Rows at the end of each table or file.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int Last { get; set; }

    /// <summary>All rows.</summary>
    [Parameter]
    public SwitchParameter All { get; set; }

    /// <summary>Whether nothing says how many rows are wanted.</summary>
    private bool IsPreview => !IsGiven(nameof(First)) && Last == 0 && !All && Block.Length == 0;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        string[] counts = [.. ((string[])[nameof(First), nameof(Last), nameof(All)]).Where(IsGiven)];
        var message = counts.Length > 1 ? $"{string.Join(" and ", counts.Select(name => $"-{name}"))} say differently how many rows are wanted."
            : Last > 0 && Block.Length > 0 ? "-Last counts from the end of the table, and -Block chooses rows inside of it."
            : null;
        if (message is not null)
        {
            ThrowTerminatingError(AmpErrors.From(new AmpException("RowSelectionAmbiguous", AmpErrorKind.InvalidInput, message)
            {
                Target = $"-{counts[^1]}",
                RecommendedAction = "Give one of -First, -Last and -All; with -Block, -First or none.",
            }));
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        switch (ParameterSetName)
        {
            case ByName:
                ReadTables();
                break;
            case ByFile:
                ReadFiles([.. InputObject.Select(file => (file.FullName, (AmpFile?)file))]);
                break;
            case ByPath:
                ReadFiles([.. Path.SelectMany(ResolveWildcards).Select(path => (path, (AmpFile?)null))]);
                break;
            default:
                ReadFiles([.. LiteralPath.Select(path => (ResolvePath(path), (AmpFile?)null))]);
                break;
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (!_hasBlocks && _otherBlocks is { } blocks)
        {
            var files = _filesWithoutBlocks is [var one] ? one : $"the {_filesWithoutBlocks.Count} files from {_filesWithoutBlocks[0]} on";
            WriteError(AmpErrors.From(Select().NotInFiles(files, blocks.Start, blocks.End)));
        }
    }

    private bool IsGiven(string parameter) => MyInvocation.BoundParameters.ContainsKey(parameter);

    private RowSelection Select()
    {
        var columns = new NameFilter(Column);
        return new RowSelection
        {
            Blocks = Block,
            IsWanted = column => columns.IsMatch(column),
            RequiredColumns = [.. (Column ?? []).Where(column => !WildcardPattern.ContainsWildcardCharacters(column))],
            First = IsPreview || IsGiven(nameof(First)) ? First : long.MaxValue,
            Last = Last > 0 ? Last : null,
        };
    }

    private void ReadTables()
    {
        var filter = new TableFilter(Dataset, Table, ManifestHash);
        var selection = Select();
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            var tables = deployment.Tables;
            await foreach (var table in filter.ChooseAsync(deployment.Client, cancellationToken))
            {
                if (selection.FindMissing(table) is { } missing)
                {
                    await pipeline.ErrorAsync(missing);
                }

                await WriteAsync(tables.ReadRowsAsync(table, selection, cancellationToken), $"{table.Dataset} {table.Table}", pipeline);
            }

            foreach (var error in filter.NotFound)
            {
                await pipeline.ErrorAsync(error);
            }
        });
    }

    private void ReadFiles((string Path, AmpFile? File)[] files)
    {
        var selection = Select();
        Run(async (pipeline, cancellationToken) =>
        {
            foreach (var (path, file) in files)
            {
                try
                {
                    var blocks = file is not null ? new AmpBlockRange(file.StartBlock, file.EndBlock)
                        : selection.Blocks.Count > 0 ? await SegmentRows.FindBlocksAsync(path, cancellationToken)
                        : null;
                    if (blocks is { } range && !selection.MayBeIn(range.Start, range.End))
                    {
                        _filesWithoutBlocks.Add(path);
                        _otherBlocks = _otherBlocks is { } others
                            ? new AmpBlockRange(Math.Min(others.Start, range.Start), Math.Max(others.End, range.End))
                            : range;
                        continue;
                    }
                }
                catch (AmpException e)
                {
                    await pipeline.ErrorAsync(e);
                    continue;
                }

                _hasBlocks = true;
                var rows = file is null
                    ? SegmentRows.ReadAsync([path], selection, cancellationToken)
                    : SegmentRows.ReadAsync(file.Dataset, file.Table, [path], selection, cancellationToken);
                await WriteAsync(rows, path, pipeline);
            }
        });
    }

    /// <summary>Thread pool: writes rows as they are read; what goes wrong ends them, and not those of the next table.</summary>
    private async Task WriteAsync(IAsyncEnumerable<TableRow> rows, string what, PipelineWriter pipeline)
    {
        var count = 0L;
        try
        {
            await foreach (var row in rows)
            {
                await pipeline.OutputAsync(ToObject(row));
                count++;
            }
        }
        catch (AmpException e)
        {
            await pipeline.ErrorAsync(e);
        }

        if (IsPreview && count == PreviewRows)
        {
            await pipeline.VerboseAsync($"{what}: the first {PreviewRows} rows; -First, -Last, -Block and -All give others.");
        }
    }

    /// <summary>A row as an object. One with all columns has its table in its type's name, so that it has the table's view.</summary>
    private PSObject ToObject(TableRow row)
    {
        var result = Convert(row);
        result.TypeNames.Insert(0, TypeName);
        if (Column is null && row.Table is not null)
        {
            result.TypeNames.Insert(0, $"{TypeName}#{row.Table}");
        }

        return result;
    }

    private static PSObject Convert(TableRow row)
    {
        var result = new PSObject();
        for (var i = 0; i < row.Columns.Count; i++)
        {
            result.Properties.Add(new PSNoteProperty(row.Columns[i], Convert(row.Values[i])), preValidated: true);
        }

        return result;
    }

    private static object? Convert(object? value) => value switch
    {
        TableRow group => Convert(group),
        object?[] list => Array.ConvertAll(list, Convert),
        _ => value,
    };

    /// <summary>The files that a path names; a literal one that is not there is named too, for whoever opens it to say so. Pipeline thread only.</summary>
    private IReadOnlyCollection<string> ResolveWildcards(string path)
    {
        try
        {
            return GetResolvedProviderPathFromPSPath(path, out _);
        }
        catch (ItemNotFoundException)
        {
            return [ResolvePath(path)];
        }
    }
}
