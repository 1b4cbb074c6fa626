using Amp.Configuration;
using Amp.Datasets;
using Amp.Extraction.EvmRpc;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Hosting;

/// <summary>The providers of a deployment, as cmdlets show and change them.</summary>
public sealed class AmpProviders
{
    private readonly ProviderStore _store;

    internal AmpProviders(AmpConfiguration configuration) => _store = new ProviderStore(configuration.ProvidersDir);

    /// <summary>Names of all providers, sorted.</summary>
    public IReadOnlyList<string> Names => _store.ListNames();

    /// <summary>A provider, its secrets redacted.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException"><c>ProviderNotFound</c>, <c>InvalidProvider</c> and others of <see cref="ProviderStore"/>.</exception>
    public async Task<AmpProvider> GetAsync(string name, CancellationToken cancellationToken) =>
        (await _store.GetStoredAsync(name, cancellationToken)).ToContract(_store.PathOf(name));

    /// <summary>Writes a provider's file.</summary>
    /// <param name="provider">The provider.</param>
    /// <param name="overwrite">Whether one of that name is replaced; without, it is refused as <c>ProviderExists</c>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<AmpProvider> RegisterAsync(ProviderConfig provider, bool overwrite, CancellationToken cancellationToken) =>
        provider.ToContract(await _store.SaveAsync(provider, overwrite, cancellationToken));

    /// <summary>Removes a provider's file; jobs that run keep what they have read of it.</summary>
    /// <param name="name">The provider's name.</param>
    /// <exception cref="AmpException"><c>ProviderNotFound</c> and others of <see cref="ProviderStore"/>.</exception>
    public void Remove(string name) => _store.Remove(name);

    /// <summary>Asks a provider's node who it is. What is wrong with it stands in the result, never in an exception.</summary>
    /// <param name="name">The provider's name.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<AmpProviderTest> TestAsync(string name, CancellationToken cancellationToken)
    {
        var result = new AmpProviderTest { Name = name, Network = "", Success = false };
        try
        {
            var provider = await _store.GetAsync(name, cancellationToken);
            result = result with { Network = provider.Network, Url = provider.Url.ToString() };
            await using var source = ProviderSource.Open(
                provider, EvmTables.All, memoryBudget: 0, TimeProvider.System, NullLoggerFactory.Instance);
            var status = await source.ProbeAsync(cancellationToken);
            result = result with
            {
                ClientVersion = status.ClientVersion,
                ChainId = status.ChainId,
                Head = status.Head,
                Latency = status.Latency,
                SupportsBlockReceipts = status.HasBlockReceipts,
            };
            ProviderSource.RequireNetwork(provider, status.ChainId);
            return result with { Success = true };
        }
        catch (AmpException e)
        {
            return result with { ErrorMessage = e.Message };
        }
    }
}
