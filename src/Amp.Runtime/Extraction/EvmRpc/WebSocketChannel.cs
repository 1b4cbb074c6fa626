using System.Net;
using System.Net.WebSockets;

namespace Amp.Extraction.EvmRpc;

/// <summary>Messages over a WebSocket; pings tell when the other side is gone.</summary>
internal sealed class WebSocketChannel : IMessageChannel
{
    private const int FirstCapacity = 64 << 10;

    private static readonly TimeSpan PingInterval = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PongTimeout = TimeSpan.FromSeconds(15);

    private readonly WebSocket _socket;

    private WebSocketChannel(WebSocket socket) => _socket = socket;

    /// <summary>Connects to a node.</summary>
    /// <param name="options">Where it is, and the token.</param>
    /// <param name="purpose">What for, for errors.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="RpcException">The node answered with a status instead.</exception>
    public static async Task<IMessageChannel> ConnectAsync(EvmRpcOptions options, string purpose, CancellationToken cancellationToken)
    {
        var socket = new ClientWebSocket();
        try
        {
            socket.Options.KeepAliveInterval = PingInterval;
            socket.Options.KeepAliveTimeout = PongTimeout;
            socket.Options.CollectHttpResponseDetails = true;
            AddAuthentication(socket, options);
            await socket.ConnectAsync(options.Url, cancellationToken);
            return new WebSocketChannel(socket);
        }
        catch (WebSocketException e) when (socket.HttpStatusCode is not 0)
        {
            var retryAfter = socket.HttpResponseHeaders?.GetValueOrDefault("Retry-After")?.FirstOrDefault();
            var status = socket.HttpStatusCode;
            socket.Dispose();
            throw RpcException.HttpError(
                options.NodeName, purpose, status, error: null, int.TryParse(retryAfter, out var seconds) ? TimeSpan.FromSeconds(seconds) : null, e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken) =>
        _socket.SendAsync(message, WebSocketMessageType.Text, endOfMessage: true, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<PooledBytes?> ReceiveAsync(CancellationToken cancellationToken)
    {
        var message = new PooledBytes(FirstCapacity);
        try
        {
            while (true)
            {
                var part = await _socket.ReceiveAsync(message.GetMemory(), cancellationToken);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    message.Dispose();
                    return null;
                }

                message.Advance(part.Count);
                if (part.EndOfMessage)
                {
                    return message;
                }

                DuplexRpcTransport.RequireLength(message);
            }
        }
        catch
        {
            message.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private static void AddAuthentication(ClientWebSocket socket, EvmRpcOptions options)
    {
        try
        {
            if (RpcAuthentication.Header(options) is var (name, value))
            {
                if (value.AsSpan().ContainsAny('\r', '\n'))
                {
                    throw RpcAuthentication.Invalid(options.NodeName);
                }

                socket.Options.SetRequestHeader(name, value);
            }
        }
        catch (ArgumentException)
        {
            throw RpcAuthentication.Invalid(options.NodeName);
        }
    }
}
