using Amp.Parquet;

namespace Amp.Extraction;

/// <summary>
/// Consecutive blocks as rows of every table of a dataset. Belongs to one owner at a time; disposing it hands the
/// buffers back to where they came from.
/// </summary>
internal sealed class BlockBatch : IDisposable
{
    private readonly Action<BlockBatch>? _release;
    private int _isHandedBack;

    public BlockBatch(IReadOnlyList<TableSchema> tables, Action<BlockBatch>? release = null)
    {
        Tables = [.. tables.Select(table => new TableBuffer(table))];
        _release = release;
    }

    /// <summary>Rows of each table, in the order of the dataset's tables.</summary>
    public TableBuffer[] Tables { get; }

    /// <summary>The blocks, in order: number, hash and parent's hash.</summary>
    public List<BlockLink> Blocks { get; } = [];

    /// <summary>Bytes of values and levels held.</summary>
    public long ByteCount => Tables.Sum(table => table.ByteCount);

    /// <summary>Forgets all rows and keeps the memory.</summary>
    public void Clear()
    {
        Blocks.Clear();
        foreach (var table in Tables)
        {
            table.Clear();
        }
    }

    /// <summary>Makes an empty batch of one that was handed back, for its next owner.</summary>
    public void Reuse()
    {
        Clear();
        Volatile.Write(ref _isHandedBack, 0);
    }

    /// <summary>Hands the memory back; a second time does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isHandedBack, 1) == 0)
        {
            _release?.Invoke(this);
        }
    }
}

/// <summary>What links a block to its chain.</summary>
/// <param name="Number">The block's number.</param>
/// <param name="Hash">Its hash.</param>
/// <param name="ParentHash">Hash of the block before it.</param>
internal readonly record struct BlockLink(ulong Number, Hash32 Hash, Hash32 ParentHash);
