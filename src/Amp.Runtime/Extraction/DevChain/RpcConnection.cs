using System.Buffers;
using System.Net.Sockets;

namespace Amp.Extraction.DevChains;

/// <summary>One client's connection: reads a request, answers it, reads the next one, until one side has enough.</summary>
internal sealed class RpcConnection(Socket socket, FaultInjector answers) : IDisposable
{
    private const int MostHeadBytes = 16 * 1024;
    private const int MostBodyBytes = 8 * 1024 * 1024;
    private const string MalformedRequest = "400 Bad Request";
    private const string BodyTooLarge = "413 Content Too Large";

    private readonly ResponseBuffer _response = new();
    private readonly ArrayBufferWriter<byte> _chunks = new();
    private byte[] _input = ArrayPool<byte>.Shared.Rent(MostHeadBytes);

    // What was received and not yet used: _input[_start.._end].
    private int _start;
    private int _end;

    /// <summary>Serves requests until the client closes the connection or breaks the protocol.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var keepAlive = true;
        while (keepAlive)
        {
            _response.Clear();
            string? refusal;
            RequestHead head = default;
            var body = ReadOnlyMemory<byte>.Empty;
            var headLength = await ReadHeadAsync(cancellationToken);
            if (headLength == 0)
            {
                return;
            }

            refusal = headLength < 0
                ? "431 Request Header Fields Too Large"
                : RequestHead.TryParse(_input.AsSpan(_start, headLength), out head) ? Refusal(head) : MalformedRequest;
            if (head.WebSocketKey is { } key)
            {
                await SendAsync(RpcWebSocket.Accept(key), cancellationToken);
                await using var webSocket = new RpcWebSocket(socket, answers);
                await webSocket.RunAsync(cancellationToken);
                return;
            }

            if (refusal is null)
            {
                _start += headLength;
                if (head.ExpectsContinue)
                {
                    await SendAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), cancellationToken);
                }

                (refusal, body) = head.IsChunked
                    ? await ReadChunksAsync(cancellationToken)
                    : (null, await ReadAsync((int)head.ContentLength, cancellationToken));
            }

            var reply = refusal is null ? await answers.AnswerAsync(body, _response, cancellationToken) : new RpcReply(refusal);
            if (reply.End == RpcReplyEnd.Reset)
            {
                socket.Close(timeout: 0);
                return;
            }

            // After a refusal nobody knows where the next request starts.
            keepAlive = refusal is null && head.KeepAlive && reply.End == RpcReplyEnd.Whole;
            var response = _response.Finish(reply, keepAlive);
            await SendAsync(reply.End == RpcReplyEnd.CutOff ? response[..^(_response.BodyLength / 2)] : response, cancellationToken);
        }

        // Lets the client read the last answer before the connection is gone.
        socket.Shutdown(SocketShutdown.Send);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        socket.Dispose();
        _response.Dispose();
        ArrayPool<byte>.Shared.Return(_input);
    }

    private static string? Refusal(RequestHead head) =>
        !head.IsPost ? "405 Method Not Allowed"
        : head.ContentLength > MostBodyBytes ? BodyTooLarge
        : null;

    // Length of the head with its empty line; 0 when the client has closed, -1 when the head is too large.
    private async ValueTask<int> ReadHeadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var end = _input.AsSpan(_start.._end).IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                return end + 4;
            }

            if (_end - _start >= MostHeadBytes)
            {
                return -1;
            }

            if (!await ReceiveAsync(MostHeadBytes, cancellationToken))
            {
                return 0;
            }
        }
    }

    private async ValueTask<(string? Refusal, ReadOnlyMemory<byte> Body)> ReadChunksAsync(CancellationToken cancellationToken)
    {
        _chunks.ResetWrittenCount();
        while (true)
        {
            var line = await ReadLineAsync(cancellationToken);
            if (!RequestHead.TryParseChunkSize(line.Span, out var size))
            {
                return (MalformedRequest, default);
            }

            if (_chunks.WrittenCount + size > MostBodyBytes)
            {
                return (BodyTooLarge, default);
            }

            if (size == 0)
            {
                break;
            }

            _chunks.Write((await ReadAsync((int)size, cancellationToken)).Span);
            if ((await ReadLineAsync(cancellationToken)).Length != 2)
            {
                return (MalformedRequest, default);
            }
        }

        // Trailers up to the empty line are read and ignored.
        while ((await ReadLineAsync(cancellationToken)).Length > 2)
        {
        }

        return (null, _chunks.WrittenMemory);
    }

    // Takes a line with its end; valid until the next read.
    private async ValueTask<ReadOnlyMemory<byte>> ReadLineAsync(CancellationToken cancellationToken)
    {
        int end;
        while ((end = _input.AsSpan(_start.._end).IndexOf("\r\n"u8)) < 0)
        {
            if (_end - _start >= MostHeadBytes || !await ReceiveAsync(MostHeadBytes, cancellationToken))
            {
                throw new IOException("the client broke off within a line of a chunked body, or the line is too long");
            }
        }

        var line = _input.AsMemory(_start, end + 2);
        _start += end + 2;
        return line;
    }

    // Takes so many bytes; valid until the next read.
    private async ValueTask<ReadOnlyMemory<byte>> ReadAsync(int count, CancellationToken cancellationToken)
    {
        while (_end - _start < count)
        {
            if (!await ReceiveAsync(count, cancellationToken))
            {
                throw new IOException("the client closed the connection within a request");
            }
        }

        var bytes = _input.AsMemory(_start, count);
        _start += count;
        return bytes;
    }

    // Receives something, in a buffer that has room for so many unused bytes; false when the client has closed.
    private async ValueTask<bool> ReceiveAsync(int room, CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _input.AsSpan(_start.._end).CopyTo(_input);
            _end -= _start;
            _start = 0;
        }

        if (_input.Length < room || _end == _input.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(room, _end + 1));
            _input.AsSpan(0, _end).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_input);
            _input = larger;
        }

        var received = await socket.ReceiveAsync(_input.AsMemory(_end), SocketFlags.None, cancellationToken);
        _end += received;
        return received > 0;
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None, cancellationToken)..];
        }
    }
}
