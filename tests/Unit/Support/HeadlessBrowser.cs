using System.Diagnostics;
using System.IO.Compression;

namespace Amp.Support;

/// <summary>A browser that opens pages without a window; tests that use it say <c>[ToolFact(TestTools.Browser)]</c>.</summary>
internal sealed class HeadlessBrowser : IDisposable
{
    private readonly string _profile = Directory.CreateTempSubdirectory("amp-browser-").FullName;

    /// <summary>The page as the browser has it after loading, and what it wrote to its console.</summary>
    public async Task<(string Dom, IReadOnlyList<string> Console)> OpenAsync(string file)
    {
        var (output, log) = await RunAsync("--dump-dom", new Uri(file).AbsoluteUri);
        return (output, [.. log.Split('\n').Where(line => line.Contains(":CONSOLE", StringComparison.Ordinal))]);
    }

    /// <summary>Takes a picture of a page, and says how many different bytes its pixels have: a few when it is blank.</summary>
    public async Task<int> CaptureAsync(string file, string picture, int width, int height, bool isDark)
    {
        await RunAsync(
            $"--screenshot={picture}", $"--window-size={width},{height}", $"--blink-settings=preferredColorScheme={(isDark ? 0 : 1)}", new Uri(file).AbsoluteUri);
        return DistinctBytes(await File.ReadAllBytesAsync(picture));
    }

    public void Dispose() => Directory.Delete(_profile, recursive: true);

    private async Task<(string Output, string Log)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo(
            TestTools.Require(TestTools.Browser),
            ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb", "--enable-logging=stderr", $"--user-data-dir={_profile}", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        try
        {
            var log = process.StandardError.ReadToEndAsync(limit.Token);
            var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            Assert.True(process.ExitCode == 0, await log);
            return (output, await log);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>Unpacks the pixels of a PNG: its IDAT chunks, one zlib stream.</summary>
    private static int DistinctBytes(ReadOnlySpan<byte> png)
    {
        using var packed = new MemoryStream();
        for (var at = 8; at < png.Length;)
        {
            var length = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(png[at..]);
            if (png.Slice(at + 4, 4).SequenceEqual("IDAT"u8))
            {
                packed.Write(png.Slice(at + 8, length));
            }

            at += length + 12;
        }

        packed.Position = 0;
        using var pixels = new MemoryStream();
        new ZLibStream(packed, CompressionMode.Decompress).CopyTo(pixels);
        return pixels.ToArray().Distinct().Count();
    }
}
