using System.Text;
using System.Text.Json.Nodes;
using Amp.Support;

namespace Amp.Extraction.Verification;

/// <summary>Stands before a chain and changes what it answers.</summary>
internal sealed class LyingChain : IAsyncDisposable
{
    private readonly StubRpcServer _server = new((method, _) => throw new InvalidOperationException($"{method} was not forwarded"));
    private readonly HttpClient _http = new();

    /// <summary>Lies as <paramref name="change"/> does, which is given the method and its result and says whether it changed it.</summary>
    public LyingChain(Uri chain, Func<string, JsonNode, bool> change)
    {
        _server.Handle = async (_, context, body) =>
        {
            using var request = new StringContent(body, Encoding.UTF8, "application/json");
            using var response = await _http.PostAsync(chain, request);
            var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
            if (answer["result"] is { } result && change(JsonNode.Parse(body)!["method"]!.GetValue<string>(), result))
            {
                Interlocked.Increment(ref _lies);
            }

            return await StubRpcServer.RespondAsync(context, (int)response.StatusCode, answer.ToJsonString());
        };
    }

    private int _lies;

    /// <summary>Where it answers.</summary>
    public Uri Url => _server.Url;

    /// <summary>Answers that were changed.</summary>
    public int Lies => Volatile.Read(ref _lies);

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _http.Dispose();
    }
}
