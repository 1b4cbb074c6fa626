using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;

namespace Amp.Bench;

/// <summary>A development chain in a process of its own, so that its memory and work are not ours. Disposing it ends it.</summary>
internal sealed class ChainProcess : IDisposable
{
    private readonly Process _process;
    private readonly HttpClient _http = new();

    private ChainProcess(Process process, Uri url)
    {
        _process = process;
        Url = url;
    }

    /// <summary>Where it answers.</summary>
    public Uri Url { get; }

    /// <summary>Starts <c>ampd dev-chain</c> and waits until it answers.</summary>
    public static async Task<ChainProcess> StartAsync(params string[] arguments)
    {
        var program = Path.GetFullPath(Path.Combine(
            AppContext.BaseDirectory, "..", "..", "Amp.Daemon", new DirectoryInfo(AppContext.BaseDirectory).Name, "ampd.dll"));
        var process = Process.Start(new ProcessStartInfo("dotnet", [program, "dev-chain", .. arguments]) { RedirectStandardOutput = true })!;
        var line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("the chain did not start");
        return new ChainProcess(process, new Uri(line.Split(' ')[0]));
    }

    /// <summary>Number of its newest block.</summary>
    public async Task<ulong> GetHeadAsync(CancellationToken cancellationToken)
    {
        using var response = await _http.PostAsJsonAsync(
            Url, new { jsonrpc = "2.0", id = 1, method = "eth_blockNumber", @params = Array.Empty<object>() }, cancellationToken);
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
        return ulong.Parse(answer.GetProperty("result").GetString()!.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// Writes what it answers about blocks, an answer a line: <c>all.blocks.ndjson</c> with their transactions, and
    /// <c>all.receipts.ndjson</c>. Returns the number of bytes.
    /// </summary>
    public async Task<long> WriteAnswersAsync(string folder, int first, int last, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        return await WriteAsync("blocks", number => new { jsonrpc = "2.0", id = number, method = "eth_getBlockByNumber", @params = new object[] { $"0x{number:x}", true } })
            + await WriteAsync("receipts", number => new { jsonrpc = "2.0", id = number, method = "eth_getBlockReceipts", @params = new object[] { $"0x{number:x}" } });

        async Task<long> WriteAsync(string name, Func<int, object> request)
        {
            await using var file = File.Create(Path.Combine(folder, $"all.{name}.ndjson"));
            for (var number = first; number <= last; number++)
            {
                using var response = await _http.PostAsJsonAsync(Url, request(number), cancellationToken);
                await response.Content.CopyToAsync(file, cancellationToken);
                file.WriteByte((byte)'\n');
            }

            return file.Length;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _process.Kill();
        _process.Dispose();
        _http.Dispose();
    }
}
