namespace Amp.BackgroundJobs;

/// <summary>A message of the work topic on its way through a worker.</summary>
/// <param name="Id">The job it brings.</param>
/// <param name="Message">The job itself, when another producer wrote the message and the queue may not have it yet; null else.</param>
/// <param name="Source">The partition it came from.</param>
/// <param name="Offset">Its place there.</param>
internal sealed record FeedItem(Guid Id, JobMessage? Message, PartitionOffsets Source, long Offset)
{
    /// <summary>Whether a handler has it or had it; guarded by <see cref="Source"/>.</summary>
    public bool IsBegun { get; set; }

    /// <summary>Whether the worker is done with it; guarded by <see cref="Source"/>.</summary>
    public bool IsSettled { get; set; }
}

/// <summary>
/// What a worker has of one partition while it is assigned to it. Its position never passes a message that is not settled, whatever the
/// order in which they are; offsets that the broker leaves out do not hold it up. Safe for many threads.
/// </summary>
internal sealed class PartitionOffsets(int partition)
{
    private readonly Lock _gate = new();
    private readonly Queue<FeedItem> _open = new();
    private long _next = -1;
    private long _stored = -1;
    private int _begun;

    public int Partition { get; } = partition;

    /// <summary>Whether the partition was taken away: its messages are others' business now.</summary>
    public bool IsRevoked { get; private set; }

    /// <summary>How many of its messages are not settled.</summary>
    public int Open
    {
        get
        {
            lock (_gate)
            {
                return _open.Count;
            }
        }
    }

    /// <summary>How many of its messages handlers have.</summary>
    public int Begun
    {
        get
        {
            lock (_gate)
            {
                return _begun;
            }
        }
    }

    /// <summary>Takes a message in; they come in the order of their offsets.</summary>
    public void Add(FeedItem item)
    {
        lock (_gate)
        {
            _open.Enqueue(item);
            _next = item.Offset + 1;
            Advance();
        }
    }

    /// <summary>A handler gets the job of a message.</summary>
    public void Begin(FeedItem item)
    {
        lock (_gate)
        {
            item.IsBegun = true;
            _begun++;
        }
    }

    /// <summary>The worker is done with a message.</summary>
    public void Settle(FeedItem item)
    {
        lock (_gate)
        {
            item.IsSettled = true;
            _begun -= item.IsBegun ? 1 : 0;
            Advance();
        }
    }

    /// <summary>The offset to commit, when it is a later one than at the last call; null when there is nothing new.</summary>
    public long? TakePosition()
    {
        lock (_gate)
        {
            var position = _open.TryPeek(out var first) ? first.Offset : _next;
            if (position <= _stored)
            {
                return null;
            }

            _stored = position;
            return position;
        }
    }

    /// <summary>Ends it.</summary>
    public void Revoke() => IsRevoked = true;

    private void Advance()
    {
        while (_open.TryPeek(out var first) && first.IsSettled)
        {
            _open.Dequeue();
        }
    }
}
