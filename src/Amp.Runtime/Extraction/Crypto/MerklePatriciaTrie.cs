namespace Amp.Extraction.Crypto;

/// <summary>
/// Root of the Merkle-Patricia trie that maps each item's index, RLP encoded, to the item: what a header keeps as its
/// transactions, receipts and withdrawals root. Nothing but the root is kept.
/// </summary>
internal static class MerklePatriciaTrie
{
    private const byte LeafFlag = 0x20;
    private const byte OddFlag = 0x10;

    /// <summary>Root of the trie without items.</summary>
    public static Hash32 EmptyRoot { get; } = Keccak256.Hash([0x80]);

    /// <summary>Root over <paramref name="items"/>, each in its consensus encoding.</summary>
    public static Hash32 Root(IReadOnlyList<ReadOnlyMemory<byte>> items)
    {
        if (items.Count == 0)
        {
            return EmptyRoot;
        }

        var writer = new RlpWriter(4096);
        new Builder(items, Keys(items.Count), writer).WriteNode(0, items.Count, 0);
        return Keccak256.Hash(writer.Written);
    }

    // The keys in rising order. Sorted as byte strings, the key of 0 (0x80) stands between those of 127 and 128.
    private static Key[] Keys(int count)
    {
        var writer = new RlpWriter(8);
        var keys = new Key[count];
        for (var position = 0; position < count; position++)
        {
            var index = position < Math.Min(count, 128) - 1 ? position + 1 : position == Math.Min(count, 128) - 1 ? 0 : position;
            writer.Truncate();
            writer.WriteNumber((UInt128)index);
            var nibbles = 0UL;
            foreach (var value in writer.Written)
            {
                nibbles = (nibbles << 8) | value;
            }

            keys[position] = new Key(index, nibbles, writer.Length * 2);
        }

        return keys;
    }

    /// <summary>A key as nibbles, the first one uppermost.</summary>
    private readonly record struct Key(int Index, ulong Nibbles, int Length)
    {
        public int this[int position] => (int)(Nibbles >> (4 * (Length - 1 - position))) & 0xf;
    }

    /// <summary>
    /// Writes nodes depth first into one buffer: a child stays where its parent embeds it when it is shorter than a
    /// hash, and is replaced by its hash otherwise. No key is the prefix of another (RLP), so branches hold no value.
    /// </summary>
    private sealed class Builder(IReadOnlyList<ReadOnlyMemory<byte>> items, Key[] keys, RlpWriter writer)
    {
        public void WriteNode(int from, int to, int depth)
        {
            var first = keys[from];
            var list = writer.BeginList();
            if (to - from == 1)
            {
                WritePath(first, depth, first.Length, LeafFlag);
                writer.WriteBytes(items[first.Index].Span);
                writer.EndList(list);
                return;
            }

            // The keys are sorted, so what the first and the last share, all share.
            var last = keys[to - 1];
            var shared = depth;
            while (first[shared] == last[shared])
            {
                shared++;
            }

            if (shared > depth)
            {
                WritePath(first, depth, shared, 0);
                WriteChild(from, to, shared);
            }
            else
            {
                WriteBranch(from, to, depth);
            }

            writer.EndList(list);
        }

        private void WriteBranch(int from, int to, int depth)
        {
            for (var nibble = 0; nibble < 16; nibble++)
            {
                var end = from;
                while (end < to && keys[end][depth] == nibble)
                {
                    end++;
                }

                if (end == from)
                {
                    writer.WriteBytes([]);
                }
                else
                {
                    WriteChild(from, end, depth + 1);
                }

                from = end;
            }

            writer.WriteBytes([]);
        }

        private void WriteChild(int from, int to, int depth)
        {
            var start = writer.Length;
            WriteNode(from, to, depth);
            var node = writer.Written[start..];
            if (node.Length >= Keccak256.HashLength)
            {
                var hash = Keccak256.Hash(node);
                writer.Truncate(start);
                writer.WriteHash(hash);
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

            writer.WriteBytes(path);
        }
    }
}
