using Amp.Configuration;

namespace Amp.Datasets;

/// <summary>Finds the provider of a network.</summary>
internal static class Providers
{
    /// <summary>The first provider for a network; throws <c>ProviderNotFound</c>, naming those that are there.</summary>
    public static async Task<ProviderConfig> RequireForNetworkAsync(
        AmpConfiguration configuration, string kind, string network, CancellationToken cancellationToken)
    {
        var store = new ProviderStore(configuration.ProvidersDir);
        if (await store.FindForNetworkAsync(kind, network, cancellationToken) is [var provider, ..])
        {
            return provider;
        }

        var there = new List<string>();
        foreach (var name in store.ListNames())
        {
            var other = await store.GetStoredAsync(name, cancellationToken);
            there.Add($"{name} ({other.Kind}, {other.Network})");
        }

        throw new AmpException(
            "ProviderNotFound", AmpErrorKind.NotFound,
            $"No provider in {configuration.ProvidersDir} is of kind '{kind}' and for network '{network}'; there {(there.Count == 0 ? "is none at all" : $"are: {string.Join(", ", there)}")}.")
        {
            Target = network,
            RecommendedAction = $"Register one: Register-AmpProvider <name> -Network {network} -Url <url>",
        };
    }
}
