namespace Amp.Extraction.DevChains;

/// <summary>Which blocks the chain has: their links and ways to find them. Safe for use by several threads.</summary>
internal sealed class ChainStore(IBlockMaker maker, ulong firstBlock)
{
    private readonly Lock _gate = new();
    private readonly List<BlockLink> _blocks = [];
    private readonly Dictionary<Hash32, BlockLink> _byHash = [];

    // Filled when somebody asks for a transaction: most readers want whole blocks only.
    private readonly Lock _indexGate = new();
    private readonly Dictionary<Hash32, (int Block, int Index)> _transactions = [];
    private int _indexedBlocks;

    /// <summary>Number of the chain's first block.</summary>
    public ulong First => firstBlock;

    /// <summary>Number of the newest block.</summary>
    public ulong Head
    {
        get
        {
            lock (_gate)
            {
                return firstBlock + (ulong)_blocks.Count - 1;
            }
        }
    }

    /// <summary>Adds the next block. For one caller at a time.</summary>
    public void Append()
    {
        Hash32 parentHash;
        ulong number;
        lock (_gate)
        {
            parentHash = _blocks is [.., var head] ? head.Hash : default;
            number = firstBlock + (ulong)_blocks.Count;
        }

        var link = new BlockLink(number, maker.HashOf(number, parentHash), parentHash);
        lock (_gate)
        {
            _blocks.Add(link);
            _byHash.Add(link.Hash, link);
        }
    }

    /// <summary>Finds a block by its number.</summary>
    public bool TryGet(ulong number, out BlockLink block)
    {
        lock (_gate)
        {
            var exists = number >= firstBlock && number - firstBlock < (ulong)_blocks.Count;
            block = exists ? _blocks[(int)(number - firstBlock)] : default;
            return exists;
        }
    }

    /// <summary>Finds a block by its hash.</summary>
    public bool TryGet(Hash32 hash, out BlockLink block)
    {
        lock (_gate)
        {
            return _byHash.TryGetValue(hash, out block);
        }
    }

    /// <summary>Finds the block of a transaction and its place in it.</summary>
    public bool TryGetTransaction(Hash32 hash, out BlockLink block, out int index)
    {
        lock (_indexGate)
        {
            for (; TryGet(firstBlock + (ulong)_indexedBlocks, out var next); _indexedBlocks++)
            {
                var hashes = maker.TransactionHashesOf(next);
                for (var i = 0; i < hashes.Count; i++)
                {
                    _transactions[hashes[i]] = (_indexedBlocks, i);
                }
            }

            var found = _transactions.TryGetValue(hash, out var place);
            index = place.Index;
            block = default;
            return found && TryGet(firstBlock + (ulong)place.Block, out block);
        }
    }
}
