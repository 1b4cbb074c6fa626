namespace Amp.Extraction;

public class EndBlockTests
{
    [Theory]
    [InlineData("0", 100, 0)]
    [InlineData("15001000", 100, 15_001_000)]
    [InlineData("latest", 100, 100)]
    [InlineData("-10", 100, 90)]
    [InlineData("-200", 100, 0)]
    public void Resolve_GivesTheBlockMeant(string text, ulong head, ulong expected) =>
        Assert.Equal(expected, EndBlock.Parse(text).Resolve(head));

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("1.5")]
    [InlineData("head")]
    [InlineData("18446744073709551616")]
    public void Parse_WhenItIsNoneOfTheThree_IsRefused(string text)
    {
        var error = Assert.Throws<AmpException>(() => EndBlock.Parse(text));

        Assert.Equal("InvalidEndBlock", error.ErrorCode);
    }

    [Fact]
    public void RequireNotBefore_WhenTheEndLiesBeforeTheStart_NamesBoth()
    {
        var error = Assert.Throws<AmpException>(() => EndBlock.RequireNotBefore(9, 10, "a/b"));

        Assert.Equal("EndBlockBeforeStart", error.ErrorCode);
        Assert.Contains("9", error.Message, StringComparison.Ordinal);
        Assert.Contains("10", error.Message, StringComparison.Ordinal);
    }
}
