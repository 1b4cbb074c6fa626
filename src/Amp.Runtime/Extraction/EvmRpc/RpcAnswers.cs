namespace Amp.Extraction.EvmRpc;

/// <summary>The results of some calls, as JSON in pooled memory that goes back on <see cref="Dispose"/>.</summary>
internal sealed class RpcAnswers : IDisposable
{
    private readonly ReadOnlyMemory<byte>[] _results;
    private readonly List<PooledBytes> _bodies = [];

    public RpcAnswers(int callCount) => _results = new ReadOnlyMemory<byte>[callCount];

    /// <summary>Result of a call, by its position among the calls.</summary>
    public ReadOnlyMemory<byte> this[int call]
    {
        get => _results[call];
        set => _results[call] = value;
    }

    /// <summary>Bytes of memory that they take.</summary>
    public long ByteCount
    {
        get
        {
            lock (_bodies)
            {
                return _bodies.Sum(body => (long)body.Capacity);
            }
        }
    }

    /// <summary>Takes over the memory that results point into.</summary>
    public void Keep(PooledBytes body)
    {
        lock (_bodies)
        {
            _bodies.Add(body);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_bodies)
        {
            foreach (var body in _bodies)
            {
                body.Dispose();
            }

            _bodies.Clear();
        }

        Array.Clear(_results);
    }
}
