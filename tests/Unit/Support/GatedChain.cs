using System.Globalization;
using System.Text;
using System.Text.Json;
using Amp.Extraction;

namespace Amp.Support;

/// <summary>Stands before a chain and keeps back blocks with transactions and receipts beyond the gate until that is moved.</summary>
internal sealed class GatedChain : IAsyncDisposable
{
    private readonly StubRpcServer _server = new((method, _) => throw new InvalidOperationException($"{method} was not forwarded"));
    private readonly HttpClient _http = new();
    private readonly Lock _lock = new();
    private readonly SortedSet<ulong> _fetched = [];
    private BlockRange? _kept;
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Lets through blocks up to <paramref name="last"/>.</summary>
    public GatedChain(Uri chain, ulong last)
    {
        _kept = Beyond(last);
        _server.Handle = async (_, context, body) =>
        {
            var blocks = BlocksOf(body);
            lock (_lock)
            {
                _fetched.UnionWith(blocks);
            }

            await PassAsync(blocks);
            using var request = new StringContent(body, Encoding.UTF8, "application/json");
            using var response = await _http.PostAsync(chain, request);
            return await StubRpcServer.RespondAsync(context, (int)response.StatusCode, await response.Content.ReadAsStringAsync());
        };
    }

    /// <summary>Where it answers.</summary>
    public Uri Url => _server.Url;

    /// <summary>Lets through blocks up to <paramref name="last"/>, all by default.</summary>
    public void Open(ulong last = ulong.MaxValue) => KeepBack(Beyond(last));

    /// <summary>Lets through all blocks but these.</summary>
    public void KeepBack(BlockRange? blocks)
    {
        lock (_lock)
        {
            _kept = blocks;
            _moved.SetResult();
            _moved = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Numbers of the blocks that were asked for, with transactions or for receipts, since the last call, in order.</summary>
    public IReadOnlyList<ulong> TakeFetchedBlocks()
    {
        lock (_lock)
        {
            var fetched = _fetched.ToArray();
            _fetched.Clear();
            return fetched;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Open();
        await _server.DisposeAsync();
        _http.Dispose();
    }

    private static BlockRange? Beyond(ulong last) => last == ulong.MaxValue ? null : new BlockRange(last + 1, ulong.MaxValue);

    private async Task PassAsync(IReadOnlyCollection<ulong> blocks)
    {
        while (true)
        {
            Task moved;
            lock (_lock)
            {
                if (_kept is not { } kept || blocks.All(block => block < kept.Start || block > kept.End))
                {
                    return;
                }

                moved = _moved.Task;
            }

            await moved;
        }
    }

    private static List<ulong> BlocksOf(string body)
    {
        using var document = JsonDocument.Parse(body);
        var root = document.RootElement;
        var blocks = new List<ulong>();
        foreach (var call in root.ValueKind == JsonValueKind.Array ? [.. root.EnumerateArray()] : new[] { root })
        {
            var parameters = call.GetProperty("params");
            var isWhole = call.GetProperty("method").GetString() switch
            {
                "eth_getBlockByNumber" => parameters[1].GetBoolean(),
                "eth_getBlockReceipts" => true,
                _ => false,
            };
            if (isWhole && ulong.TryParse(parameters[0].GetString().AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var block))
            {
                blocks.Add(block);
            }
        }

        return blocks;
    }
}
