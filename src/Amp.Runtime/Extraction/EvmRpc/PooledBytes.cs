using System.Buffers;

namespace Amp.Extraction.EvmRpc;

/// <summary>Bytes in an array of the shared pool, which gets it back on <see cref="Dispose"/>.</summary>
internal sealed class PooledBytes : IBufferWriter<byte>, IDisposable
{
    private byte[] _array;

    /// <param name="capacity">How many bytes are expected; it grows when there are more.</param>
    public PooledBytes(int capacity) => _array = ArrayPool<byte>.Shared.Rent(Math.Max(capacity, 256));

    /// <summary>Number of bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>Bytes of memory that it takes; more than <see cref="Length"/>.</summary>
    public int Capacity => _array.Length;

    /// <summary>The bytes written, valid until disposed.</summary>
    public ReadOnlyMemory<byte> Memory => _array.AsMemory(0, Length);

    /// <inheritdoc/>
    public void Advance(int count) => Length += count;

    /// <summary>Keeps so many bytes and moves the others to <paramref name="rest"/>.</summary>
    public void CutTo(int length, PooledBytes rest)
    {
        var others = Memory.Span[length..];
        others.CopyTo(rest.GetSpan(others.Length));
        rest.Advance(others.Length);
        Length = length;
    }

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var needed = Length + Math.Max(sizeHint, 1);
        if (needed > _array.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Array.MaxLength, Math.Max(needed, _array.Length * 2L)));
            _array.AsSpan(0, Length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_array);
            _array = larger;
        }

        return _array.AsMemory(Length);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <inheritdoc/>
    public void Dispose()
    {
        var array = _array;
        _array = [];
        Length = 0;
        if (array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }
}
