using System.Net.Sockets;

namespace Amp.Extraction.EvmRpc;

/// <summary>Messages over a Unix domain socket: JSON objects and arrays one after the other, with or without space between.</summary>
internal sealed class IpcChannel : IMessageChannel
{
    private const int FirstCapacity = 64 << 10;

    private readonly Socket _socket;

    // What came after the end of the message before.
    private PooledBytes _rest = new(FirstCapacity);

    private IpcChannel(Socket socket) => _socket = socket;

    /// <summary>Connects to a node's socket.</summary>
    /// <exception cref="AmpException"><c>ProviderUrlUnsupported</c>: the path is too long for a socket.</exception>
    public static async Task<IMessageChannel> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            return new IpcChannel(socket);
        }
        catch (ArgumentOutOfRangeException e)
        {
            socket.Dispose();
            throw new AmpException("ProviderUrlUnsupported", AmpErrorKind.InvalidInput, $"The path {path} is too long for a socket.", e)
            {
                Target = path,
                RecommendedAction = "Give the socket a shorter path, or a link with one.",
            };
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        await SendAllAsync(message, cancellationToken);
        await SendAllAsync("\n"u8.ToArray(), cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<PooledBytes?> ReceiveAsync(CancellationToken cancellationToken)
    {
        var message = _rest;
        _rest = new PooledBytes(FirstCapacity);
        try
        {
            var extent = new JsonExtent();
            var seen = 0;
            while (true)
            {
                if (seen == 0)
                {
                    RequireJson(message);
                }

                var end = extent.Continue(message.Memory.Span[seen..]);
                if (end >= 0)
                {
                    message.CutTo(seen + end, _rest);
                    return message;
                }

                seen = message.Length;
                DuplexRpcTransport.RequireLength(message);
                var received = await _socket.ReceiveAsync(message.GetMemory(), SocketFlags.None, cancellationToken);
                message.Advance(received);
                if (received == 0)
                {
                    message.Dispose();
                    return null;
                }
            }
        }
        catch
        {
            message.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        _rest.Dispose();
    }

    private static void RequireJson(PooledBytes message)
    {
        var text = message.Memory.Span.TrimStart(" \t\r\n"u8);
        if (!text.IsEmpty && text[0] is not ((byte)'{' or (byte)'['))
        {
            throw new InvalidDataException("what came on the connection is not JSON");
        }
    }

    private async ValueTask SendAllAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None, cancellationToken)..];
        }
    }
}
