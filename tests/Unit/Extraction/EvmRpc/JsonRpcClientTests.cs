using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Extraction.EvmRpc;

public sealed class JsonRpcClientTests : IAsyncDisposable
{
    private const string Token = "s3cret-token";

    private readonly StubRpcServer _server = new((method, parameters) => JsonSerializer.Serialize($"{method} {parameters[0].GetInt32()}"));

    [Theory]
    [InlineData(0, 25)]
    [InlineData(1, 25)]
    [InlineData(10, 3)]
    [InlineData(100, 1)]
    public async Task CallAsync_OfManyCalls_SendsThemInBatchesAndKeepsTheirOrder(int batchSize, int requests)
    {
        await using var client = Client(options => options with { RpcBatchSize = batchSize });

        using var answers = await client.CallAsync(Calls(25), null, CancellationToken.None);

        AssertAnswered(answers, 25);
        Assert.Equal(requests, _server.RequestCount);
    }

    [Fact]
    public async Task CallAsync_WhenAnswersComeInAnyOrderAndShape_FindsThemById()
    {
        _server.Handle = (_, context, body) =>
        {
            var answers = _server.AnswersTo(body).Select((answer, i) => i % 2 == 0 ? answer : Reordered(answer)).Reverse();
            return StubRpcServer.RespondAsync(context, 200, $" [\n{string.Join(" ,\n", answers)} ]\n");
        };
        await using var client = Client(options => options with { RpcBatchSize = 100 });

        using var answers = await client.CallAsync(Calls(9), null, CancellationToken.None);

        AssertAnswered(answers, 9);

        // The id as text, behind the result.
        static string Reordered(string answer)
        {
            using var document = JsonDocument.Parse(answer);
            return $"{{\"error\": null, \"result\" : {document.RootElement.GetProperty("result").GetRawText()}, \"id\" : \"{document.RootElement.GetProperty("id")}\"}}";
        }
    }

    [Fact]
    public async Task CallAsync_WhenSomeItemsOfABatchFail_AsksAgainOnlyForThose()
    {
        _server.Handle = (number, context, body) =>
        {
            if (number > 1)
            {
                return Task.FromResult(false);
            }

            var answers = _server.AnswersTo(body);
            answers[2] = $"{{\"jsonrpc\":\"2.0\",\"id\":{IdOf(answers[2])},\"error\":{{\"code\":-32005,\"message\":\"limit exceeded\"}}}}";
            answers.RemoveAt(4);
            return StubRpcServer.RespondAsync(context, 200, $"[{string.Join(',', answers)}]");
        };
        await using var client = Client(options => options with { RpcBatchSize = 100 });

        using var answers = await client.CallAsync(Calls(6), null, CancellationToken.None);

        AssertAnswered(answers, 6);
        using var second = JsonDocument.Parse(_server.Bodies.Last());
        Assert.Equal([2, 4], second.RootElement.EnumerateArray().Select(call => call.GetProperty("params")[0].GetInt32()));
    }

    [Theory]
    [InlineData("503")]
    [InlineData("429")]
    [InlineData("reset")]
    [InlineData("cut off")]
    [InlineData("half JSON")]
    [InlineData("empty")]
    [InlineData("wrong id")]
    [InlineData("no result")]
    [InlineData("node error")]
    public async Task CallAsync_WhenTheFailurePasses_TriesAgain(string failure)
    {
        _server.Handle = (number, context, body) => number > 2 ? Task.FromResult(false) : FailAsync(failure, context, body);
        await using var client = Client();

        using var answers = await client.CallAsync(Calls(1), null, CancellationToken.None);

        AssertAnswered(answers, 1);
        Assert.Equal(3, _server.RequestCount);
    }

    [Theory]
    [InlineData("401", "RpcHttpError", AmpErrorKind.Denied)]
    [InlineData("403", "RpcHttpError", AmpErrorKind.Denied)]
    [InlineData("404", "RpcHttpError", AmpErrorKind.Unavailable)]
    [InlineData("301", "RpcHttpError", AmpErrorKind.Unavailable)]
    [InlineData("HTML", "RpcInvalidAnswer", AmpErrorKind.InvalidData)]
    [InlineData("no method", "RpcError", AmpErrorKind.InvalidState)]
    [InlineData("refused batch", "RpcError", AmpErrorKind.LimitReached)]
    public async Task CallAsync_WhenTheFailureStays_TriesOnceAndSaysWhatAndWhere(string failure, string code, AmpErrorKind kind)
    {
        _server.Handle = (_, context, body) => FailAsync(failure, context, body);
        await using var client = Client();

        var error = await Assert.ThrowsAsync<RpcException>(() => client.CallAsync(Calls(1), null, CancellationToken.None));

        Assert.Equal(code, error.ErrorCode);
        Assert.Equal(kind, error.Kind);
        Assert.False(error.IsTransient);
        Assert.Contains("test_echo for block 0", error.Message, StringComparison.Ordinal);
        Assert.Contains(_server.Url.GetLeftPart(UriPartial.Authority), error.Message, StringComparison.Ordinal);
        Assert.NotNull(error.RecommendedAction);
        Assert.Equal(1, _server.RequestCount);
    }

