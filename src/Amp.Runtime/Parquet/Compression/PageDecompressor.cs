using System.IO.Compression;

namespace Amp.Parquet.Compression;

/// <summary>Reads compressed pages of every codec that <see cref="PageCompressor"/> has.</summary>
internal static class PageDecompressor
{
    /// <summary>
    /// Fills <paramref name="output"/> from a compressed page. Bytes that are not of the codec, or do not yield exactly the expected
    /// length, are an <see cref="InvalidDataException"/>; a system library that is not there is <c>CompressionLibraryMissing</c>.
    /// </summary>
    public static void Decompress(ParquetCodec codec, ReadOnlySpan<byte> input, Span<byte> output)
    {
        switch (codec)
        {
            case ParquetCodec.Uncompressed:
                Require(input.Length == output.Length);
                input.CopyTo(output);
                break;
            case ParquetCodec.Snappy:
                BlockDecompressor.Snappy(input, output);
                break;
            case ParquetCodec.Lz4Raw:
                BlockDecompressor.Lz4(input, output);
                break;
            case ParquetCodec.Brotli:
                Require(BrotliDecoder.TryDecompress(input, output, out var written) && written == output.Length);
                break;
            case ParquetCodec.Gzip:
                using (var gzip = new GZipStream(new MemoryStream(input.ToArray()), CompressionMode.Decompress))
                {
                    Require(gzip.ReadAtLeast(output, output.Length, throwOnEndOfStream: false) == output.Length && gzip.ReadByte() < 0);
                }

                break;
            default:
                Zstd(input, output);
                break;
        }
    }

    private static unsafe void Zstd(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var library = ZstdLibrary.Instance;
        fixed (byte* from = input)
        fixed (byte* to = output)
        {
            Require(library.Decompress(to, (nuint)output.Length, from, (nuint)input.Length) == (nuint)output.Length);
        }
    }

    private static void Require(bool isSound)
    {
        if (!isSound)
        {
            throw new InvalidDataException("a compressed page is malformed or cut off");
        }
    }
}
