using System.Net;
using System.Net.Sockets;

namespace Amp.Events;

/// <summary>Passes connections to one port of 127.0.0.1 on to another.</summary>
internal sealed class LoopbackRelay : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stopping = new();
    private readonly HashSet<Task> _connections = [];
    private Task _accepting = Task.CompletedTask;

    private LoopbackRelay(TcpListener listener) => _listener = listener;

    /// <summary>The port it listens on.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Takes the port; connections wait until <see cref="Start"/>.</summary>
    /// <exception cref="AmpException"><c>DevBrokerPortInUse</c>.</exception>
    public static LoopbackRelay Listen(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return new LoopbackRelay(listener);
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw new AmpException(
                "DevBrokerPortInUse", AmpErrorKind.Conflict,
                $"The development broker cannot listen on 127.0.0.1:{port}: {e.Message}.", e)
            {
                RecommendedAction = "Choose another port, or none to get a free one.",
                Target = port,
            };
        }
    }

    /// <summary>Begins to pass connections on to <paramref name="target"/>.</summary>
    public void Start(int target) => _accepting = AcceptAsync(target);

    /// <summary>Closes the listener and every connection.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopping.Cancel();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _listener.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync(int target)
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
                _connections.RemoveWhere(connection => connection.IsCompleted);
                _connections.Add(RelayAsync(client, target));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // A connection that broke while it was taken is its client's affair; stopping ends the loop.
            }
        }
    }

    private async Task RelayAsync(TcpClient client, int target)
    {
        using var near = client;
        using var far = new TcpClient();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        try
        {
            await far.ConnectAsync(IPAddress.Loopback, target, ending.Token);
            near.NoDelay = far.NoDelay = true;
            // When either side ends, the other has nobody to talk to.
            await Task.WhenAny(CopyAsync(near, far, ending.Token), CopyAsync(far, near, ending.Token));
            await ending.CancelAsync();
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // The broker is down or the relay stops: the client sees its connection close.
        }
    }

    private static async Task CopyAsync(TcpClient from, TcpClient to, CancellationToken cancellationToken)
    {
        try
        {
            await from.GetStream().CopyToAsync(to.GetStream(), cancellationToken);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // A connection ends in any of these ways.
        }
    }
}
