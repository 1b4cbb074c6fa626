using System.Management.Automation;
using Amp.Datasets;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Datasets;

/// <summary>Makes the manifest of a raw EVM dataset, as JSON text.</summary>
[Cmdlet(VerbsCommon.New, "AmpDatasetManifest")]
[OutputType(typeof(string))]
public sealed class NewAmpDatasetManifestCommand : AmpCmdlet
{
    /// <summary>Network to extract, as providers name it.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string Network { get; set; } = "";

    /// <summary>First block to extract.</summary>
    [Parameter]
    public ulong StartBlock { get; set; }

    /// <summary>Extracts blocks only once the network calls them final.</summary>
    [Parameter]
    public SwitchParameter FinalizedBlocksOnly { get; set; }

    /// <summary>Tables to extract; all three when left out.</summary>
    [Parameter]
    [ValidateSet("blocks", "transactions", "logs")]
    public string[] Table { get; set; } = ["blocks", "transactions", "logs"];

    /// <inheritdoc/>
    protected override void ProcessRecord() =>
        RunOrThrow((pipeline, _) => pipeline.OutputAsync(
            EvmRpcManifest.Generate(Network, StartBlock, FinalizedBlocksOnly, Table).ToJson()).AsTask());
}
