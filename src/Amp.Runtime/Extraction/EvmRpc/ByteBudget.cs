namespace Amp.Extraction.EvmRpc;

/// <summary>Bounds the bytes that work in progress holds. One caller acquires; any may charge and release.</summary>
internal sealed class ByteBudget(long limit)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _released;
    private long _used;

    /// <summary>
    /// Waits until there is room for so many bytes, or until nothing else is held: work that is larger than the whole
    /// budget goes alone.
    /// </summary>
    public async Task AcquireAsync(long bytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task released;
            lock (_lock)
            {
                if (_used == 0 || _used + bytes <= limit)
                {
                    _used += bytes;
                    return;
                }

                _released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                released = _released.Task;
            }

            await released.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Adds what turned out to be needed, or with a negative number gives back.</summary>
    public void Charge(long bytes)
    {
        lock (_lock)
        {
            _used += bytes;
            if (bytes < 0)
            {
                _released?.TrySetResult();
                _released = null;
            }
        }
    }
}
