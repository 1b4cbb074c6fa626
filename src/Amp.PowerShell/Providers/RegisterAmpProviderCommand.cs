using System.Management.Automation;
using Amp.Configuration;
using Amp.Datasets;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Providers;

/// <summary>Writes a provider file: where the blocks of a network come from.</summary>
[Cmdlet(VerbsLifecycle.Register, "AmpProvider", SupportsShouldProcess = true)]
[OutputType(typeof(AmpProvider))]
public sealed class RegisterAmpProviderCommand : AmpDeploymentCmdlet
{
    /// <summary>Name of the provider; the file is called after it.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public string Name { get; set; } = "";

    /// <summary>Network it serves, as manifests name it.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string Network { get; set; } = "";

    /// <summary>Address of the node. <c>${NAME}</c> is replaced from the environment when the file is loaded.</summary>
    [Parameter(Mandatory = true, Position = 2, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string Url { get; set; } = "";

    /// <summary>Kind of the provider.</summary>
    [Parameter]
    [ValidateSet("evm-rpc")]
    public string Kind { get; set; } = "evm-rpc";

    /// <summary>Name of the header that carries <see cref="AuthToken"/>; <c>Authorization: Bearer</c> when left out.</summary>
    [Parameter]
    public string? AuthHeader { get; set; }

    /// <summary>Secret sent with each request.</summary>
    [Parameter]
    public System.Security.SecureString? AuthToken { get; set; }

    /// <summary>Most requests in flight at once.</summary>
    [Parameter]
    [ValidateRange(1, 65_536)]
    public int? ConcurrentRequestLimit { get; set; }

    /// <summary>Calls per JSON-RPC batch; 0 sends each call alone.</summary>
    [Parameter]
    [ValidateRange(0, 10_000)]
    public int? RpcBatchSize { get; set; }

    /// <summary>Most requests per minute.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? RateLimitPerMinute { get; set; }

    /// <summary>Fetches receipts one by one, for nodes without <c>eth_getBlockReceipts</c>.</summary>
    [Parameter]
    public SwitchParameter FetchReceiptsPerTx { get; set; }

    /// <summary>Overwrites a provider of that name.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (!ShouldProcess(Name, "Register provider"))
        {
            return;
        }

        var defaults = new ProviderConfig { Name = Name, Kind = Kind, Network = Network, Url = Secret.ForUrl(Url) };
        var provider = defaults with
        {
            AuthHeader = AuthHeader,
            AuthToken = AuthToken is null ? null : Secret.From(AuthToken),
            ConcurrentRequestLimit = ConcurrentRequestLimit ?? defaults.ConcurrentRequestLimit,
            RpcBatchSize = RpcBatchSize ?? defaults.RpcBatchSize,
            RateLimitPerMinute = RateLimitPerMinute,
            FetchReceiptsPerTx = FetchReceiptsPerTx,
        };
        Run(async (deployment, pipeline, cancellationToken) =>
            await pipeline.OutputAsync(await deployment.Client.RegisterProviderAsync(provider, Force, cancellationToken)));
    }
}
