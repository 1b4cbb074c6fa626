using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Amp.Extraction.DevChains;

/// <summary>
/// A small HTTP/1.1 server on 127.0.0.1 for POST requests with JSON: keep-alive, one request of a connection at a time,
/// in the order they came; and for WebSockets. It exists because the module runs inside PowerShell, where there is no Kestrel.
/// </summary>
internal sealed class RpcServer : IAsyncDisposable
{
    private static readonly TimeSpan AcceptRetryDelay = TimeSpan.FromMilliseconds(50);

    private readonly FaultInjector _answers;
    private readonly ILogger _logger;
    private readonly Socket _listener;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Task, byte> _connections = new();
    private readonly Task _accepting;
    private bool _disposed;

    private RpcServer(FaultInjector answers, Socket listener, ILogger logger)
    {
        _answers = answers;
        _logger = logger;
        _listener = listener;
        Url = new Uri($"http://{listener.LocalEndPoint}/");
        _accepting = AcceptAsync();
    }

    /// <summary>Where the server answers.</summary>
    public Uri Url { get; }

    /// <summary>Number of connections that are open.</summary>
    public int ConnectionCount => _connections.Count;

    /// <summary>Starts to listen.</summary>
    /// <param name="port">TCP port; 0: one that is free.</param>
    /// <param name="answers">Answers the requests.</param>
    /// <param name="logger">Told of connections that failed.</param>
    /// <exception cref="AmpException"><c>DevChainPortUnavailable</c>.</exception>
    public static RpcServer Start(int port, FaultInjector answers, ILogger logger)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
            listener.Listen();
        }
        catch (SocketException exception)
        {
            listener.Dispose();
            throw new AmpException(
                "DevChainPortUnavailable", AmpErrorKind.Conflict,
                $"cannot start a dev chain: 127.0.0.1:{port} cannot be listened on: {exception.Message}", exception)
            {
                Target = port,
                RecommendedAction = "Name another port, or none to get one that is free.",
                IsTransient = exception.SocketErrorCode == SocketError.AddressAlreadyInUse,
            };
        }

        return new RpcServer(answers, listener, logger);
    }

    /// <summary>Closes all connections, also those that are sending, and returns when nothing runs any more.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _stopping.Cancel();
        await _accepting;
        _listener.Dispose();
        await Task.WhenAll(_connections.Keys);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        // Not on the thread that started the server.
        await Task.Yield();
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                var socket = await _listener.AcceptAsync(_stopping.Token);
                socket.NoDelay = true;
                var connection = ServeAsync(socket);
                _connections.TryAdd(connection, 0);
                _ = connection.ContinueWith(
                    ended => _connections.TryRemove(ended, out _),
                    CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException exception)
            {
                // A client that gave up before it was accepted, or no handles left; the listener goes on.
                _logger.ConnectionFailed(exception);
                await Task.Delay(AcceptRetryDelay);
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await Task.Yield();
        using var connection = new RpcConnection(socket, _answers);
        try
        {
            await connection.RunAsync(_stopping.Token);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The server stops.
        }
        catch (Exception exception)
        {
            _logger.ConnectionFailed(exception);
        }
    }
}
