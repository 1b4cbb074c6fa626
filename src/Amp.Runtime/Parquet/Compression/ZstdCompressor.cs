using System.Runtime.InteropServices;

namespace Amp.Parquet.Compression;

/// <summary>Zstandard by the system's libzstd, with one context for all pages.</summary>
internal sealed unsafe class ZstdCompressor : PageCompressor
{
    // ZSTD_cParameter.
    private const int CompressionLevel = 100;
    private const int HashLog = 102;

    // Of the fastest level: half the table that it would take for a page fits into the processor's first cache, which makes it a tenth
    // faster, and its pages half a percent larger.
    private const int FastestLevel = 1;
    private const int FastestHashLog = 13;

    private readonly ZstdLibrary.Functions _library = ZstdLibrary.Instance;
    private nint _context;

    public ZstdCompressor(int level)
    {
        _context = _library.CreateContext();
        if (_context == 0)
        {
            throw new InsufficientMemoryException("libzstd could not allocate a context");
        }

        SetParameter(CompressionLevel, level);
        if (level == FastestLevel)
        {
            SetParameter(HashLog, FastestHashLog);
        }
    }

    ~ZstdCompressor() => Dispose(disposing: false);

    /// <inheritdoc/>
    public override void Compress(ReadOnlySpan<byte> source, ByteBuffer output)
    {
        ObjectDisposedException.ThrowIf(_context == 0, this);
        var target = output.GetSpan(checked((int)_library.CompressBound((nuint)source.Length)));
        nuint written;
        fixed (byte* from = source)
        fixed (byte* to = target)
        {
            written = _library.Compress(_context, to, (nuint)target.Length, from, (nuint)source.Length);
        }

        if (_library.IsError(written) != 0)
        {
            throw Failed($"compress a page of {source.Length} bytes", written);
        }

        output.Advance((int)written);
        GC.KeepAlive(this);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_context != 0)
        {
            _library.FreeContext(_context);
            _context = 0;
        }

        base.Dispose(disposing);
    }

    private void SetParameter(int parameter, int value)
    {
        var result = _library.SetParameter(_context, parameter, value);
        if (_library.IsError(result) != 0)
        {
            throw Failed($"set its parameter {parameter} to {value}", result);
        }
    }

    private InvalidOperationException Failed(string what, nuint error) =>
        new($"zstd could not {what}: {Marshal.PtrToStringUTF8((nint)_library.ErrorName(error))}");
}
