namespace Amp.Configuration;

public sealed class CompressionSettingTests
{
    [Theory]
    [InlineData("zstd(1)", ParquetCompression.Zstd, 1)]
    [InlineData("zstd", ParquetCompression.Zstd, 1)]
    [InlineData(" ZSTD(22) ", ParquetCompression.Zstd, 22)]
    [InlineData("gzip", ParquetCompression.Gzip, 6)]
    [InlineData("gzip(0)", ParquetCompression.Gzip, 0)]
    [InlineData("brotli(11)", ParquetCompression.Brotli, 11)]
    [InlineData("lz4", ParquetCompression.Lz4, null)]
    [InlineData("snappy", ParquetCompression.Snappy, null)]
    [InlineData("uncompressed", ParquetCompression.Uncompressed, null)]
    public void TryParse_WhenKnown_ReadsCodecAndLevel(string text, ParquetCompression codec, int? level)
    {
        var setting = CompressionSetting.TryParse(text);

        Assert.Equal(new CompressionSetting(codec, level), setting);
        Assert.Equal(setting, CompressionSetting.TryParse(setting!.ToString()));
    }

    [Theory]
    [InlineData("zstd(0)")]
    [InlineData("zstd(23)")]
    [InlineData("zstd(")]
    [InlineData("zstd()")]
    [InlineData("zstd(1")]
    [InlineData("zstd(1))")]
    [InlineData("zstd(-1)")]
    [InlineData("gzip(10)")]
    [InlineData("brotli(12)")]
    [InlineData("lz4(1)")]
    [InlineData("lzma")]
    [InlineData("")]
    public void TryParse_WhenUnknown_ReturnsNull(string text) => Assert.Null(CompressionSetting.TryParse(text));
}
