using System.Text;

namespace Amp.Extraction.Crypto;

public sealed class Keccak256Tests
{
    [Theory]
    [InlineData("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")]
    [InlineData("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45")]
    [InlineData("testing", "5f16f4c7f149ac4f9510d9cf8cf384038ad348b3bcdc01915f95de12df9d1b02")]
    [InlineData("Transfer(address,address,uint256)", "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")]
    [InlineData(
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "45d3b367a6904e6e8d502ee04999a7c27647f91fa845d456525fd352ae3d7371")]
    [InlineData(
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "f519747ed599024f3882238e5ab43960132572b7345fbeb9a90769dafd21ad67")]
    public void Hash_OfPublicVector_IsAsPublished(string text, string expected)
    {
        var hash = Keccak256.Hash(Encoding.ASCII.GetBytes(text));

        Assert.Equal("0x" + expected, hash.ToString());
    }

    [Fact]
    public void Hash_OfMillionLetters_IsAsPublished()
    {
        var data = new byte[1_000_000];
        data.AsSpan().Fill((byte)'a');

        var hash = Keccak256.Hash(data);

        Assert.Equal("0xfadae6b49f129bbb812be8407b7b2894f34aecf6dbd1f9b0f0c7e9853098fc96", hash.ToString());
    }

    [Fact]
    public void Hash_AroundTheRate_EqualsPlainSponge()
    {
        var random = new Random(1);
        foreach (var length in Enumerable.Range(0, 10).Concat(Enumerable.Range(130, 12)).Concat(Enumerable.Range(268, 10)).Append(5000))
        {
            var data = new byte[length];
            random.NextBytes(data);

            var hash = Keccak256.Hash(data);

            Assert.Equal(new Hash32(PlainKeccak(data)), hash);
        }
    }

    [Fact]
    public void Hash_IntoItsOwnInput_IsTheSame()
    {
        var data = Encoding.ASCII.GetBytes(new string('x', 200));
        var expected = Keccak256.Hash(data);

        Keccak256.Hash(data, data);

        Assert.Equal(expected, new Hash32(data.AsSpan(0, 32)));
    }

    // The definition, step by step: rounds over a 5 x 5 array, offsets and constants computed as the standard says.
    private static byte[] PlainKeccak(byte[] data)
    {
        var padded = new byte[((data.Length / 136) + 1) * 136];
        data.CopyTo(padded, 0);
        padded[data.Length] = 1;
        padded[^1] |= 0x80;
        var a = new ulong[5, 5];
        for (var block = 0; block < padded.Length; block += 136)
        {
            for (var i = 0; i < 17; i++)
            {
                a[i % 5, i / 5] ^= BitConverter.ToUInt64(padded, block + (i * 8));
            }

            PlainRounds(a);
        }

        return [.. Enumerable.Range(0, 4).SelectMany(i => BitConverter.GetBytes(a[i, 0]))];
    }

    private static void PlainRounds(ulong[,] a)
    {
        byte lfsr = 1;
        for (var round = 0; round < 24; round++)
        {
            var c = Enumerable.Range(0, 5).Select(x => a[x, 0] ^ a[x, 1] ^ a[x, 2] ^ a[x, 3] ^ a[x, 4]).ToArray();
            var b = new ulong[5, 5];
            for (var x = 0; x < 5; x++)
            {
                for (var y = 0; y < 5; y++)
                {
                    a[x, y] ^= c[(x + 4) % 5] ^ ulong.RotateLeft(c[(x + 1) % 5], 1);
                }
            }

            var (column, row) = (1, 0);
            b[0, 0] = a[0, 0];
            for (var t = 0; t < 24; t++)
            {
                b[row, ((2 * column) + (3 * row)) % 5] = ulong.RotateLeft(a[column, row], (t + 1) * (t + 2) / 2 % 64);
                (column, row) = (row, ((2 * column) + (3 * row)) % 5);
            }

            for (var x = 0; x < 5; x++)
            {
                for (var y = 0; y < 5; y++)
                {
                    a[x, y] = b[x, y] ^ (~b[(x + 1) % 5, y] & b[(x + 2) % 5, y]);
                }
            }

            for (var j = 0; j < 7; j++)
            {
                a[0, 0] ^= (ulong)(lfsr & 1) << ((1 << j) - 1);
                lfsr = (byte)((lfsr << 1) ^ ((lfsr >> 7) * 0x71));
            }
        }
    }
}
