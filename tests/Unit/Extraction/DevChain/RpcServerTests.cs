using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;

namespace Amp.Extraction.DevChains;

/// <summary>The HTTP of it, byte for byte.</summary>
public sealed class RpcServerTests : IAsyncLifetime
{
    private const string Call = """{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}""";
    private const string Answer = """{"jsonrpc":"2.0","id":1,"result":"0x7a69"}""";

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private DevChain _chain = null!;

    public async Task InitializeAsync() => _chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 3 });

    public async Task DisposeAsync() => await _chain.DisposeAsync();

    [Fact]
    public async Task Requests_SentAtOnceOnOneConnection_AreAnsweredInOrder()
    {
        var requests = string.Concat(Enumerable.Range(0, 20).Select(id => Post(Call.Replace("1,", $"{id},", StringComparison.Ordinal))))
            + Post(Call, "Connection: close\r\n");

        var text = await ExchangeAsync(requests);

        var ids = text.Split("\"id\":").Skip(1).Select(part => int.Parse(part[..part.IndexOf(',', StringComparison.Ordinal)], CultureInfo.InvariantCulture));
        Assert.Equal([.. Enumerable.Range(0, 20), 1], ids);
    }

    [Fact]
    public async Task Request_InPiecesOfOneByte_IsAnswered()
    {
        var text = await ExchangeAsync(Post(Call, "Connection: close\r\n"), pieces: 1);

        Assert.StartsWith("HTTP/1.1 200 OK\r\n", text, StringComparison.Ordinal);
        Assert.EndsWith(Answer, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_WithChunkedBody_IsAnswered()
    {
        var chunks = $"A;name=value\r\n{Call[..10]}\r\n{Call.Length - 10:x}\r\n{Call[10..]}\r\n0\r\nTrailer: x\r\n\r\n";

        var text = await ExchangeAsync($"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{Post(Call, "Connection: close\r\n")}");

        Assert.Equal(2, text.Split(Answer).Length - 1);
    }

    [Fact]
    public async Task Request_OfHttpClientWithChunkedJson_IsAnswered()
    {
        using var http = new HttpClient();

        using var response = await http.PostAsJsonAsync(_chain.Url, new { jsonrpc = "2.0", id = 1, method = "eth_chainId" });

        Assert.Equal(Answer, await response.Content.ReadAsStringAsync());
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task Request_ThatWaitsForContinue_IsTold()
    {
        var text = await ExchangeAsync(Post(Call, "Expect: 100-continue\r\nConnection: close\r\n"));

        Assert.StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_OfHttp10_EndsTheConnection()
    {
        var text = await ExchangeAsync($"POST / HTTP/1.0\r\nContent-Length: {Call.Length}\r\n\r\n{Call}");

        Assert.EndsWith(Answer, text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "405 ")]
    [InlineData("POST / HTTP/2.7\r\n\r\n", "400 ")]
    [InlineData("nonsense\r\n\r\n", "400 ")]
    [InlineData("\r\n\r\n", "400 ")]
    [InlineData("POST / HTTP/1.1\r\nno colon\r\n\r\n", "400 ")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400 ")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400 ")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400 ")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "400 ")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 8388609\r\n\r\n", "413 ")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n800001\r\n", "413 ")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n", "413 ")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400 ")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "400 ")]
    public async Task Request_ThatBreaksTheProtocol_IsRefusedAndTheConnectionCloses(string request, string status)
    {
        var text = await ExchangeAsync(request);

        Assert.StartsWith($"HTTP/1.1 {status}", text, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", text, StringComparison.Ordinal);
        Assert.Single(text.Split("HTTP/1.1").Skip(1));
    }

    [Fact]
    public async Task Request_WithEndlessHead_IsRefused()
    {
        var text = await ExchangeAsync("POST / HTTP/1.1\r\nX: " + new string('x', 16 * 1024));

        Assert.StartsWith("HTTP/1.1 431 ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Requests_FromManyClientsAtOnce_AreAllAnswered()
    {
        using var client = new RpcClient(_chain.Url);

        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => client.PostTextAsync(Call)));

        Assert.All(answers, answer => Assert.Equal(Answer, answer));
    }

    [Fact]
    public async Task Client_ThatBreaksOffWithinRequest_DoesNotDisturbOthers()
    {
        using (var socket = await ConnectAsync())
        {
            await socket.SendAsync(Encoding.ASCII.GetBytes(Post(Call)[..^5]));
            socket.LingerState = new LingerOption(true, 0);
        }

        using var client = new RpcClient(_chain.Url);
        Assert.Equal(Answer, await client.PostTextAsync(Call));
    }

    private static string Post(string body, string headers = "") =>
        $"POST / HTTP/1.1\r\nHost: localhost\r\ncontent-length: {body.Length}\r\n{headers}\r\n{body}";

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, _chain.Url.Port);
        return socket;
    }

    // Sends and reads until the server closes.
    private async Task<string> ExchangeAsync(string request, int pieces = int.MaxValue)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        using var socket = await ConnectAsync();
        foreach (var piece in Encoding.ASCII.GetBytes(request).Chunk(Math.Min(pieces, request.Length)))
        {
            await socket.SendAsync(piece, SocketFlags.None, deadline.Token);
        }

        var text = new StringBuilder();
        var buffer = new byte[4096];
        int count;
        while ((count = await socket.ReceiveAsync(buffer, SocketFlags.None, deadline.Token)) > 0)
        {
            text.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }

        return text.ToString();
    }
}
