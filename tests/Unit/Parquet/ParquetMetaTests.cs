namespace Amp.Parquet;

public sealed class ParquetMetaTests
{
    private const string Hash = "0x4e3a3754410177e6937ef1f84bba68ea139e8d1a2258c5f85db9f1cd715a1bdd";
    private const string PrevHash = "0x0000000000000000000000000000000000000000000000000000000000000000";

    private const string Json =
        $$"""{"table":"blocks","filename":"000000000-00000000000000aa.parquet","created_at":{"secs":1700000000,"nanos":123456700},"ranges":[{"numbers":{"start":0,"end":18446744073709551615},"network":"mainnet","hash":"{{Hash}}","prev_hash":"{{PrevHash}}"}]}""";

    private static readonly ParquetMeta Meta = new(
        "blocks",
        "000000000-00000000000000aa.parquet",
        DateTimeOffset.FromUnixTimeSeconds(1700000000).AddTicks(1234567),
        [new SegmentRange(0, ulong.MaxValue, "mainnet", Hash, PrevHash)]);

    [Fact]
    public void Serialize_GivesFieldsInTheOrderOfTheFormat() => Assert.Equal(Json, Meta.Serialize());

    [Fact]
    public void Parse_OfSerialized_GivesTheSame()
    {
        var parsed = ParquetMeta.Parse(Json);

        Assert.Equal(Meta with { Ranges = parsed.Ranges }, parsed);
        Assert.Equal(Meta.Ranges, parsed.Ranges);
    }

    [Fact]
    public void Parse_WhenTimestampAndWatermarkPresent_KeepsTheTimestamp()
    {
        var json = Json.Replace("\"}]}", "\",\"timestamp\":1655778535}],\"watermark\":7}", StringComparison.Ordinal);

        var parsed = ParquetMeta.Parse(json);

        Assert.Equal(1655778535UL, Assert.Single(parsed.Ranges).Timestamp);
        Assert.Contains("\"timestamp\":1655778535", parsed.Serialize(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"table":"blocks","filename":"x","created_at":{"secs":1,"nanos":0},"ranges":[{"numbers":{"start":0,"end":-1},"network":"m","hash":"0x","prev_hash":"0x"}]}""")]
    [InlineData("""{"table":"blocks","filename":"x","created_at":{"secs":1,"nanos":0},"ranges":[{"numbers":{"start":0,"end":1},"network":"m","hash":"0x12","prev_hash":"0x"}]}""")]
    [InlineData("""{"table":"blocks","filename":"x","created_at":{"secs":99999999999999,"nanos":0},"ranges":[]}""")]
    public void Parse_WhenNotOfTheFormat_IsRefused(string json)
    {
        var error = Assert.Throws<AmpException>(() => ParquetMeta.Parse(json));

        Assert.Equal("SegmentMetadataInvalid", error.ErrorCode);
    }

    [Fact]
    public void NewFileName_HasNineDigitsAndSixteenHex()
    {
        Assert.Matches("^015000000-[0-9a-f]{16}\\.parquet$", ParquetMeta.NewFileName(15_000_000));
        Assert.Matches("^12345678901-[0-9a-f]{16}\\.parquet$", ParquetMeta.NewFileName(12_345_678_901));
        Assert.NotEqual(ParquetMeta.NewFileName(1), ParquetMeta.NewFileName(1));
    }
}
