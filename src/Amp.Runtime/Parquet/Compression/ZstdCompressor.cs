using System.Runtime.InteropServices;

namespace Amp.Parquet.Compression;

/// <summary>Zstandard by the system's libzstd, with one context for all pages.</summary>
internal sealed unsafe class ZstdCompressor : PageCompressor
{
    private readonly ZstdLibrary.Functions _library = ZstdLibrary.Instance;
    private readonly int _level;
    private nint _context;

    public ZstdCompressor(int level)
    {
        _level = level;
        _context = _library.CreateContext();
        if (_context == 0)
        {
            throw new InsufficientMemoryException("libzstd could not allocate a context");
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
            written = _library.Compress(_context, to, (nuint)target.Length, from, (nuint)source.Length, _level);
        }

        if (_library.IsError(written) != 0)
        {
            var reason = Marshal.PtrToStringUTF8((nint)_library.ErrorName(written));
            throw new InvalidOperationException($"zstd could not compress a page of {source.Length} bytes: {reason}");
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
}
