using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;

namespace Amp.Extraction.DevChains;

/// <summary>A client's WebSocket: each message a request, answered as soon as its answer is there.</summary>
internal sealed class RpcWebSocket : IAsyncDisposable
{
    private const int MostRequestBytes = 8 * 1024 * 1024;

    private readonly Socket _socket;
    private readonly FaultInjector _answers;
    private readonly WebSocket _webSocket;
    private readonly SemaphoreSlim _sending = new(1);
    private readonly CancellationTokenSource _closed = new();
    private readonly ConcurrentDictionary<Task, byte> _underWay = new();

    public RpcWebSocket(Socket socket, FaultInjector answers)
    {
        _socket = socket;
        _answers = answers;
        _webSocket = WebSocket.CreateFromStream(new NetworkStream(socket), new WebSocketCreationOptions { IsServer = true });
    }

    /// <summary>The response that begins a WebSocket (RFC 6455).</summary>
    [SuppressMessage("Security", "CA5350:Do Not Use Weak Cryptographic Algorithms", Justification = "the protocol says so, and nothing is kept secret by it")]
    public static byte[] Accept(string key)
    {
        var accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
        return Encoding.ASCII.GetBytes(
            $"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
    }

    /// <summary>Answers requests until the client closes.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closed.Token);
        while (true)
        {
            using var request = new MemoryStream();
            ValueWebSocketReceiveResult part;
            var buffer = new byte[16 * 1024];
            do
            {
                part = await _webSocket.ReceiveAsync(buffer.AsMemory(), either.Token);
                request.Write(buffer.AsSpan(..part.Count));
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    await _webSocket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, either.Token);
                    return;
                }

                if (request.Length > MostRequestBytes)
                {
                    await _webSocket.CloseOutputAsync(WebSocketCloseStatus.MessageTooBig, null, either.Token);
                    return;
                }
            }
            while (!part.EndOfMessage);

            var answer = AnswerAsync(request.ToArray(), _closed.Token);
            _underWay.TryAdd(answer, 0);
            _ = answer.ContinueWith(
                ended => _underWay.TryRemove(ended, out _),
                CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _closed.Cancel();
        await Task.WhenAll(_underWay.Keys);
        _webSocket.Dispose();
        _sending.Dispose();
        _closed.Dispose();
    }

    // Never fails: what goes wrong ends the connection, whose reader reports it.
    private async Task AnswerAsync(byte[] request, CancellationToken cancellationToken)
    {
        await Task.Yield();
        try
        {
            using var response = new ResponseBuffer();
            var reply = await _answers.AnswerAsync(request, response, cancellationToken);
            await _sending.WaitAsync(cancellationToken);
            try
            {
                // There is no status here: a node that has had enough closes.
                var isWhole = reply == RpcReply.Ok;
                if (isWhole || reply.End == RpcReplyEnd.CutOff)
                {
                    var body = isWhole ? response.Body : response.Body[..(response.BodyLength / 2)];
                    await _webSocket.SendAsync(body, WebSocketMessageType.Text, isWhole, cancellationToken);
                }

                if (!isWhole)
                {
                    _socket.Close(timeout: 0);
                }
            }
            finally
            {
                _sending.Release();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or IOException or ObjectDisposedException)
        {
            // The connection is gone.
        }
    }
}
