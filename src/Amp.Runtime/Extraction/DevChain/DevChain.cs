using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Extraction.DevChains;

/// <summary>
/// A deterministic EVM-shaped chain that answers JSON-RPC over HTTP on 127.0.0.1, for trying things out, tests and
/// benchmarks. The same options give the same blocks. Disposing it closes its connections and ends all it started.
/// </summary>
public sealed class DevChain : IAsyncDisposable
{
    private readonly ChainStore _store;
    private readonly IBlockMaker _maker;
    private readonly RpcServer _server;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _growing = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _growth;
    private bool _disposed;

    private DevChain(DevChainOptions options, ChainStore store, IBlockMaker maker, RpcServer server, FaultInjector answers, ILogger logger, TimeProvider time)
    {
        _store = store;
        _maker = maker;
        _server = server;
        Answers = answers;
        _logger = logger;
        _growth = options.BlockTime is { } interval ? GrowAsync(interval, time) : Task.CompletedTask;
    }

    /// <summary>Where it answers, such as <c>http://127.0.0.1:41234/</c>.</summary>
    public Uri Url => _server.Url;

    /// <summary>Number of the newest block.</summary>
    public ulong Head => _store.Head;

    /// <summary>What <c>eth_chainId</c> answers.</summary>
    public ulong ChainId => _maker.ChainId;

    /// <summary>Number of clients' connections that are open.</summary>
    internal int ConnectionCount => _server.ConnectionCount;

    /// <summary>What stands between the chain and its clients, to misbehave.</summary>
    internal FaultInjector Answers { get; }

    /// <summary>Starts a chain; it answers when the task has ended.</summary>
    /// <param name="options">What the chain is like.</param>
    /// <param name="cancellationToken">Gives up while the first blocks are made.</param>
    /// <exception cref="AmpException">
    /// <c>DevChainOptionInvalid</c>, <c>DevChainPortUnavailable</c>, <c>ReplayNotFound</c>, <c>ReplayInvalid</c>.
    /// </exception>
    public static Task<DevChain> StartAsync(DevChainOptions options, CancellationToken cancellationToken = default) =>
        StartAsync(options, NullLoggerFactory.Instance, TimeProvider.System, cancellationToken);

    /// <summary>Starts a chain that logs, and whose <see cref="DevChainOptions.BlockTime"/> goes by a clock.</summary>
    /// <param name="options">What the chain is like.</param>
    /// <param name="loggerFactory">Makes its logger.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Gives up while the first blocks are made.</param>
    /// <exception cref="AmpException">As above.</exception>
    public static async Task<DevChain> StartAsync(
        DevChainOptions options, ILoggerFactory loggerFactory, TimeProvider time, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var logger = loggerFactory.CreateLogger<DevChain>();
        IBlockMaker maker = options.ReplayPath is { } path
            ? await ReplayedBlocks.LoadAsync(path, options, cancellationToken)
            : new GeneratedBlocks(options);
        var store = new ChainStore(maker, options.FirstBlock);
        await AppendAsync(store, options.BlockCount, cancellationToken);
        var answers = new FaultInjector(new RpcDispatcher(store, maker)) { Faults = options.Faults };
        var server = RpcServer.Start(options.Port, answers, logger);
        logger.ChainStarted(maker.ChainId, server.Url, options.FirstBlock, store.Head);
        return new DevChain(options, store, maker, server, answers, logger, time);
    }

    /// <summary>Adds blocks to the chain.</summary>
    /// <param name="blocks">How many, at least 0.</param>
    public async Task ExtendAsync(int blocks)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(blocks);
        ObjectDisposedException.ThrowIf(_disposed, this);
        await _growing.WaitAsync(_stopping.Token);
        try
        {
            await AppendAsync(_store, blocks, _stopping.Token);
        }
        finally
        {
            _growing.Release();
        }
    }

    /// <summary>
    /// Replaces the newest blocks by others, which have other contents. The chain may become shorter. The same calls in the
    /// same order give the same blocks.
    /// </summary>
    /// <param name="depth">How many blocks go, at least 1; the first block of the chain stays.</param>
    /// <param name="replacements">How many come, at least 0.</param>
    public async Task ReorganizeAsync(int depth, int replacements)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(replacements);
        ObjectDisposedException.ThrowIf(_disposed, this);
        await _growing.WaitAsync(_stopping.Token);
        try
        {
            var before = _store.Rewind(depth);
            await AppendAsync(_store, replacements, _stopping.Token);
            Answers.Older = new RpcDispatcher(before, _maker);
        }
        finally
        {
            _growing.Release();
        }
    }

    /// <summary>Closes all connections and ends all that runs; what clients asked for meanwhile may stay unanswered.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _stopping.Cancel();
        await _server.DisposeAsync();
        await _growth;

        // An extension that still runs ends at the next block.
        await _growing.WaitAsync();
        _growing.Dispose();
        _stopping.Dispose();
        _logger.ChainStopped(ChainId, Head);
    }

    // Off the caller's thread: a thousand blocks take a while.
    private static Task AppendAsync(ChainStore store, int blocks, CancellationToken cancellationToken) =>
        Task.Run(
            () =>
            {
                for (var i = 0; i < blocks; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    store.Append();
                }
            },
            cancellationToken);

    private async Task GrowAsync(TimeSpan interval, TimeProvider time)
    {
        try
        {
            using var timer = new PeriodicTimer(interval, time);
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                await ExtendAsync(1);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The chain stops.
        }
        catch (Exception exception)
        {
            _logger.GrowthFailed(Head, exception);
        }
    }
}
