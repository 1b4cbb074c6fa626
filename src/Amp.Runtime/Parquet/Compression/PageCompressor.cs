namespace Amp.Parquet.Compression;

/// <summary>Compresses pages with one codec. Not safe for use by two threads at once.</summary>
internal abstract class PageCompressor : IDisposable
{
    /// <summary>
    /// Creates the compressor of a codec. A level that the codec does not have is refused as
    /// <c>CompressionLevelInvalid</c>; a system library that is not there, as <c>CompressionLibraryMissing</c>.
    /// </summary>
    public static PageCompressor Create(ParquetCodec codec, int level)
    {
        var (least, most) = codec switch
        {
            ParquetCodec.Zstd => (1, 22),
            ParquetCodec.Gzip => (0, 9),
            ParquetCodec.Brotli => (0, 11),
            _ => (int.MinValue, int.MaxValue),
        };
        if (level < least || level > most)
        {
            throw new AmpException(
                "CompressionLevelInvalid",
                AmpErrorKind.InvalidInput,
                $"{codec} has no level {level}; its levels are {least} to {most}.")
            {
                Target = level,
                RecommendedAction = $"Choose a level from {least} to {most} for writer.compression.",
            };
        }

        return codec switch
        {
            ParquetCodec.Uncompressed => new NoCompressor(),
            ParquetCodec.Snappy => new SnappyCompressor(),
            ParquetCodec.Gzip => new GzipCompressor(level),
            ParquetCodec.Brotli => new BrotliCompressor(level),
            ParquetCodec.Lz4Raw => new Lz4Compressor(),
            ParquetCodec.Zstd => new ZstdCompressor(level),
            _ => throw new ArgumentOutOfRangeException(nameof(codec), codec, "no such codec"),
        };
    }

    /// <summary>Adds the compressed form of <paramref name="source"/> to <paramref name="output"/>.</summary>
    public abstract void Compress(ReadOnlySpan<byte> source, ByteBuffer output);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the codec holds; from a finalizer, only what is not managed.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }

    private sealed class NoCompressor : PageCompressor
    {
        public override void Compress(ReadOnlySpan<byte> source, ByteBuffer output) => output.Write(source);
    }
}
