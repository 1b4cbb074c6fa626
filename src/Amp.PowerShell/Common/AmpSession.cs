using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using Amp.Events;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.PowerShell.Common;

/// <summary>
/// What the process holds between two cmdlets: the connection, and the workers, chains and brokers that were started
/// in it. One per process, so that parallel runspaces share a connection; removing the module stops what the removing
/// runspace started.
/// </summary>
internal static class AmpSession
{
    private static readonly SemaphoreSlim Gate = new(1, 1);
    private static AmpDeployment? _deployment;

    /// <summary>Workers that run in this process, by node id.</summary>
    public static Owned<WorkerHost> Workers { get; } = new();

    /// <summary>Development chains that run in this process, by URL.</summary>
    public static Owned<DevChain> Chains { get; } = new();

    /// <summary>Development brokers that run in this process, by address.</summary>
    public static Owned<DevBroker> Brokers { get; } = new();

    /// <summary>The deployment the session is connected to, or null.</summary>
    public static AmpDeployment? Current => _deployment;

    /// <summary>
    /// The deployment the session is connected to; without one, connects to what <c>AMP_CONFIG</c> or the <c>.amp</c>
    /// folder of the present location says.
    /// </summary>
    public static async Task<AmpDeployment> GetAsync(string location, CancellationToken cancellationToken)
    {
        await Gate.WaitAsync(cancellationToken);
        try
        {
            return _deployment ??= await AmpDeployment.OpenAsync(
                AmpDeployment.FindConfiguration(null, location), NullLoggerFactory.Instance, cancellationToken);
        }
        finally
        {
            Gate.Release();
        }
    }

    /// <summary>Makes a deployment the session's own and closes the one before it.</summary>
    public static async Task SetAsync(AmpDeployment? deployment, CancellationToken cancellationToken)
    {
        await Gate.WaitAsync(cancellationToken);
        AmpDeployment? before;
        try
        {
            before = _deployment;
            _deployment = deployment;
        }
        finally
        {
            Gate.Release();
        }

        if (before is not null && !ReferenceEquals(before, deployment))
        {
            await before.DisposeAsync();
        }
    }
}

/// <summary>Things that run in this process, each owned by the runspace that started it.</summary>
internal sealed class Owned<T>
    where T : class, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, (T Value, Guid Owner)> _items = new(StringComparer.Ordinal);

    /// <summary>Names of all, in order.</summary>
    public IReadOnlyList<string> Keys => [.. _items.Keys.Order(StringComparer.Ordinal)];

    /// <summary>All values.</summary>
    public IReadOnlyList<T> Values => [.. _items.Values.Select(item => item.Value)];

    public void Add(string key, T value, Guid owner) => _items[key] = (value, owner);

    public T? Find(string key) => _items.TryGetValue(key, out var item) ? item.Value : null;

    /// <summary>Names that match one of the wildcard patterns.</summary>
    public IReadOnlyList<string> Match(IEnumerable<string> patterns) => [.. patterns
        .Select(pattern => new WildcardPattern(pattern, WildcardOptions.IgnoreCase))
        .SelectMany(pattern => Keys.Where(pattern.IsMatch)).Distinct()];

    public async Task<bool> StopAsync(string key)
    {
        if (!_items.TryRemove(key, out var item))
        {
            return false;
        }

        await item.Value.DisposeAsync();
        return true;
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

/// <summary>Stops what was started when the module is removed.</summary>
public sealed class ModuleCleanup : IModuleAssemblyCleanup
{
    /// <inheritdoc/>
    [SuppressMessage("Usage", "VSTHRD002:Avoid problematic synchronous waits", Justification = "PowerShell calls this synchronously; the work never needs its thread")]
    public void OnRemove(PSModuleInfo psModuleInfo)
    {
        var owner = Runspace.DefaultRunspace?.InstanceId ?? Guid.Empty;
        Task.Run(async () =>
        {
            await AmpSession.Workers.StopAllAsync(owner);
            await AmpSession.Chains.StopAllAsync(owner);
            await AmpSession.Brokers.StopAllAsync(owner);
            await AmpSession.SetAsync(null, CancellationToken.None);
        }).Wait(TimeSpan.FromSeconds(30));
    }
}
