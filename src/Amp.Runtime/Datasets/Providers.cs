using Amp.Configuration;

namespace Amp.Datasets;

/// <summary>Finds the providers of a network.</summary>
internal static class Providers
{
    /// <summary>All providers for a network, by name, at least one; throws <c>ProviderNotFound</c>, naming those that are there.</summary>
    public static async Task<IReadOnlyList<ProviderConfig>> RequireForNetworkAsync(
        AmpConfiguration configuration, string kind, string network, CancellationToken cancellationToken)
    {
        var store = new ProviderStore(configuration.ProvidersDir);
        if (await store.FindForNetworkAsync(kind, network, cancellationToken) is { Count: > 0 } providers)
        {
            return providers;
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
