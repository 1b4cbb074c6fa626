using System.Management.Automation;
using Amp.Datasets;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>Stores a manifest and makes it a version of a dataset.</summary>
[Cmdlet(VerbsLifecycle.Register, "AmpDataset", SupportsShouldProcess = true)]
[OutputType(typeof(AmpDataset))]
public sealed class RegisterAmpDatasetCommand : AmpDeploymentCmdlet
{
    private const string ByText = "Text";
    private const string ByFile = "File";

    /// <summary>Dataset as <c>namespace/name</c> or <c>namespace/name@version</c>; without a version it becomes <c>dev</c>.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [ValidateNotNullOrEmpty]
    public string Dataset { get; set; } = "";

    /// <summary>The manifest as JSON, best from <c>New-AmpDatasetManifest</c>.</summary>
    [Parameter(ParameterSetName = ByText, Mandatory = true, Position = 1, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    public string Manifest { get; set; } = "";

    /// <summary>A file that has the manifest.</summary>
    [Parameter(ParameterSetName = ByFile, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (!ShouldProcess(Dataset, "Register dataset"))
        {
            return;
        }

        var path = ParameterSetName == ByFile ? ResolvePath(Path) : null;
        Run(async (deployment, pipeline, cancellationToken) =>
        {
            var reference = DatasetReference.Parse(Dataset);
            var manifest = path is null ? Manifest : await ReadAsync(path, cancellationToken);
            await pipeline.OutputAsync(await deployment.Client.RegisterDatasetAsync(reference, manifest, cancellationToken));
        });
    }

    private static async Task<string> ReadAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await File.ReadAllTextAsync(path, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AmpException("ManifestNotReadable", AmpErrorKind.NotFound, $"The manifest file '{path}' cannot be read: {e.Message}", e)
            {
                Target = path,
                RecommendedAction = "Give the path of a manifest, or pipe the output of New-AmpDatasetManifest.",
            };
        }
    }
}
