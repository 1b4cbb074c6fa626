using System.Management.Automation;
using Amp.Hosting.Reports;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Reports;

/// <summary>Writes a page about workers, jobs, tables and what happened to them, for a browser.</summary>
[Cmdlet(VerbsData.Export, "AmpReport", SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo))]
public sealed class ExportAmpReportCommand : AmpDeploymentCmdlet
{
    private readonly List<long> _jobIds = [];
    private readonly List<string> _datasets = [];
    private ReportFile? _file;

    /// <summary>The file to write.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [Alias("LiteralPath")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <summary>Only these datasets, as <c>namespace/name</c>; wildcards are allowed.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [SupportsWildcards]
    public string[]? Dataset { get; set; }

    /// <summary>Only these jobs, their parts and the tables they write.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    public long[]? JobId { get; set; }

    /// <summary>Leaves out jobs that had ended before this time, and what happened before.</summary>
    [Parameter]
    public DateTimeOffset? Since { get; set; }

    /// <summary>Reads sync events from Kafka too.</summary>
    [Parameter]
    public SwitchParameter IncludeSyncEvent { get; set; }

    /// <summary>The page's heading.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string Title { get; set; } = "Amp report";

    /// <summary>Replaces a file that is read-only, too.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Leaves a file alone that is there already.</summary>
    [Parameter]
    [Alias("NoOverwrite")]
    public SwitchParameter NoClobber { get; set; }

    /// <summary>Gives the file.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing() => _file = OrThrow(() => ReportFile.Require(ResolveFile(), !NoClobber, Force));

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        _jobIds.AddRange(JobId ?? []);
        _datasets.AddRange(Dataset ?? []);
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        // A pipeline that gave nothing asked for a report about nothing, not about everything.
        if ((MyInvocation.ExpectingInput && _jobIds.Count + _datasets.Count == 0) || !ShouldProcess(Path, "Write report"))
        {
            return;
        }

        string[] datasets = [.. _datasets.Distinct(StringComparer.OrdinalIgnoreCase)];
        var filter = new NameFilter(datasets);
        var request = new ReportRequest
        {
            Title = Title,
            Datasets = datasets,
            IsWanted = dataset => filter.IsMatch(dataset),
            JobIds = [.. _jobIds.Distinct()],
            Since = Since,
            IncludeSyncEvents = IncludeSyncEvent,
        };
        FileInfo? file = null;
        Run(async (deployment, _, cancellationToken) =>
        {
            var page = await HtmlReport.CreateAsync(deployment, request, cancellationToken);
            if (filter.Missing.FirstOrDefault() is { } name)
            {
                throw AmpErrors.NotFound(
                    "DatasetNotFound", $"There is no dataset '{name}', so no report was written.", name, "Get-AmpDataset lists the datasets there are.");
            }

            file = await _file!.WriteAsync(page, cancellationToken);
        });
        if (PassThru && file is not null)
        {
            WriteObject(InvokeProvider.Item.Get([file.FullName], force: true, literalPath: true), enumerateCollection: true);
        }
    }

    private string ResolveFile()
    {
        try
        {
            var path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(Path, out var provider, out _);
            return provider.Name == "FileSystem" ? path : throw Invalid($"it is of the provider {provider.Name}", null);
        }
        catch (Exception e) when (e is SessionStateException or PSNotSupportedException or ProviderInvocationException)
        {
            throw Invalid(e.Message.TrimEnd('.'), e);
        }

        AmpException Invalid(string reason, Exception? cause) => new("ReportPathInvalid", AmpErrorKind.InvalidInput, $"'{Path}' is not the path of a file: {reason}.", cause)
        {
            Target = Path,
            RecommendedAction = "Give a path in the file system, such as ./report.html.",
        };
    }
}
