using System.Management.Automation;
using Amp.Datasets;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>
/// Schedules a job that extracts a dataset up to an end block, or follows the chain. An active job with the same dataset version and end
/// block is returned instead of a second one.
/// </summary>
[Cmdlet(VerbsLifecycle.Start, "AmpJob", SupportsShouldProcess = true)]
[OutputType(typeof(AmpJob))]
public sealed class StartAmpJobCommand : AmpDeploymentCmdlet
{
    /// <summary>Datasets as <c>namespace/name</c> or <c>namespace/name@version</c>.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(DatasetCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] Dataset { get; set; } = [];

    /// <summary>
    /// Last block: its number, a negative number (so many blocks behind the chain's head), or <c>latest</c>. Without it the
    /// job follows the chain until it is stopped.
    /// </summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? EndBlock { get; set; }

    /// <summary>How many parts of a range, of 2,000 blocks or more each, are extracted side by side.</summary>
    [Parameter]
    [ValidateRange(1, 64)]
    public int MaxWriters { get; set; } = 1;

    /// <summary>
    /// How many workers share the blocks at most, each with parts of 2,000 blocks or more. The job waits for them, and sees to it that
    /// nothing is left out. Needs an end block.
    /// </summary>
    [Parameter]
    [ValidateRange(1, 64)]
    public int Workers { get; set; } = 1;

    /// <summary>Node id of the worker to use, wildcards allowed; the active worker with the fewest jobs when left out.</summary>
    [Parameter]
    [Alias("NodeId")]
    [ArgumentCompleter(typeof(NodeIdCompleter))]
    [SupportsWildcards]
    public string? Worker { get; set; }

    /// <summary>
    /// Recomputes block hashes, transactions and receipts roots and blooms from what was extracted, and refuses blocks that do
    /// not fit. Needs a dataset with the tables blocks, transactions and logs.
    /// </summary>
    [Parameter]
    public SwitchParameter Verify { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var dataset in Dataset)
        {
            if (ShouldProcess(dataset, EndBlock is null ? "Extract without end" : $"Extract up to block {EndBlock}"))
            {
                Run(async (deployment, pipeline, cancellationToken) =>
                {
                    var request = new StartJobRequest(DatasetReference.Parse(dataset), EndBlock)
                    {
                        Worker = Worker,
                        MaxWriters = MaxWriters,
                        Workers = Workers,
                        Verify = Verify,
                    };
                    await pipeline.OutputAsync(await deployment.Client.StartJobAsync(request, cancellationToken));
                });
            }
        }
    }
}
