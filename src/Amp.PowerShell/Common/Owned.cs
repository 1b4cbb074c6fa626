using System.Collections.Concurrent;
using System.Management.Automation;

namespace Amp.PowerShell.Common;

/// <summary>Things that run in this process, each owned by the runspace that started it.</summary>
internal sealed class Owned<T>
    where T : class, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, (T Value, Guid Owner)> _items = new(StringComparer.Ordinal);

    /// <summary>Names of all, in order.</summary>
    public IReadOnlyList<string> Keys => [.. _items.Keys.Order(StringComparer.Ordinal)];

    public void Add(string key, T value, Guid owner) => _items[key] = (value, owner);

    public bool Contains(string key) => _items.ContainsKey(key);

    /// <summary>Names that match a wildcard pattern.</summary>
    public IReadOnlyList<string> Match(string pattern)
    {
        var wildcard = new WildcardPattern(pattern, WildcardOptions.IgnoreCase);
        return [.. Keys.Where(wildcard.IsMatch)];
    }

    public async Task StopAsync(string key)
    {
        if (_items.TryRemove(key, out var item))
        {
            await item.Value.DisposeAsync();
        }
    }

    /// <summary>Stops all that a runspace started.</summary>
    public async Task StopAllAsync(Guid owner)
    {
        foreach (var (key, item) in _items)
        {
            if (item.Owner == owner)
            {
                await StopAsync(key);
            }
        }
    }
}
