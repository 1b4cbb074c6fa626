using System.Runtime.InteropServices;

namespace Amp.Parquet.Compression;

/// <summary>The system's libzstd; found when it is needed first.</summary>
internal static unsafe class ZstdLibrary
{
    private static readonly Lazy<Functions> Loaded = new(Load);

    /// <summary>Its functions; <c>CompressionLibraryMissing</c> when the system does not have it.</summary>
    public static Functions Instance => Loaded.Value;

    private static Functions Load()
    {
        string[] names = OperatingSystem.IsWindows()
            ? ["libzstd", "zstd"]
            : OperatingSystem.IsMacOS()
                ? ["libzstd.1.dylib", "libzstd.dylib", "/opt/homebrew/lib/libzstd.1.dylib", "/usr/local/lib/libzstd.1.dylib"]
                : ["libzstd.so.1", "libzstd.so", "libzstd"];
        foreach (var name in names)
        {
            if (NativeLibrary.TryLoad(name, typeof(ZstdLibrary).Assembly, searchPath: null, out var library))
            {
                return new Functions(library);
            }
        }

        throw new AmpException(
            "CompressionLibraryMissing",
            AmpErrorKind.Unavailable,
            $"Parquet files cannot be written or read with zstd: the system has no libzstd (looked for {string.Join(", ", names)}).")
        {
            Target = "libzstd",
            RecommendedAction = "Install it (Debian, Ubuntu: apt-get install libzstd1; Fedora: dnf install libzstd; "
                + "Alpine: apk add zstd-libs; macOS: brew install zstd; Windows: put libzstd.dll on PATH), "
                + "or, to write, set writer.compression to snappy, lz4, gzip(6) or brotli(4).",
        };
    }

    /// <summary>Entry points of libzstd.</summary>
    internal sealed class Functions(nint library)
    {
        public readonly delegate* unmanaged[Cdecl]<nint> CreateContext =
            (delegate* unmanaged[Cdecl]<nint>)NativeLibrary.GetExport(library, "ZSTD_createCCtx");

        public readonly delegate* unmanaged[Cdecl]<nint, nuint> FreeContext =
            (delegate* unmanaged[Cdecl]<nint, nuint>)NativeLibrary.GetExport(library, "ZSTD_freeCCtx");

        public readonly delegate* unmanaged[Cdecl]<nint, int, int, nuint> SetParameter =
            (delegate* unmanaged[Cdecl]<nint, int, int, nuint>)NativeLibrary.GetExport(library, "ZSTD_CCtx_setParameter");

        public readonly delegate* unmanaged[Cdecl]<nint, byte*, nuint, byte*, nuint, nuint> Compress =
            (delegate* unmanaged[Cdecl]<nint, byte*, nuint, byte*, nuint, nuint>)NativeLibrary.GetExport(library, "ZSTD_compress2");

        public readonly delegate* unmanaged[Cdecl]<byte*, nuint, byte*, nuint, nuint> Decompress =
            (delegate* unmanaged[Cdecl]<byte*, nuint, byte*, nuint, nuint>)NativeLibrary.GetExport(library, "ZSTD_decompress");

        public readonly delegate* unmanaged[Cdecl]<nuint, nuint> CompressBound =
            (delegate* unmanaged[Cdecl]<nuint, nuint>)NativeLibrary.GetExport(library, "ZSTD_compressBound");

        public readonly delegate* unmanaged[Cdecl]<nuint, uint> IsError =
            (delegate* unmanaged[Cdecl]<nuint, uint>)NativeLibrary.GetExport(library, "ZSTD_isError");

        public readonly delegate* unmanaged[Cdecl]<nuint, byte*> ErrorName =
            (delegate* unmanaged[Cdecl]<nuint, byte*>)NativeLibrary.GetExport(library, "ZSTD_getErrorName");
    }
}
