namespace Amp.Extraction.EvmRpc;

/// <summary>
/// How many calls go into a request: at most the configured number; half of what a node complained about; a quarter more
/// once enough requests went well. Each complaint doubles how many are enough, so that a fixed limit of the node is
/// touched ever more seldom.
/// </summary>
internal sealed class BatchLimit
{
    private const int FirstPatience = 16;
    private const int MostPatience = 4096;

    private readonly Lock _lock = new();
    private readonly int _most;
    private int _current;
    private int _wentWell;
    private int _patience = FirstPatience;

    /// <param name="most">The configured number; 0 and 1 for single calls.</param>
    public BatchLimit(int most)
    {
        _most = Math.Max(1, most);
        _current = _most;
    }

    /// <summary>Calls in a request, 1 or more.</summary>
    public int Current => Volatile.Read(ref _current);

    /// <summary>Counts a request of so many calls that went well.</summary>
    public void WentWell(int calls)
    {
        if (Current >= _most || calls < Current)
        {
            return;
        }

        lock (_lock)
        {
            if (++_wentWell >= _patience)
            {
                _wentWell = 0;
                _current = Math.Min(_most, _current + Math.Max(1, _current / 4));
            }
        }
    }

    /// <summary>Makes room for less than the number of calls that was too many. Says whether that is news.</summary>
    public bool Complained(int calls)
    {
        lock (_lock)
        {
            _wentWell = 0;
            var half = Math.Max(1, calls / 2);
            if (half >= _current)
            {
                return false;
            }

            _current = half;
            _patience = Math.Min(MostPatience, _patience * 2);
            return true;
        }
    }
}
