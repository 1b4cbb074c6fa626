using System.Collections.Concurrent;
using Amp.BackgroundJobs;
using Amp.Events;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Amp.PowerShell.BackgroundJobs;
using Amp.PowerShell.Controllers;
using Amp.PowerShell.Events;
using Amp.PowerShell.Workers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.PowerShell.Common;

/// <summary>
/// What the process holds between two cmdlets: the connection, and the workers, chains and brokers that were started
/// in it. One per process, so that parallel runspaces share a connection; each is owned by the runspace that made it,
/// and ends when the module is removed there.
/// </summary>
internal static class AmpSession
{
    private static readonly SemaphoreSlim Gate = new(1, 1);
    private static readonly ConcurrentDictionary<string, Guid> HandlerOwners = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<Guid, ScriptRunspacePool> HandlerRunspaces = new();
    private static DeploymentHold? _connection;
    private static Guid _connectionOwner;

    /// <summary>Workers that run in this process, by node id.</summary>
    public static Owned<LocalWorker> Workers { get; } = new();

    /// <summary>Controllers that run in this process, by metadata database.</summary>
    public static Owned<LocalController> Controllers { get; } = new();

    /// <summary>Development chains that run in this process, by URL.</summary>
    public static Owned<DevChain> Chains { get; } = new();

    /// <summary>Development brokers that run in this process, by address.</summary>
    public static Owned<DevBroker> Brokers { get; } = new();

    /// <summary>Script blocks that run for sync events, by their job's instance id.</summary>
    public static Owned<SyncEventActionJob> Actions { get; } = new();

    /// <summary>Workers of background jobs that run in this process, by their number.</summary>
    public static Owned<LocalBackgroundWorker> BackgroundWorkers { get; } = new();

    /// <summary>Handlers of background jobs that were registered in this process.</summary>
    public static JobHandlers JobHandlers { get; } = new();

    /// <summary>The deployment the session is connected to, or null; may be closed at any time.</summary>
    public static AmpDeployment? Current => _connection?.Deployment;

    /// <summary>
    /// A hold on the deployment the session is connected to; without one, connects to what <c>AMP_CONFIG</c> or the
    /// <c>.amp</c> folder of the present location says.
    /// </summary>
    public static async Task<DeploymentHold> GetAsync(string location, Guid owner, CancellationToken cancellationToken)
    {
        await Gate.WaitAsync(cancellationToken);
        try
        {
            if (_connection is null)
            {
                _connection = new DeploymentHold(await AmpDeployment.OpenAsync(
                    AmpDeployment.FindConfiguration(null, location), NullLoggerFactory.Instance, cancellationToken));
                _connectionOwner = owner;
            }

            return _connection.Share();
        }
        finally
        {
            Gate.Release();
        }
    }

    /// <summary>Makes a deployment the session's own, and lets go of the one before it.</summary>
    public static async Task SetAsync(DeploymentHold deployment, Guid owner, CancellationToken cancellationToken) =>
        await ReplaceAsync(deployment.Share(), owner, _ => true, cancellationToken);

    /// <summary>Lets go of the session's deployment.</summary>
    public static Task DisconnectAsync(CancellationToken cancellationToken) =>
        ReplaceAsync(null, Guid.Empty, _ => true, cancellationToken);

    /// <summary>The runspaces for handlers that a runspace registers.</summary>
    public static ScriptRunspacePool Runspaces(Guid owner, string module, string location) =>
        HandlerRunspaces.GetOrAdd(owner, _ => new ScriptRunspacePool(module, location));

    /// <summary>Registers a handler for as long as its runspace has the module.</summary>
    public static void SetHandler(string type, IJobHandler handler, JobHandlerOptions options, Guid owner)
    {
        HandlerOwners[type] = owner;
        JobHandlers.Set(type, handler, options);
    }

    /// <summary>Stops what a runspace started, and lets go of the session's deployment if it was the one to connect.</summary>
    public static async Task StopAllAsync(Guid owner)
    {
        await Actions.StopAllAsync(owner);
        await BackgroundWorkers.StopAllAsync(owner);
        foreach (var (type, _) in HandlerOwners.Where(handler => handler.Value == owner))
        {
            HandlerOwners.TryRemove(type, out _);
            JobHandlers.Remove(type);
        }

        if (HandlerRunspaces.TryRemove(owner, out var runspaces))
        {
            await runspaces.DisposeAsync();
        }

        await Workers.StopAllAsync(owner);
        await Controllers.StopAllAsync(owner);
        await Chains.StopAllAsync(owner);
        await Brokers.StopAllAsync(owner);
        await ReplaceAsync(null, Guid.Empty, connectionOwner => connectionOwner == owner, CancellationToken.None);
    }

    private static async Task ReplaceAsync(
        DeploymentHold? next, Guid owner, Predicate<Guid> condition, CancellationToken cancellationToken)
    {
        var unused = next;
        await Gate.WaitAsync(cancellationToken);
        try
        {
            if (condition(_connectionOwner))
            {
                (unused, _connection, _connectionOwner) = (_connection, next, owner);
            }
        }
        finally
        {
            Gate.Release();
        }

        if (unused is not null)
        {
            await unused.DisposeAsync();
        }
    }
}
