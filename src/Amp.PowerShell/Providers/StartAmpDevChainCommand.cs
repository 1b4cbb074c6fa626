using System.Management.Automation;
using Amp.Extraction.DevChains;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Providers;

/// <summary>
/// Starts a development chain in this process: deterministic EVM-shaped blocks behind JSON-RPC on loopback.
/// </summary>
[Cmdlet(VerbsLifecycle.Start, "AmpDevChain", DefaultParameterSetName = Generated, SupportsShouldProcess = true)]
[OutputType(typeof(AmpDevChain))]
public sealed class StartAmpDevChainCommand : AmpCmdlet
{
    private const string Generated = "Generated";
    private const string Replayed = "Replayed";

    /// <summary>Seed that all blocks follow from; the same seed gives the same chain.</summary>
    [Parameter(Position = 0)]
    public ulong Seed { get; set; } = 1;

    /// <summary>Number of blocks the chain has at the start.</summary>
    [Parameter]
    [ValidateRange(1, 10_000_000)]
    public int BlockCount { get; set; } = 1_000;

    /// <summary>Makes a new block so often; without it the chain stays as it is.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? BlockTime { get; set; }

    /// <summary>Port on loopback; 0 takes a free one.</summary>
    [Parameter]
    [ValidateRange(0, 65_535)]
    public int Port { get; set; }

    /// <summary>Chain id it answers with.</summary>
    [Parameter(ParameterSetName = Generated)]
    public ulong ChainId { get; set; } = DevChainOptions.DefaultChainId;

    /// <summary>Mean number of transactions in a block.</summary>
    [Parameter(ParameterSetName = Generated)]
    [ValidateRange(0, 1_000)]
    public int TransactionsPerBlock { get; set; } = 12;

    /// <summary>
    /// Recorded blocks to replay, renumbered and varied: <c>NAME.block.json</c> (what <c>eth_getBlockByNumber</c> answered) with
    /// <c>NAME.receipts.json</c> beside it, or a folder of such pairs.
    /// </summary>
    [Parameter(ParameterSetName = Replayed, Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string? ReplayPath { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (!ShouldProcess($"seed {Seed}, {BlockCount} blocks", "Start development chain"))
        {
            return;
        }

        var options = new DevChainOptions
        {
            Seed = Seed,
            BlockCount = BlockCount,
            BlockTime = BlockTime,
            Port = Port,
            ChainId = ParameterSetName == Generated ? ChainId : null,
            TransactionsPerBlock = TransactionsPerBlock,
            ReplayPath = ReplayPath is null ? null : ResolvePath(ReplayPath),
        };
        RunOrThrow(async (pipeline, cancellationToken) =>
        {
            var chain = await DevChain.StartAsync(options, cancellationToken);
            AmpSession.Chains.Add(chain.Url.ToString(), chain, RunspaceId);
            await pipeline.OutputAsync(new AmpDevChain
            {
                Url = chain.Url.ToString(),
                ChainId = chain.ChainId,
                Head = chain.Head,
                Seed = Seed,
            });
        });
    }
}
