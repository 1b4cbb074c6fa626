using System.Reflection;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Amp.Events;

/// <summary>
/// Finds librdkafka and hands it to Confluent.Kafka. Nothing is loaded before the first use of events, so that jobs
/// without events never need the library.
/// </summary>
internal static class KafkaNative
{
    /// <summary>Names the library by path, instead of every other place.</summary>
    public const string PathVariable = "AMP_LIBRDKAFKA";

    // 2.6.0; older ones lack the mock cluster's controls and fixes to the idempotent producer.
    private const long MinimumVersion = 0x020600ff;

    private static readonly Lock Gate = new();
    private static nint _handle;

    /// <summary>Where the library was found: a path, or the name that the system's loader resolved. Null until it is loaded.</summary>
    public static string? Location { get; private set; }

    /// <summary>The library, loaded. Function pointers taken from it stay valid as long as the process lives.</summary>
    /// <exception cref="AmpException"><c>KafkaLibraryMissing</c>: no librdkafka that is recent enough.</exception>
    public static nint Handle
    {
        get
        {
            EnsureLoaded();
            return _handle;
        }
    }

    /// <summary>Version of the loaded library, such as <c>2.14.2</c>.</summary>
    public static string Version
    {
        get
        {
            EnsureLoaded();
            return Library.VersionString;
        }
    }

    /// <summary>Loads the library once. A failure is not remembered: the next call searches again.</summary>
    /// <exception cref="AmpException"><c>KafkaLibraryMissing</c>: no librdkafka that is recent enough.</exception>
    public static void EnsureLoaded()
    {
        lock (Gate)
        {
            if (_handle != 0)
            {
                return;
            }

            var handle = Find(Environment.GetEnvironmentVariable(PathVariable));
            // Confluent.Kafka imports by one of several names, chosen by distribution; all mean the library found here.
            NativeLibrary.SetDllImportResolver(typeof(Library).Assembly, (name, _, _) =>
                name.Contains("librdkafka", StringComparison.Ordinal) ? handle : 0);
            Library.Load();
            _handle = handle;
        }
    }

    /// <summary>Loads the library that <paramref name="named"/> says and no other; when it says none, the first that will do.</summary>
    internal static nint Find(string? named)
    {
        var rejected = new List<string>();
        foreach (var candidate in string.IsNullOrEmpty(named) ? Candidates() : [named])
        {
            if (!TryLoad(candidate, out var handle))
            {
                continue;
            }

            if (ReadVersion(handle) is >= MinimumVersion)
            {
                Location = candidate;
                return handle;
            }

            rejected.Add($"'{candidate}' is older than 2.6 or not librdkafka");
            NativeLibrary.Free(handle);
        }

        throw Missing(
            rejected.Count > 0 ? string.Join("; ", rejected)
            : string.IsNullOrEmpty(named) ? "it is not on this machine"
            : $"{PathVariable} names '{named}', which cannot be loaded");
    }

    private static IEnumerable<string> Candidates()
    {
        var (files, systemNames) =
            OperatingSystem.IsWindows() ? (["librdkafka.dll"], ["librdkafka"]) :
            OperatingSystem.IsMacOS() ? (["librdkafka.dylib"], ["librdkafka.1.dylib", "/opt/homebrew/lib/librdkafka.1.dylib"]) :
            (new[] { "librdkafka.so", "alpine-librdkafka.so", "centos8-librdkafka.so" }, new[] { "librdkafka.so.1" });

        var home = Path.GetDirectoryName(typeof(KafkaNative).Assembly.Location) is { Length: > 0 } folder
            ? folder
            : AppContext.BaseDirectory;
        var native = Path.Combine(home, "runtimes", PortableRid, "native");
        foreach (var path in files.SelectMany(f => new[] { Path.Combine(home, f), Path.Combine(native, f) }))
        {
            if (File.Exists(path))
            {
                yield return path;
            }
        }

        // The package's own, wherever the host put it; then the system's.
        yield return "librdkafka";
        foreach (var name in systemNames)
        {
            yield return name;
        }
    }

    private static string PortableRid
    {
        get
        {
            var system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
            return $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        }
    }

    private static bool TryLoad(string candidate, out nint handle) =>
        Path.IsPathRooted(candidate)
            ? NativeLibrary.TryLoad(candidate, out handle)
            : NativeLibrary.TryLoad(candidate, typeof(Library).Assembly, null, out handle);

    private static unsafe long? ReadVersion(nint handle) =>
        NativeLibrary.TryGetExport(handle, "rd_kafka_version", out var version)
            ? ((delegate* unmanaged[Cdecl]<int>)version)()
            : null;

    private static AmpException Missing(string why) =>
        new("KafkaLibraryMissing", AmpErrorKind.InvalidState, $"Kafka needs the native library librdkafka 2.6 or later: {why}.")
        {
            RecommendedAction = "In a checkout run eng/get-librdkafka.sh and build again; elsewhere install librdkafka 2.6 or "
                + $"later, or set {PathVariable} to its path.",
            Target = "librdkafka",
        };
}
