using System.Globalization;

namespace Amp.Configuration;

/// <summary>How column data is compressed.</summary>
public enum ParquetCompression
{
    /// <summary>Not at all.</summary>
    Uncompressed,

    /// <summary>Snappy.</summary>
    Snappy,

    /// <summary>Gzip, levels 0 to 9.</summary>
    Gzip,

    /// <summary>Brotli, levels 0 to 11.</summary>
    Brotli,

    /// <summary>LZ4, raw blocks.</summary>
    Lz4,

    /// <summary>Zstandard, levels 1 to 22.</summary>
    Zstd,
}

/// <summary>A compression with its level, as <c>writer.compression</c> spells it: <c>zstd(3)</c>, <c>snappy</c>.</summary>
/// <param name="Codec">The compression.</param>
/// <param name="Level">Its level; null exactly when the compression has none.</param>
public sealed record CompressionSetting(ParquetCompression Codec, int? Level)
{
    internal const string Allowed = "zstd(1)…zstd(22), gzip(0)…gzip(9), brotli(0)…brotli(11), lz4, snappy or uncompressed";

    /// <summary>Reads the spelling, in any case; without a level, zstd has 1, gzip 6 and brotli 1. Null when it is none.</summary>
    public static CompressionSetting? TryParse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = text.Trim();
        var open = text.IndexOf('(', StringComparison.Ordinal);
        var name = open < 0 ? text : text[..open];
        (ParquetCompression Codec, int Min, int Max, int? Level)? known = name.ToUpperInvariant() switch
        {
            "ZSTD" => (ParquetCompression.Zstd, 1, 22, 1),
            "GZIP" => (ParquetCompression.Gzip, 0, 9, 6),
            "BROTLI" => (ParquetCompression.Brotli, 0, 11, 1),
            "LZ4" => (ParquetCompression.Lz4, 0, 0, null),
            "SNAPPY" => (ParquetCompression.Snappy, 0, 0, null),
            "UNCOMPRESSED" => (ParquetCompression.Uncompressed, 0, 0, null),
            _ => null,
        };
        if (known is not { } found)
        {
            return null;
        }

        if (open < 0)
        {
            return new CompressionSetting(found.Codec, found.Level);
        }

        return found.Level is not null && text.EndsWith(')')
            && int.TryParse(text.AsSpan((open + 1)..^1), NumberStyles.None, CultureInfo.InvariantCulture, out var level)
            && level >= found.Min && level <= found.Max
            ? new CompressionSetting(found.Codec, level)
            : null;
    }

    /// <summary>The spelling, such as <c>zstd(1)</c>.</summary>
    public override string ToString()
    {
        var name = Codec switch
        {
            ParquetCompression.Zstd => "zstd",
            ParquetCompression.Gzip => "gzip",
            ParquetCompression.Brotli => "brotli",
            ParquetCompression.Lz4 => "lz4",
            ParquetCompression.Snappy => "snappy",
            _ => "uncompressed",
        };
        return Level is { } level ? string.Create(CultureInfo.InvariantCulture, $"{name}({level})") : name;
    }
}
