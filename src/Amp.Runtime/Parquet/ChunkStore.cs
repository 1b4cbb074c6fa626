using System.Buffers;

namespace Amp.Parquet;

/// <summary>Encoded pages of a column chunk, in pooled pieces, until the row group is written.</summary>
internal sealed class ChunkStore : IDisposable
{
    private const int PieceBytes = 32 << 10;

    // All of one size, so that what one column gives back serves any other; what many writers need beyond it is not kept.
    private static readonly ArrayPool<byte> Pool = ArrayPool<byte>.Create(PieceBytes, maxArraysPerBucket: (64 << 20) / PieceBytes);

    private readonly List<(byte[] Array, int Length)> _pieces = [];

    /// <summary>Number of bytes held.</summary>
    public long Length { get; private set; }

    /// <summary>Adds bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        Length += bytes.Length;
        while (!bytes.IsEmpty)
        {
            if (_pieces.Count == 0 || _pieces[^1].Length == _pieces[^1].Array.Length)
            {
                _pieces.Add((Pool.Rent(PieceBytes), 0));
            }

            var (array, length) = _pieces[^1];
            var count = Math.Min(bytes.Length, array.Length - length);
            bytes[..count].CopyTo(array.AsSpan(length));
            _pieces[^1] = (array, length + count);
            bytes = bytes[count..];
        }
    }

    /// <summary>Writes everything to a stream.</summary>
    public async ValueTask CopyToAsync(Stream output, CancellationToken cancellationToken)
    {
        foreach (var (array, length) in _pieces)
        {
            await output.WriteAsync(array.AsMemory(0, length), cancellationToken);
        }
    }

    /// <summary>Forgets everything and hands the memory back.</summary>
    public void Clear()
    {
        foreach (var (array, _) in _pieces)
        {
            Pool.Return(array);
        }

        _pieces.Clear();
        Length = 0;
    }

    /// <inheritdoc/>
    public void Dispose() => Clear();
}
