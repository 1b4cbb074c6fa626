using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Amp.Extraction.DevChains;

/// <summary>Calls a chain over real HTTP.</summary>
internal sealed class RpcClient(Uri url) : IDisposable
{
    private readonly HttpClient _http = new();

    public void Dispose() => _http.Dispose();

    /// <summary>Result of a call; fails when it is an error.</summary>
    public async Task<JsonElement> CallAsync(string method, params object?[] parameters)
    {
        var answer = await PostAsync(JsonSerializer.Serialize(new { jsonrpc = "2.0", id = 7, method, @params = parameters }));
        Assert.Equal("2.0", answer.GetProperty("jsonrpc").GetString());
        Assert.Equal(7, answer.GetProperty("id").GetInt32());
        return answer.TryGetProperty("result", out var result) ? result : throw new InvalidOperationException(answer.GetRawText());
    }

    /// <summary>Error code of a call that must fail.</summary>
    public async Task<int> ErrorOfAsync(string body)
    {
        var answer = await PostAsync(body);
        Assert.False(answer.TryGetProperty("result", out _));
        Assert.NotEmpty(answer.GetProperty("error").GetProperty("message").GetString()!);
        return answer.GetProperty("error").GetProperty("code").GetInt32();
    }

    public async Task<JsonElement> PostAsync(string body) => JsonDocument.Parse(await PostTextAsync(body)).RootElement;

    public async Task<string> PostTextAsync(string body)
    {
        using var content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
        using var response = await _http.PostAsync(url, content);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsStringAsync();
    }

    public static string Hex(ulong number) => "0x" + number.ToString("x", CultureInfo.InvariantCulture);
}
