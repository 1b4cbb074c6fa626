using System.Text;

namespace Amp.Extraction.DevChains;

public sealed class HexPermutationTests
{
    [Fact]
    public void Apply_ToTextOfAnyLength_ReplacesEachDigitAlike()
    {
        for (var seed = 0UL; seed < 50; seed++)
        {
            var permutation = new HexPermutation(seed, 1);
            var digits = Encoding.ASCII.GetBytes("0123456789abcdef");
            permutation.Apply(digits);
            var text = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 70).Select(i => ((int)seed * i % 16).ToString("x", null))));
            var expected = text.Select(digit => digits[Convert.ToInt32(((char)digit).ToString(), 16)]).ToArray();

            permutation.Apply(text);

            Assert.Equal(expected, text);
            Assert.Equal('0', (char)digits[0]);
            Assert.Equal("0123456789abcdef", string.Concat(digits.Select(digit => (char)digit).Order()));
        }
    }

    [Fact]
    public void Identity_KeepsDigitsAndLowersLetters()
    {
        var text = Encoding.ASCII.GetBytes("0123456789ABCDEFabcdef0");

        HexPermutation.Identity.Apply(text);

        Assert.Equal("0123456789abcdefabcdef0", Encoding.ASCII.GetString(text));
    }
}
