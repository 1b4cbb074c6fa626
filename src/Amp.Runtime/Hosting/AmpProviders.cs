using Amp.Configuration;
using Amp.Datasets;
using Amp.Extraction.EvmRpc;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Hosting;

/// <summary>The provider files of a deployment, as cmdlets show and change them; see <see cref="IAmpClient"/>.</summary>
internal sealed class AmpProviders(AmpConfiguration configuration)
{
    private readonly ProviderStore _store = new(configuration.ProvidersDir);

    public IReadOnlyList<string> Names => _store.ListNames();

    public async Task<AmpProvider> GetAsync(string name, CancellationToken cancellationToken) =>
        (await _store.GetStoredAsync(name, cancellationToken)).ToContract(_store.PathOf(name));

    public async Task<AmpProvider> RegisterAsync(ProviderConfig provider, bool overwrite, CancellationToken cancellationToken) =>
        provider.ToContract(await _store.SaveAsync(provider, overwrite, cancellationToken));

    public void Remove(string name) => _store.Remove(name);

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
