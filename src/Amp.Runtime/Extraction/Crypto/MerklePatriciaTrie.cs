namespace Amp.Extraction.Crypto;

/// <summary>
/// Root of the Merkle-Patricia trie that maps each item's index, RLP encoded, to the item: what a header keeps as its
/// transactions, receipts and withdrawals root. Nothing but the root is kept; the memory for nodes is used again by the
/// next root. Not for use by several threads.
/// </summary>
internal sealed class MerklePatriciaTrie
{
    private const byte LeafFlag = 0x20;
    private const byte OddFlag = 0x10;

    // Nodes are written depth first into one buffer: a child stays where its parent embeds it when it is shorter than a
    // hash, and is replaced by its hash otherwise. No key is the prefix of another (RLP), so branches hold no value.
    private readonly RlpWriter _nodes = new(4096);

    /// <summary>Root of the trie without items.</summary>
    public static Hash32 EmptyRoot { get; } = Keccak256.Hash([0x80]);

    /// <summary>Root over <paramref name="items"/>, each in its consensus encoding.</summary>
    public static Hash32 Root(IReadOnlyList<ReadOnlyMemory<byte>> items)
    {
        var encoded = new EncodedItems();
        foreach (var item in items)
        {
            encoded.Writer.WriteRaw(item.Span);
            encoded.EndItem();
        }

        return new MerklePatriciaTrie().Root(encoded);
    }

    /// <summary>Root over <paramref name="items"/>.</summary>
    public Hash32 Root(EncodedItems items)
    {
        if (items.Count == 0)
        {
            return EmptyRoot;
        }

        _nodes.Truncate();
        WriteNode(items, 0, items.Count, 0);
        return Keccak256.Hash(_nodes.Written);
    }

    /// <summary>Writes the node of the keys from <paramref name="from"/> to before <paramref name="to"/> in their order, which share <paramref name="depth"/> nibbles.</summary>
    private void WriteNode(EncodedItems items, int from, int to, int depth)
    {
        var first = Key.At(from, items.Count);
        var list = _nodes.BeginList();
        if (to - from == 1)
        {
            WritePath(first, depth, first.Length, LeafFlag);
            _nodes.WriteBytes(items[first.Index]);
            _nodes.EndList(list);
            return;
        }

        // The keys are sorted, so what the first and the last share, all share.
        var last = Key.At(to - 1, items.Count);
        var shared = depth;
        while (first[shared] == last[shared])
        {
            shared++;
        }

        if (shared > depth)
        {
            WritePath(first, depth, shared, 0);
            WriteChild(items, from, to, shared);
        }
        else
        {
            WriteBranch(items, from, to, depth);
        }

        _nodes.EndList(list);
    }

    private void WriteBranch(EncodedItems items, int from, int to, int depth)
    {
        for (var nibble = 0; nibble < 16; nibble++)
        {
            var end = from;
            while (end < to && Key.At(end, items.Count)[depth] == nibble)
            {
                end++;
            }

            if (end == from)
            {
                _nodes.WriteBytes([]);
            }
            else
            {
                WriteChild(items, from, end, depth + 1);
            }

            from = end;
        }

        _nodes.WriteBytes([]);
    }

    private void WriteChild(EncodedItems items, int from, int to, int depth)
    {
        var start = _nodes.Length;
        WriteNode(items, from, to, depth);
        var node = _nodes.Written[start..];
        if (node.Length >= Keccak256.HashLength)
        {
            var hash = Keccak256.Hash(node);
            _nodes.Truncate(start);
            _nodes.WriteHash(hash);
        }
    }

    // Hex-prefix encoding: a flag nibble, a padding nibble when the count is even, then the nibbles.
    private void WritePath(Key key, int from, int to, byte flag)
    {
        Span<byte> path = stackalloc byte[1 + ((to - from) / 2)];
        path[0] = flag;
        if ((to - from) % 2 == 1)
        {
            path[0] |= (byte)(OddFlag | key[from++]);
        }

        for (var i = 1; from < to; i++, from += 2)
        {
            path[i] = (byte)((key[from] << 4) | key[from + 1]);
        }

        _nodes.WriteBytes(path);
    }

    /// <summary>An index, RLP encoded, as nibbles, the first one uppermost.</summary>
    private readonly record struct Key(int Index, ulong Nibbles, int Length)
    {
        public int this[int position] => (int)(Nibbles >> (4 * (Length - 1 - position))) & 0xf;

        /// <summary>
        /// The key in a place of the rising order of <paramref name="count"/> keys. Sorted as byte strings, the key of 0
        /// (0x80) stands between those of 127 and 128.
        /// </summary>
        public static Key At(int place, int count)
        {
            var zero = Math.Min(count, 128) - 1;
            var index = place < zero ? place + 1 : place == zero ? 0 : place;
            var digits = (uint)index;
            return index switch
            {
                0 => new Key(index, 0x80, 2),
                < 1 << 7 => new Key(index, digits, 2),
                < 1 << 8 => new Key(index, 0x81_00 | digits, 4),
                < 1 << 16 => new Key(index, 0x82_0000 | digits, 6),
                < 1 << 24 => new Key(index, 0x83_000000 | digits, 8),
                _ => new Key(index, 0x84_00000000ul | digits, 10),
            };
        }
    }
}
