using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Amp.Support;

/// <summary>Stands before a chain and keeps back the answers for blocks beyond the gate until that is moved.</summary>
internal sealed class GatedChain : IAsyncDisposable
{
    private readonly StubRpcServer _server = new((method, _) => throw new InvalidOperationException($"{method} was not forwarded"));
    private readonly HttpClient _http = new();
    private readonly Lock _lock = new();
    private ulong _last;
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Lets through blocks up to <paramref name="last"/>.</summary>
    public GatedChain(Uri chain, ulong last)
    {
        _last = last;
        _server.Handle = async (_, context, body) =>
        {
            await PassAsync(LastBlockOf(body));
            using var request = new StringContent(body, Encoding.UTF8, "application/json");
            using var response = await _http.PostAsync(chain, request);
            return await StubRpcServer.RespondAsync(context, (int)response.StatusCode, await response.Content.ReadAsStringAsync());
        };
    }

    /// <summary>Where it answers.</summary>
    public Uri Url => _server.Url;

    /// <summary>Requests that have come in and not been answered.</summary>
    public int UnderWay => _server.UnderWay;

    /// <summary>Lets through blocks up to <paramref name="last"/>, all by default.</summary>
    public void Open(ulong last = ulong.MaxValue)
    {
        lock (_lock)
        {
            _last = last;
            _moved.SetResult();
            _moved = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Open();
        await _server.DisposeAsync();
        _http.Dispose();
    }

    private async Task PassAsync(ulong block)
    {
        while (true)
        {
            Task moved;
            lock (_lock)
            {
                if (block <= _last)
                {
                    return;
                }

                moved = _moved.Task;
            }

            await moved;
        }
    }

    private static ulong LastBlockOf(string body)
    {
        using var document = JsonDocument.Parse(body);
        var root = document.RootElement;
        return root.ValueKind == JsonValueKind.Array ? root.EnumerateArray().Max(BlockOf) : BlockOf(root);
    }

    private static ulong BlockOf(JsonElement call) =>
        call.GetProperty("method").GetString()!.StartsWith("eth_getBlock", StringComparison.Ordinal)
        && call.GetProperty("params")[0].GetString() is { } number
        && ulong.TryParse(number.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var block) ? block : 0;
}
