using System.IO.Compression;

namespace Amp.Parquet.Compression;

/// <summary>Brotli by the runtime.</summary>
internal sealed class BrotliCompressor(int level) : PageCompressor
{
    private const int WindowBits = 22;

    /// <inheritdoc/>
    public override void Compress(ReadOnlySpan<byte> source, ByteBuffer output)
    {
        var target = output.GetSpan(BrotliEncoder.GetMaxCompressedLength(source.Length));
        if (!BrotliEncoder.TryCompress(source, target, out var written, level, WindowBits))
        {
            throw new InvalidOperationException($"brotli could not compress a page of {source.Length} bytes");
        }

        output.Advance(written);
    }
}
