namespace Amp.Extraction.Crypto;

public sealed class MerklePatriciaTrieTests
{
    [Fact]
    public void Root_OfNothing_IsTheEmptyRoot()
    {
        var root = MerklePatriciaTrie.Root([]);

        Assert.Equal("0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421", root.ToString());
    }

    [Fact]
    public void Root_OfAnyCount_EqualsRootOfPlainTrie()
    {
        // Item sizes from nothing to large, so that nodes are embedded and hashed; counts around each change of key length.
        var random = new Random(7);
        foreach (var count in (int[])[1, 2, 3, 15, 16, 17, 18, 127, 128, 129, 130, 255, 256, 257, 258, 300, 1000])
        {
            var items = Enumerable.Range(0, count).Select(_ => RandomItem(random)).ToArray();

            var root = MerklePatriciaTrie.Root(items);

            Assert.Equal(PlainRoot(items), root);
        }
    }

    private static ReadOnlyMemory<byte> RandomItem(Random random)
    {
        var item = new byte[random.Next(3) switch { 0 => random.Next(1, 5), 1 => random.Next(1, 60), _ => random.Next(1, 700) }];
        random.NextBytes(item);
        return item;
    }

    // A second way to the root: recursion over hex strings as the yellow paper's appendix D defines the nodes.
    private static Hash32 PlainRoot(ReadOnlyMemory<byte>[] items)
    {
        var pairs = items.Select((item, index) =>
        {
            var writer = new RlpWriter();
            writer.WriteNumber((UInt128)index);
            return (Key: Convert.ToHexStringLower(writer.Written), Value: item.ToArray());
        }).ToList();
        return Keccak256.Hash(Node(pairs, 0));
    }

    private static byte[] Node(List<(string Key, byte[] Value)> pairs, int depth)
    {
        if (pairs.Count == 1)
        {
            return List(Text(Path(pairs[0].Key[depth..], true)), Text(pairs[0].Value));
        }

        var shared = depth;
        while (pairs.All(pair => pair.Key[shared] == pairs[0].Key[shared]))
        {
            shared++;
        }

        if (shared > depth)
        {
            return List(Text(Path(pairs[0].Key[depth..shared], false)), Reference(pairs, shared));
        }

        return List([
            .. "0123456789abcdef".Select(digit => pairs.Where(pair => pair.Key[depth] == digit).ToList())
                .Select(group => group.Count == 0 ? Text([]) : Reference(group, depth + 1)),
            Text([])]);
    }

    private static byte[] Reference(List<(string Key, byte[] Value)> pairs, int depth)
    {
        var node = Node(pairs, depth);
        if (node.Length < 32)
        {
            return node;
        }

        var hash = new byte[32];
        Keccak256.Hash(node, hash);
        return Text(hash);
    }

    private static byte[] Path(string nibbles, bool leaf) =>
        Convert.FromHexString((leaf, nibbles.Length % 2) switch
        {
            (false, 0) => "00" + nibbles,
            (false, _) => "1" + nibbles,
            (true, 0) => "20" + nibbles,
            (true, _) => "3" + nibbles,
        });

    private static byte[] Text(byte[] value)
    {
        var writer = new RlpWriter();
        writer.WriteBytes(value);
        return writer.Written.ToArray();
    }

    private static byte[] List(params byte[][] items)
    {
        var writer = new RlpWriter();
        var list = writer.BeginList();
        foreach (var item in items)
        {
            writer.WriteRaw(item);
        }

        writer.EndList(list);
        return writer.Written.ToArray();
    }
}
