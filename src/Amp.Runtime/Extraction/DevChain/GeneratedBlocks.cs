using System.Buffers;

namespace Amp.Extraction.DevChains;

/// <summary>Generated blocks as JSON. The blocks used last are kept; any other is made again when it is asked for.</summary>
internal sealed class GeneratedBlocks : IBlockMaker
{
    private const int DefaultCacheBytes = 256 * 1024 * 1024;
    private const int TypicalTransactionBytes = 4096;

    private readonly BlockGenerator _generator;
    private readonly int _capacity;
    private readonly Lock _gate = new();
    private readonly Dictionary<Hash32, LinkedListNode<(Hash32 Hash, RenderedBlock Block)>> _cache = [];
    private readonly LinkedList<(Hash32 Hash, RenderedBlock Block)> _lastUsed = [];

    /// <summary>Makes the blocks of a chain.</summary>
    /// <param name="options">What the chain is like.</param>
    /// <param name="cacheBytes">About how much memory kept blocks take; 0 keeps none.</param>
    public GeneratedBlocks(DevChainOptions options, int cacheBytes = DefaultCacheBytes)
    {
        _generator = new BlockGenerator(options);
        _capacity = cacheBytes / (TypicalTransactionBytes * (options.TransactionsPerBlock + 1));
        ChainId = options.ChainId ?? DevChainOptions.DefaultChainId;
    }

    /// <inheritdoc/>
    public ulong ChainId { get; }

    /// <inheritdoc/>
    public Hash32 HashOf(ulong number, Hash32 parentHash, uint branch)
    {
        // Rendered while it is at hand: who makes a block reads it soon.
        var block = _generator.Create(number, parentHash, branch);
        Keep(block.Hash, BlockRenderer.Render(block));
        return block.Hash;
    }

    /// <inheritdoc/>
    public IReadOnlyList<Hash32> TransactionHashesOf(DevLink block) => Get(block).Hashes;

    /// <inheritdoc/>
    public void WriteBlock(DevLink block, bool fullTransactions, IBufferWriter<byte> output)
    {
        if (fullTransactions)
        {
            output.Write(Get(block).Block);
        }
        else
        {
            Get(block).WriteWithHashes(output);
        }
    }

    /// <inheritdoc/>
    public void WriteReceipts(DevLink block, IBufferWriter<byte> output) => output.Write(Get(block).Receipts);

    /// <inheritdoc/>
    public void WriteTransaction(DevLink block, int index, IBufferWriter<byte> output)
    {
        var rendered = Get(block);
        output.Write(rendered.Block.AsSpan(rendered.Transactions[index]));
    }

    /// <inheritdoc/>
    public void WriteReceipt(DevLink block, int index, IBufferWriter<byte> output)
    {
        var rendered = Get(block);
        output.Write(rendered.Receipts.AsSpan(rendered.ReceiptRanges[index]));
    }

    private RenderedBlock Get(DevLink link)
    {
        lock (_gate)
        {
            if (_cache.TryGetValue(link.Hash, out var node))
            {
                _lastUsed.Remove(node);
                _lastUsed.AddFirst(node);
                return node.Value.Block;
            }
        }

        var rendered = BlockRenderer.Render(_generator.Create(link.Number, link.ParentHash, link.Branch));
        Keep(link.Hash, rendered);
        return rendered;
    }

    private void Keep(Hash32 hash, RenderedBlock block)
    {
        lock (_gate)
        {
            if (_cache.ContainsKey(hash))
            {
                return;
            }

            _cache.Add(hash, _lastUsed.AddFirst((hash, block)));
            if (_cache.Count > _capacity)
            {
                _cache.Remove(_lastUsed.Last!.Value.Hash);
                _lastUsed.RemoveLast();
            }
        }
    }
}
