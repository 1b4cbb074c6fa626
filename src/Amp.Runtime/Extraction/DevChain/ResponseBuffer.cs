using System.Buffers;
using System.Diagnostics;
using System.Text;

namespace Amp.Extraction.DevChains;

/// <summary>
/// An HTTP response under construction: the body first, then the head in the room left before it, so that both are
/// one piece of memory and go out in one send. Used again for each response of a connection.
/// </summary>
internal sealed class ResponseBuffer : IBufferWriter<byte>, IDisposable
{
    private const int HeadRoom = 256;

    // What is kept between responses; a larger buffer goes back to the pool.
    private const int KeptBytes = 4 * 1024 * 1024;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(32 * 1024);
    private int _end = HeadRoom;

    /// <summary>Bytes in the body.</summary>
    public int BodyLength => _end - HeadRoom;

    /// <summary>The body; valid until the next write.</summary>
    public ReadOnlyMemory<byte> Body => _buffer.AsMemory(HeadRoom.._end);

    /// <summary>Forgets the body.</summary>
    public void Clear()
    {
        _end = HeadRoom;
        if (_buffer.Length > KeptBytes)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = ArrayPool<byte>.Shared.Rent(KeptBytes);
        }
    }

    /// <summary>Puts the head before the body.</summary>
    /// <returns>The whole response; valid until <see cref="Clear"/>.</returns>
    public ReadOnlyMemory<byte> Finish(RpcReply reply, bool keepAlive)
    {
        var connection = keepAlive ? "" : "Connection: close\r\n";
        var head = $"HTTP/1.1 {reply.Status}\r\n{reply.Header}Content-Type: application/json\r\nContent-Length: {BodyLength}\r\n{connection}\r\n";
        Debug.Assert(head.Length <= HeadRoom, "the room before the body holds every head that is ever written");
        var start = HeadRoom - head.Length;
        Encoding.ASCII.GetBytes(head, _buffer.AsSpan(start));
        return _buffer.AsMemory(start.._end);
    }

    /// <inheritdoc/>
    public void Advance(int count) => _end += count;

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsMemory(_end);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsSpan(_end);
    }

    /// <inheritdoc/>
    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);

    private void Reserve(int count)
    {
        count = Math.Max(count, 1);
        if (_buffer.Length - _end < count)
        {
            var larger = ArrayPool<byte>.Shared.Rent(checked(Math.Max(_buffer.Length * 2, _end + count)));
            _buffer.AsSpan(0, _end).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
    }
}
