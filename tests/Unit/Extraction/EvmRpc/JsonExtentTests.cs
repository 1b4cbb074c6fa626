using System.Text;

namespace Amp.Extraction.EvmRpc;

public sealed class JsonExtentTests
{
    private const int Texts = 2_000;

    [Fact]
    public void Find_OfRandomTexts_GivesTheirEnd_InOnePieceAndInMany()
    {
        var random = new Random(1);
        for (var i = 0; i < Texts; i++)
        {
            var text = new StringBuilder();
            Append(text, random, depth: 0);
            var length = text.Length;
            var bytes = Encoding.ASCII.GetBytes(text.Append(",\"]}{[").ToString());

            Assert.Equal(length, JsonExtent.Find(bytes));
            Assert.Equal(-1, JsonExtent.Find(bytes.AsSpan(0, length - 1)));
            Assert.Equal(length, FindInPieces(bytes, random));
        }
    }

    private static int FindInPieces(ReadOnlySpan<byte> text, Random random)
    {
        var extent = new JsonExtent();
        for (var start = 0; start < text.Length;)
        {
            var piece = text.Slice(start, Math.Min(random.Next(1, 200), text.Length - start));
            if (extent.Continue(piece) is var end and >= 0)
            {
                return start + end;
            }

            start += piece.Length;
        }

        return -1;
    }

    // An array or object, with strings that look like what they are not.
    private static void Append(StringBuilder text, Random random, int depth)
    {
        var isObject = random.Next(2) == 0;
        text.Append(isObject ? '{' : '[');
        for (var (i, count) = (0, random.Next(6)); i < count; i++)
        {
            text.Append(i == 0 ? "" : ",").Append(isObject ? $"\"key{i}\":" : "");
            switch (random.Next(depth < 5 ? 4 : 2))
            {
                case 0:
                    text.Append(random.Next());
                    break;
                case 1:
                    text.Append('"').Append(random.Next(3) == 0 ? Tricky(random) : new string('a', random.Next(150))).Append('"');
                    break;
                default:
                    Append(text, random, depth + 1);
                    break;
            }
        }

        text.Append(isObject ? '}' : ']');
    }

    private static string Tricky(Random random) =>
        string.Concat(Enumerable.Range(0, random.Next(80)).Select(_ => random.GetItems(["{", "}", "[", "]", "\\\"", "\\\\", ":", ","], 1)[0]));
}