    [Fact]
    public async Task CallAsync_WhenTheNodeStaysDown_GivesUpAfterSoManyAttempts()
    {
        _server.Handle = (_, context, body) => FailAsync("503", context, body);
        await using var client = Client();

        var error = await Assert.ThrowsAsync<RpcException>(() => client.CallAsync(Calls(1), null, CancellationToken.None));

        Assert.Equal("RpcHttpError", error.ErrorCode);
        Assert.True(error.IsTransient);
        Assert.Equal(4, _server.RequestCount);
    }

    [Fact]
    public async Task CallAsync_WhenOneOfManyFailsForGood_CancelsTheOthers()
    {
        _server.Handle = async (_, context, body) =>
        {
            if (body.Contains("[3]", StringComparison.Ordinal))
            {
                return await FailAsync("401", context, body);
            }

            await Task.Delay(TimeSpan.FromSeconds(60));
            return false;
        };
        await using var client = Client();

        var elapsed = Stopwatch.StartNew();
        var error = await Assert.ThrowsAsync<RpcException>(() => client.CallAsync(Calls(5), null, CancellationToken.None));

        Assert.Equal("RpcHttpError", error.ErrorCode);
        Assert.True(elapsed.Elapsed < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task CallAsync_WhenNobodyListens_SaysSo()
    {
        await using var client = Client(options => options with { Url = new Uri("http://127.0.0.1:9/") });

        var error = await Assert.ThrowsAsync<RpcException>(() => client.CallAsync(Calls(1), RpcRetryPolicy.None, CancellationToken.None));

        Assert.Equal("RpcUnreachable", error.ErrorCode);
        Assert.True(error.IsTransient);
        Assert.Contains("refused", error.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task CallAsync_WhenNoAnswerComesInTime_SaysSo()
    {
        _server.Handle = async (_, _, _) =>
        {
            await Task.Delay(TimeSpan.FromSeconds(60));
            return true;
        };
        await using var client = Client(options => options with { Timeout = TimeSpan.FromMilliseconds(300) });

        var error = await Assert.ThrowsAsync<RpcException>(() => client.CallAsync(Calls(1), RpcRetryPolicy.None, CancellationToken.None));

        Assert.Equal("RpcUnreachable", error.ErrorCode);
        Assert.True(error.IsTransient);
        Assert.Contains("no answer within 0.3 s", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CallAsync_WhenCancelled_EndsAtOnce()
    {
        using var cancel = new CancellationTokenSource();
        _server.Handle = async (_, _, _) =>
        {
            cancel.Cancel();
            await Task.Delay(TimeSpan.FromSeconds(60));
            return true;
        };
        await using var client = Client();

        var elapsed = Stopwatch.StartNew();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.CallAsync(Calls(3), null, cancel.Token));

        Assert.True(elapsed.Elapsed < TimeSpan.FromSeconds(20));
    }

    [Theory]
    [InlineData(null, Token, "Authorization", "Bearer " + Token)]
    [InlineData("Drpc-Key", Token, "Drpc-Key", Token)]
    public async Task CallAsync_WithAToken_SendsItInTheRightHeader(string? header, string token, string expectedHeader, string expectedValue)
    {
        string? received = null;
        _server.Handle = (_, context, _) =>
        {
            received = context.Request.Headers[expectedHeader];
            return Task.FromResult(false);
        };
        await using var client = Client(options => options with { AuthHeader = header, AuthToken = token });

        using var answers = await client.CallAsync(Calls(1), null, CancellationToken.None);

        Assert.Equal(expectedValue, received);
    }

    [Fact]
    public async Task CallAsync_WhenTheNodeRepeatsSecrets_KeepsThemOutOfTheError()
    {
        const string key = "0123456789abcdef";
        _server.Handle = (_, context, body) => StubRpcServer.RespondAsync(
            context, 200, $"{{\"id\":{IdOf(body)},\"error\":{{\"code\":-32600,\"message\":\"bad key {key} or token {Token}\"}}}}");
        var options = new EvmRpcOptions { Url = new Uri(_server.Url, $"v2/{key}"), AuthToken = Token };
        await using var client = Client(_ => options);

        var error = await Assert.ThrowsAsync<RpcException>(() => client.CallAsync(Calls(1), null, CancellationToken.None));

        Assert.Contains("bad key *** or token ***", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(key, error.ToString() + options, StringComparison.Ordinal);
        Assert.DoesNotContain(Token, error.ToString() + options, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_WithATokenThatCannotBeAHeader_RefusesItWithoutShowingIt()
    {
        var error = Assert.Throws<AmpException>(() => Client(options => options with { AuthToken = "line\nbreak" }));

        Assert.Equal("InvalidAuthentication", error.ErrorCode);
        Assert.DoesNotContain("break", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task CallAsync_WhenTheAnswerIsCompressed_UnpacksIt(string encoding)
    {
        _server.Handle = async (_, context, body) =>
        {
            Assert.Contains(encoding, context.Request.Headers["Accept-Encoding"], StringComparison.Ordinal);
            context.Response.AddHeader("Content-Encoding", encoding);
            await using (Stream packed = encoding == "br" ? new BrotliStream(context.Response.OutputStream, CompressionLevel.Fastest) : new GZipStream(context.Response.OutputStream, CompressionLevel.Fastest))
            {
                await packed.WriteAsync(Encoding.UTF8.GetBytes(_server.AnswersTo(body)[0]));
            }

            return true;
        };
        await using var client = Client();

        using var answers = await client.CallAsync(Calls(1), null, CancellationToken.None);

        AssertAnswered(answers, 1);
    }

    [Fact]
    public async Task CallAsync_OfManyCalls_KeepsWithinTheLimitOfRequestsAtOnce()
    {
        _server.Handle = async (_, _, _) =>
        {
            await Task.Delay(10);
            return false;
        };
        await using var client = Client(options => options with { ConcurrentRequestLimit = 4 });

        using var answers = await client.CallAsync(Calls(60), null, CancellationToken.None);

        AssertAnswered(answers, 60);
        Assert.InRange(_server.MostUnderWay, 2, 4);
    }

    [Fact]
    public async Task CallAsync_WithARateLimit_SpreadsRequests()
    {
        await using var client = Client(options => options with { RateLimitPerMinute = 1200 });

        // 20 a second, of which the first 20 may start at once.
        var elapsed = Stopwatch.StartNew();
        using var answers = await client.CallAsync(Calls(32), null, CancellationToken.None);

        AssertAnswered(answers, 32);
        Assert.True(elapsed.Elapsed > TimeSpan.FromSeconds(0.5), $"took only {elapsed.Elapsed}");
    }

    [Fact]
    public async Task CallAsync_WhenTheNodeAsksToWait_WaitsThatLong()
    {
        _server.Handle = (number, context, _) => number > 1 ? Task.FromResult(false) : StubRpcServer.RespondAsync(context, 429, "", ("Retry-After", "1"));
        await using var client = Client(options => options with { Retry = options.Retry with { MaxDelay = TimeSpan.FromSeconds(30) } });

        var elapsed = Stopwatch.StartNew();
        using var answers = await client.CallAsync(Calls(1), null, CancellationToken.None);

        Assert.True(elapsed.Elapsed >= TimeSpan.FromSeconds(0.9), $"waited only {elapsed.Elapsed}");
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private JsonRpcClient Client(Func<EvmRpcOptions, EvmRpcOptions>? change = null)
    {
        var options = new EvmRpcOptions
        {
            Url = _server.Url,
            Retry = new RpcRetryPolicy { MaxAttempts = 4, FirstDelay = TimeSpan.FromMilliseconds(1), MaxDelay = TimeSpan.FromMilliseconds(5) },
        };
        options = change?.Invoke(options) ?? options;
        return new JsonRpcClient(new HttpRpcTransport(options, TimeProvider.System), options, TimeProvider.System, NullLogger.Instance);
    }

    private Task<bool> FailAsync(string failure, HttpListenerContext context, string body)
    {
        var id = IdOf(body);
        switch (failure)
        {
            case "reset":
                context.Response.Abort();
                return Task.FromResult(true);
            case "cut off":
                context.Response.ContentLength64 = 1000;
                context.Response.OutputStream.Write("{\"id\":"u8);
                context.Response.OutputStream.Flush();
                context.Response.Abort();
                return Task.FromResult(true);
            case "half JSON":
                return StubRpcServer.RespondAsync(context, 200, _server.AnswersTo(body)[0][..^3]);
            case "empty":
                return StubRpcServer.RespondAsync(context, 200, "");
            case "wrong id":
                return StubRpcServer.RespondAsync(context, 200, "{\"id\":987654,\"result\":1}");
            case "no result":
                return StubRpcServer.RespondAsync(context, 200, $"{{\"id\":{id}}}");
            case "node error":
                return StubRpcServer.RespondAsync(context, 200, $"{{\"id\":{id},\"error\":{{\"code\":-32603,\"message\":\"internal\"}}}}");
            case "no method":
                return StubRpcServer.RespondAsync(context, 200, $"{{\"id\":{id},\"error\":{{\"code\":-32601,\"message\":\"the method does not exist\"}}}}");
            case "refused batch":
                return StubRpcServer.RespondAsync(context, 200, "{\"id\":null,\"error\":{\"code\":-32600,\"message\":\"batch too large\"}}");
            case "HTML":
                return StubRpcServer.RespondAsync(context, 200, "<html><body>Welcome</body></html>");
            default:
                return StubRpcServer.RespondAsync(context, int.Parse(failure, CultureInfo.InvariantCulture), "{\"error\":{\"code\":1,\"message\":\"why\"}}");
        }
    }

    private static string IdOf(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.GetProperty("id").GetRawText();
    }

    private static RpcCall[] Calls(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new RpcCall("test_echo", $"[{i}]", (ulong)i))];

    private static void AssertAnswered(RpcAnswers answers, int count)
    {
        for (var i = 0; i < count; i++)
        {
            Assert.Equal($"\"test_echo {i}\"", Encoding.UTF8.GetString(answers[i].Span).Trim());
        }
    }
}
