using System.Text;
using System.Text.Json;

namespace Amp.Extraction.EvmRpc;

public sealed class JsonCursorTests
{
    [Fact]
    public void SkipValue_OfRandomJson_StopsWhereTheValueEnds()
    {
        var random = new Random(11);
        for (var round = 0; round < 3000; round++)
        {
            var text = Encoding.UTF8.GetBytes(RandomJson(random, depth: 0) + ",\"]}");
            var length = text.Length - 4;
            var json = new JsonCursor(text);
            JsonDocument.Parse(text.AsMemory(0, length)).Dispose();

            json.SkipValue();

            Assert.Equal(length, json.Position);
        }
    }

    [Fact]
    public void SkipValue_OfTruncatedValue_IsRefused()
    {
        var text = Encoding.UTF8.GetBytes("{\"a\": [1, \"" + new string('x', 100) + "\\\"\", {\"b\": null}], \"c\": \"]}\"}");
        for (var length = 0; length < text.Length; length++)
        {
            Assert.Throws<DecodeException>(() => new JsonCursor(text.AsSpan(0, length)).SkipValue());
        }
    }

    [Fact]
    public void ReadUInt256_OfAnyLength_IsLeftPadded()
    {
        Span<byte> bytes = stackalloc byte[32];
        for (var length = 1; length <= 70; length++)
        {
            var digits = new string('0', Math.Max(0, length - 64)) + new string('7', Math.Min(64, length));
            new JsonCursor(Encoding.UTF8.GetBytes($"\"0x{digits}\"")).ReadUInt256(bytes);

            Assert.Equal(digits[^Math.Min(64, length)..].PadLeft(64, '0'), Convert.ToHexString(bytes));
        }
    }

    [Fact]
    public void Format_OfRandomNumbers_GivesTheirDecimalDigits()
    {
        var random = new Random(3);
        var bytes = new byte[32];
        var digits = new byte[UInt256.MaxDigits];
        for (var round = 0; round < 2000; round++)
        {
            random.NextBytes(bytes);
            bytes.AsSpan(0, random.Next(33)).Clear();
            var expected = new System.Numerics.BigInteger(bytes, isUnsigned: true, isBigEndian: true);

            var length = new UInt256(bytes).Format(digits);

            Assert.Equal(expected.ToString(System.Globalization.CultureInfo.InvariantCulture), Encoding.UTF8.GetString(digits, 0, length));
        }
    }

    [Fact]
    public void TryDecode_WithOneBadCharacterAnywhere_IsFalse()
    {
        var bytes = new byte[45];
        new Random(2).NextBytes(bytes);
        var text = Encoding.UTF8.GetBytes(Convert.ToHexString(bytes)[..46] + Convert.ToHexStringLower(bytes)[46..]);
        var decoded = new byte[45];
        Assert.True(Hex.TryDecode(text, decoded));
        Assert.Equal(bytes, decoded);

        for (var i = 0; i < text.Length; i++)
        {
            foreach (var bad in "/:@G`g\0\u0080\u00ff".Select(c => (byte)c))
            {
                var (good, _) = (text[i], text[i] = bad);
                Assert.False(Hex.TryDecode(text, decoded));
                text[i] = good;
            }
        }
    }

    private static string RandomJson(Random random, int depth) => random.Next(depth > 3 ? 3 : 5) switch
    {
        0 => new[] { "null", "true", "false", "0", "-1.5e+3" }[random.Next(5)],
        1 or 2 => JsonSerializer.Serialize(string.Concat(Enumerable.Range(0, random.Next(90)).Select(_ => "\"\\{}[]abc"[random.Next(9)]))),
        3 => $"[{string.Join(random.Next(2) == 0 ? "," : " , ", Enumerable.Range(0, random.Next(6)).Select(_ => RandomJson(random, depth + 1)))}]",
        _ => $"{{{string.Join(',', Enumerable.Range(0, random.Next(6)).Select(i => $"\"k{i}\\\\\": {RandomJson(random, depth + 1)}"))}}}",
    };
}
