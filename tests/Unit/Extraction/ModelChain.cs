using System.Runtime.CompilerServices;
using Amp.Parquet;

namespace Amp.Extraction;

/// <summary>A chain in memory that grows, forks and shrinks as a test says, and a source that reads it.</summary>
internal sealed class ModelChain(Random random) : IBlockSource
{
    public static readonly TableSchema Table = new(
        "blocks",
        [new ArrowField("_block_num", ArrowType.UInt64, false), new ArrowField("hash", ArrowType.Bytes32, false)]);

    private readonly Lock _gate = new();
    private readonly List<BlockLink> _blocks = [];

    /// <summary>Called before each batch is read; may change the chain, or throw.</summary>
    public Action BeforeBatch { get; set; } = () => { };

    /// <summary>Number of the newest block.</summary>
    public ulong Head
    {
        get
        {
            lock (_gate)
            {
                return (ulong)_blocks.Count - 1;
            }
        }
    }

    public BlockLink this[ulong number]
    {
        get
        {
            lock (_gate)
            {
                return _blocks[(int)number];
            }
        }
    }

    public void Extend(int count)
    {
        lock (_gate)
        {
            for (var i = 0; i < count; i++)
            {
                _blocks.Add(new BlockLink((ulong)_blocks.Count, NewHash(), _blocks.Count == 0 ? default : _blocks[^1].Hash));
            }
        }
    }

    /// <summary>Replaces the newest blocks, the first one never, by others; the chain may end up shorter.</summary>
    public void Reorganize(int depth, int replacements)
    {
        lock (_gate)
        {
            depth = Math.Min(depth, _blocks.Count - 1);
            _blocks.RemoveRange(_blocks.Count - depth, depth);
            Extend(replacements);
        }
    }

    public Task<ulong> GetHeadAsync(bool finalized, CancellationToken cancellationToken) => Task.FromResult(Head);

    public Task<BlockLink?> GetLinkAsync(ulong number, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult<BlockLink?>(number < (ulong)_blocks.Count ? _blocks[(int)number] : null);
        }
    }

    public async IAsyncEnumerable<BlockBatch> ReadAsync(BlockRange range, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        BlockLink? last = null;
        for (var next = range.Start; next <= range.End;)
        {
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
            var batch = new BlockBatch([Table]);
            lock (_gate)
            {
                BeforeBatch();
                for (var i = random.Next(1, 6); i > 0 && next <= range.End; i--, next++)
                {
                    if (next >= (ulong)_blocks.Count)
                    {
                        throw Failure("BlockNotFound", $"block {next} is not there");
                    }

                    var block = _blocks[(int)next];
                    if (last is { } before && before.Hash != block.ParentHash)
                    {
                        throw Failure("ChainReorganized", $"block {next} does not follow");
                    }

                    batch.Blocks.Add(block);
                    batch.Tables[0].Columns[0].AddUInt64(next);
                    block.Hash.CopyTo(batch.Tables[0].Columns[1].AddFixed());
                    batch.Tables[0].RowCount++;
                    last = block;
                }
            }

            yield return batch;
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public static AmpException Failure(string code, string message) =>
        new(code, AmpErrorKind.InvalidData, message) { IsTransient = true };

    private Hash32 NewHash()
    {
        Span<byte> bytes = stackalloc byte[32];
        random.NextBytes(bytes);
        return new Hash32(bytes);
    }
}
