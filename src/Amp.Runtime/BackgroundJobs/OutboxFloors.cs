namespace Amp.BackgroundJobs;

/// <summary>
/// Numbers below which the shards of the outbox are empty and stay so. Whoever reads on from there need not pass the rows that were sent and
/// deleted, which stay in the table as long as any transaction of the database could still see them. Numbers are drawn before they commit, so
/// a number that is missing may still come: it is passed only once everybody has ended who was writing when it was drawn.
/// </summary>
internal sealed class OutboxFloors
{
    private readonly Dictionary<short, long> _floors = [];
    private OutboxWriters? _writers;
    private long _settled;

    /// <summary>The number after which to read a shard.</summary>
    public long this[short shard] => _floors.GetValueOrDefault(shard);

    /// <summary>Takes note of who writes to the outbox now.</summary>
    public void See(OutboxWriters now)
    {
        if (_writers is null || !_writers.Transactions.Overlaps(now.Transactions))
        {
            _settled = _writers?.LastId ?? 0;
            _writers = now;
        }
    }

    /// <summary>Takes note of what is in shards.</summary>
    /// <param name="shards">The shards.</param>
    /// <param name="rows">Their first rows, of all tenants, in a reading that began after the last <see cref="See"/>.</param>
    public void Raise(IEnumerable<short> shards, IEnumerable<OutboxRow> rows)
    {
        foreach (var shard in shards)
        {
            _floors[shard] = _settled;
        }

        foreach (var row in rows)
        {
            _floors[row.Shard] = Math.Min(_floors[row.Shard], row.Id - 1);
        }
    }

    /// <summary>Has shards read from their beginning again.</summary>
    public void Forget() => _floors.Clear();

    /// <summary>Forgets all, of numbers that may be drawn again.</summary>
    public void Reset()
    {
        Forget();
        (_writers, _settled) = (null, 0);
    }
}

/// <summary>Who writes to the outbox.</summary>
/// <param name="LastId">The last number that was drawn, before the transactions were looked at.</param>
/// <param name="Transactions">The transactions that may have drawn numbers up to it, and have not ended.</param>
internal sealed record OutboxWriters(long LastId, IReadOnlySet<string> Transactions);
