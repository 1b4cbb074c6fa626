namespace Amp.Extraction.EvmRpc;

/// <summary>
/// Bounds the requests under way: at most the configured number; half of what is under way after a complaint about the
/// rate, at least one; one more each time that as many requests as the bound allows went well.
/// </summary>
internal sealed class ConcurrencyGate : IDisposable
{
    private readonly Lock _lock = new();
    private readonly int _most;
    private readonly SemaphoreSlim _free;
    private int _limit;
    private int _underWay;

    // Requests that have to end without freeing their place, so that the bound comes into force.
    private int _excess;
    private int _wentWell;
    private int _epoch;

    /// <param name="most">The configured number, 1 or more.</param>
    public ConcurrencyGate(int most)
    {
        _most = most;
        _limit = most;
        _free = new SemaphoreSlim(most);
    }

    /// <summary>The bound.</summary>
    public int Limit
    {
        get
        {
            lock (_lock)
            {
                return _limit;
            }
        }
    }

    /// <summary>Waits for a place. The number returned tells <see cref="Complained"/> when the request began.</summary>
    public async ValueTask<int> EnterAsync(CancellationToken cancellationToken)
    {
        await _free.WaitAsync(cancellationToken);
        lock (_lock)
        {
            _underWay++;
            return _epoch;
        }
    }

    /// <summary>Gives the place back.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            _underWay--;
            if (_excess > 0)
            {
                _excess--;
            }
            else
            {
                _free.Release();
            }
        }
    }

    /// <summary>Counts a request that went well.</summary>
    public void WentWell()
    {
        lock (_lock)
        {
            if (_limit == _most || ++_wentWell < _limit)
            {
                return;
            }

            _wentWell = 0;
            _limit++;
            if (_excess > 0)
            {
                _excess--;
            }
            else
            {
                _free.Release();
            }
        }
    }

    /// <summary>
    /// Halves the bound for a request that is still under way, unless that was done since it began: one refusal of many
    /// requests at once counts once. Says whether it was.
    /// </summary>
    public bool Complained(int epoch)
    {
        lock (_lock)
        {
            _wentWell = 0;
            if (epoch != _epoch)
            {
                return false;
            }

            _epoch++;
            var limit = Math.Max(1, Math.Min(_limit, _underWay) / 2);
            for (; _limit > limit; _limit--)
            {
                if (!_free.Wait(0, CancellationToken.None))
                {
                    _excess++;
                }
            }

            return true;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _free.Dispose();
}
