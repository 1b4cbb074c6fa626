using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json.Nodes;

namespace Amp.Support;

/// <summary>A real EVM node (foundry's anvil) on loopback that mines only when told to. Needs the tool <c>anvil</c>.</summary>
internal sealed class AnvilNode : IAsyncDisposable
{
    // Writes logs of no to four topics with 0, 3, 32, 64 and 5 bytes; the only topic of the second is the call's input.
    private const string EmitterCode = "602a600052"
        + "60006000a0" + "6000356003601da1" + "6002600160206000a2" + "60036002600160406000a3" + "600460036002600160056000a4" + "00";
    private const string ReverterCode = "60006000fd";

    private readonly Process _process;
    private readonly HttpClient _http = new();
    private string[] _accounts = [];
    private string? _emitter;
    private string? _reverter;
    private int _mined;

    private AnvilNode(Process process, Uri url)
    {
        _process = process;
        Url = url;
    }

    /// <summary>Where it answers.</summary>
    public Uri Url { get; }

    /// <summary>Starts a node with an empty chain and waits until it answers.</summary>
    public static async Task<AnvilNode> StartAsync(params string[] arguments)
    {
        var port = FreePort();
        var start = new ProcessStartInfo(TestTools.Require("anvil"))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { "--host", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--no-mining", "--silent" },
        };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var node = new AnvilNode(process, new Uri($"http://127.0.0.1:{port}/"));
        try
        {
            await node.WaitUntilReadyAsync();
            return node;
        }
        catch
        {
            await node.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a call and returns its result.</summary>
    public async Task<JsonNode?> CallAsync(string method, params JsonNode?[] parameters)
    {
        using var response = await _http.PostAsJsonAsync(Url, Call(method, parameters));
        var answer = await response.Content.ReadFromJsonAsync<JsonNode>();
        return answer!["error"] is { } error ? throw new InvalidOperationException($"{method}: {error.ToJsonString()}") : answer["result"];
    }

    /// <summary>
    /// Mines blocks with transfers of types 0, 1 and 2, contract creations, calls that emit events and calls that fail;
    /// every seventh block is empty.
    /// </summary>
    public async Task MineAsync(int blocks)
    {
        for (var i = 0; i < blocks; i++)
        {
            var sent = ++_mined % 7 != 0 ? await SendAsync(Transactions()) : 0;
            await CallAsync("evm_mine");
            var mined = (await CallAsync("eth_getBlockTransactionCountByNumber", "latest"))!.GetValue<string>();
            if (mined != $"0x{sent:x}")
            {
                throw new InvalidOperationException($"block {_mined} has {mined} of {sent} transactions");
            }

            if (_emitter is null)
            {
                // The first two transactions of the first block created them.
                var receipts = (await CallAsync("eth_getBlockReceipts", "latest"))!.AsArray();
                _emitter = receipts[0]!["contractAddress"]!.GetValue<string>();
                _reverter = receipts[1]!["contractAddress"]!.GetValue<string>();
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
        _http.Dispose();
    }

    // Each from an account of its own: this anvil drops all but the first of a sender's transactions in a block.
    private List<JsonObject> Transactions()
    {
        if (_emitter is null)
        {
            return [Create(_accounts[0], EmitterCode), Create(_accounts[1], ReverterCode)];
        }

        var to = _accounts[_mined % _accounts.Length];
        var transactions = new List<JsonObject>
        {
            new() { ["to"] = to, ["value"] = $"0x{_mined:x}de0b6b3a7640", ["gas"] = "0x5208" },
            new() { ["to"] = _emitter, ["gas"] = "0x30d40", ["input"] = $"0x{_mined:x8}" },
        };
        if (_mined % 2 == 0)
        {
            transactions.Add(new() { ["to"] = to, ["value"] = "0x1", ["gas"] = "0x5208", ["type"] = "0x0", ["gasPrice"] = "0x77359400" });
            transactions.Add(new() { ["to"] = _emitter, ["gas"] = "0x30d40", ["type"] = "0x0", ["gasPrice"] = "0x77359400" });
        }

        if (_mined % 3 == 0)
        {
            transactions.Add(new()
            {
                ["to"] = to, ["value"] = "0x2", ["gas"] = "0x186a0", ["type"] = "0x1", ["gasPrice"] = "0x77359400",
                ["accessList"] = new JsonArray(
                    new JsonObject { ["address"] = _emitter, ["storageKeys"] = new JsonArray($"0x{_mined:x64}", $"0x{1:x64}") },
                    new JsonObject { ["address"] = to, ["storageKeys"] = new JsonArray() }),
            });
        }

        if (_mined % 4 == 0)
        {
            transactions.Add(new() { ["to"] = _reverter, ["gas"] = "0x186a0" });
            transactions.Add(Create(to, EmitterCode));
        }

        for (var i = 0; i < transactions.Count; i++)
        {
            transactions[i]["from"] = _accounts[(_mined + i) % _accounts.Length];
        }

        return transactions;
    }

    private static JsonObject Create(string from, string code) => new()
    {
        ["from"] = from,
        ["gas"] = "0x30d40",
        ["input"] = $"0x60{code.Length / 2:x2}600c60003960{code.Length / 2:x2}6000f3{code}",
    };

    private async Task<int> SendAsync(List<JsonObject> transactions)
    {
        foreach (var transaction in transactions)
        {
            await CallAsync("eth_sendTransaction", transaction);
        }

        return transactions.Count;
    }

    private async Task WaitUntilReadyAsync()
    {
        var deadline = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                _accounts = [.. (await CallAsync("eth_accounts"))!.AsArray().Select(account => account!.GetValue<string>())];
                return;
            }
            catch (HttpRequestException) when (!_process.HasExited && deadline.Elapsed < TimeSpan.FromSeconds(30))
            {
                await Task.Delay(50);
            }
        }
    }

    private static JsonObject Call(string method, params JsonNode?[] parameters) =>
        new() { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = method, ["params"] = new JsonArray(parameters) };

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
