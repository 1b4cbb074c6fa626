using System.Text;

namespace Amp.Extraction.Crypto;

public sealed class RlpWriterTests
{
    [Theory]
    [InlineData("", "80")]
    [InlineData("00", "00")]
    [InlineData("7f", "7f")]
    [InlineData("80", "8180")]
    [InlineData("0400", "820400")]
    [InlineData("646f67", "83646f67")]
    public void WriteBytes_OfPublicVector_IsAsPublished(string bytes, string expected)
    {
        var writer = new RlpWriter();

        writer.WriteBytes(Convert.FromHexString(bytes));

        Assert.Equal(expected, Convert.ToHexStringLower(writer.Written));
    }

    [Theory]
    [InlineData(0, "80")]
    [InlineData(15, "0f")]
    [InlineData(1024, "820400")]
    public void WriteNumber_OfPublicVector_IsAsPublished(int number, string expected)
    {
        var writer = new RlpWriter();

        writer.WriteNumber((UInt128)number);

        Assert.Equal(expected, Convert.ToHexStringLower(writer.Written));
    }

    [Fact]
    public void EndList_OfSetsAsNumbers_IsAsPublished()
    {
        // [ [], [[]], [ [], [[]] ] ]
        var writer = new RlpWriter(1);

        var outer = writer.BeginList();
        WriteNothing();
        WriteOne();
        var third = writer.BeginList();
        WriteNothing();
        WriteOne();
        writer.EndList(third);
        writer.EndList(outer);

        Assert.Equal("c7c0c1c0c3c0c1c0", Convert.ToHexStringLower(writer.Written));

        void WriteNothing() => writer.EndList(writer.BeginList());

        void WriteOne()
        {
            var list = writer.BeginList();
            WriteNothing();
            writer.EndList(list);
        }
    }

    [Theory]
    [InlineData(55, "b7")]
    [InlineData(56, "b838")]
    [InlineData(255, "b8ff")]
    [InlineData(256, "b90100")]
    [InlineData(65535, "b9ffff")]
    [InlineData(65536, "ba010000")]
    [InlineData(1 << 24, "bb01000000")]
    public void WriteBytes_OfAnyLength_HasItsPrefix(int length, string prefix)
    {
        var writer = new RlpWriter();
        var text = Encoding.ASCII.GetBytes(new string('l', length));

        writer.WriteBytes(text);

        Assert.Equal(prefix, Convert.ToHexStringLower(writer.Written[..^length]));
        Assert.True(writer.Written[^length..].SequenceEqual(text));
        Assert.Equal(writer.Length, RlpWriter.LengthOfString(length));
    }

    [Theory]
    [InlineData(55, "f7")]
    [InlineData(56, "f838")]
    [InlineData(300, "f9012c")]
    [InlineData(70_000, "fa011170")]
    public void EndList_OfAnyLength_HasItsPrefix(int length, string prefix)
    {
        var writer = new RlpWriter();
        var content = new byte[length];

        var list = writer.BeginList();
        writer.WriteRaw(content);
        writer.EndList(list);

        Assert.Equal(prefix, Convert.ToHexStringLower(writer.Written[..^length]));
        Assert.Equal(writer.Length, RlpWriter.LengthOfList(length));
    }
}
