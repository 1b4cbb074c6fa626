namespace Amp.Extraction.DevChains;

/// <summary>Which blocks the chain has: their links and ways to find them. Safe for use by several threads.</summary>
internal sealed class ChainStore(IBlockMaker maker, ulong firstBlock)
{
    private readonly Lock _gate = new();
    private readonly List<DevLink> _blocks = [];
    private readonly Dictionary<Hash32, DevLink> _byHash = [];
    private uint _branch;

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

        var link = new DevLink(number, maker.HashOf(number, parentHash, _branch), parentHash, _branch);
        lock (_gate)
        {
            _blocks.Add(link);
            _byHash.Add(link.Hash, link);
        }
    }

    /// <summary>
    /// Takes the newest blocks off the chain, the first one never; what is added afterwards is of another branch. As with real
    /// nodes they can still be found by their hash. For one caller at a time, and not while a block is added.
    /// </summary>
    /// <returns>The chain as it was.</returns>
    public ChainStore Rewind(int depth)
    {
        lock (_indexGate)
        {
            lock (_gate)
            {
                var before = new ChainStore(maker, firstBlock);
                before._blocks.AddRange(_blocks);
                foreach (var link in _byHash)
                {
                    before._byHash.Add(link.Key, link.Value);
                }

                _blocks.RemoveRange(_blocks.Count - Math.Min(depth, _blocks.Count - 1), Math.Min(depth, _blocks.Count - 1));
                _branch++;
                _transactions.Clear();
                _indexedBlocks = 0;
                return before;
            }
        }
    }

    /// <summary>Finds a block by its number.</summary>
    public bool TryGet(ulong number, out DevLink block)
    {
        lock (_gate)
        {
            var exists = number >= firstBlock && number - firstBlock < (ulong)_blocks.Count;
            block = exists ? _blocks[(int)(number - firstBlock)] : default;
            return exists;
        }
    }

    /// <summary>Finds a block by its hash.</summary>
    public bool TryGet(Hash32 hash, out DevLink block)
    {
        lock (_gate)
        {
            return _byHash.TryGetValue(hash, out block);
        }
    }

    /// <summary>Finds the block of a transaction and its place in it.</summary>
    public bool TryGetTransaction(Hash32 hash, out DevLink block, out int index)
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
