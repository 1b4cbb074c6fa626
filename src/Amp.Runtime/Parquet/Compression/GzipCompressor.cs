using System.IO.Compression;

namespace Amp.Parquet.Compression;

/// <summary>Gzip by the runtime's zlib.</summary>
internal sealed class GzipCompressor(int level) : PageCompressor
{
    private readonly ZLibCompressionOptions _options = new() { CompressionLevel = level };
    private readonly MemoryStream _stream = new();

    /// <inheritdoc/>
    public override void Compress(ReadOnlySpan<byte> source, ByteBuffer output)
    {
        _stream.SetLength(0);
        using (var gzip = new GZipStream(_stream, _options, leaveOpen: true))
        {
            gzip.Write(source);
        }

        output.Write(_stream.GetBuffer().AsSpan(0, (int)_stream.Length));
    }
}
