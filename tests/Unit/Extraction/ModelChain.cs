using System.Runtime.CompilerServices;
using Amp.Parquet;

namespace Amp.Extraction;

/// <summary>A chain in memory that grows, forks and shrinks as a test says.</summary>
internal sealed class ModelChain(Random random)
{
    private readonly Lock _gate = new();
    private List<BlockLink> _blocks = [];
    private List<BlockLink> _before = [];

    /// <summary>Its tables; both have a row a block.</summary>
    public static IReadOnlyList<TableSchema> Tables { get; } = [Schema("blocks"), Schema("copies")];

    /// <summary>Called before each batch is read, by one reader at a time; may change the chain, or throw.</summary>
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
            _before = _blocks;
            _blocks = [.. _blocks.Take(_blocks.Count - Math.Min(depth, _blocks.Count - 1))];
            Extend(replacements);
        }
    }

    /// <summary>A node that has the chain.</summary>
    /// <param name="lags">Whether it has not heard of the last reorg.</param>
    /// <param name="behind">By how many blocks the head that it tells is too low.</param>
    public IBlockSource Node(Func<bool> lags, Func<int> behind) => new NodeSource(this, lags, behind);

    public static AmpException Failure(string code, string message) =>
        new(code, AmpErrorKind.InvalidData, message) { IsTransient = true };

    private static TableSchema Schema(string name) => new(
        name, [new ArrowField("_block_num", ArrowType.UInt64, false), new ArrowField("hash", ArrowType.Bytes32, false)]);

    private Hash32 NewHash()
    {
        Span<byte> bytes = stackalloc byte[32];
        random.NextBytes(bytes);
        return new Hash32(bytes);
    }

    private sealed class NodeSource(ModelChain chain, Func<bool> lags, Func<int> behind) : IBlockSource
    {
        private List<BlockLink> Blocks => lags() && chain._before.Count > 0 ? chain._before : chain._blocks;

        public Task<ulong> GetHeadAsync(bool finalized, CancellationToken cancellationToken)
        {
            lock (chain._gate)
            {
                return Task.FromResult((ulong)Math.Max(0, Blocks.Count - 1 - behind()));
            }
        }

        public Task<BlockLink?> GetLinkAsync(ulong number, CancellationToken cancellationToken)
        {
            lock (chain._gate)
            {
                return Task.FromResult<BlockLink?>(number < (ulong)Blocks.Count ? Blocks[(int)number] : null);
            }
        }

        public async IAsyncEnumerable<BlockBatch> ReadAsync(BlockRange range, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            BlockLink? last = null;
            for (var next = range.Start; next <= range.End;)
            {
                await Task.Yield();
                cancellationToken.ThrowIfCancellationRequested();
                var batch = new BlockBatch(Tables);
                lock (chain._gate)
                {
                    chain.BeforeBatch();
                    var blocks = Blocks;
                    for (var i = chain.NextBatchSize(); i > 0 && next <= range.End; i--, next++)
                    {
                        if (next >= (ulong)blocks.Count)
                        {
                            throw Failure("BlockNotFound", $"block {next} is not there");
                        }

                        var block = blocks[(int)next];
                        if (last is { } before && before.Hash != block.ParentHash)
                        {
                            throw Failure("ChainReorganized", $"block {next} does not follow");
                        }

                        Add(batch, block);
                        last = block;
                    }
                }

                yield return batch;
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        private static void Add(BlockBatch batch, BlockLink block)
        {
            batch.Blocks.Add(block);
            foreach (var table in batch.Tables)
            {
                table.Columns[0].AddUInt64(block.Number);
                block.Hash.CopyTo(table.Columns[1].AddFixed());
                table.RowCount++;
            }
        }
    }

    private int NextBatchSize() => random.Next(1, 6);
}
