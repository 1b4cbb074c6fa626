using System.Net.Sockets;
using System.Text;
using Amp.Configuration;
using Amp.Datasets;
using Amp.Extraction.DevChains;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Extraction.EvmRpc;

/// <summary>WebSockets and Unix domain sockets.</summary>
public sealed class DuplexRpcTransportTests : IAsyncLifetime
{
    private static readonly BlockRange Blocks = new(0, 199);

    private readonly string _folder = Directory.CreateTempSubdirectory("amp-ipc").FullName;
    private DevChain _chain = null!;
    private SourceRows _expected = null!;

    public async Task InitializeAsync()
    {
        _chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)Blocks.Count, TransactionsPerBlock = 4 });
        await using var source = Open(_chain.Url.ToString());
        _expected = await SourceRows.ReadAsync(source, Blocks);
    }

    public async Task DisposeAsync()
    {
        await _chain.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    public async Task ReadAsync_OverAWebSocket_GivesTheSameRowsOverOneConnection(int batchSize)
    {
        await Eventually.TrueAsync(() => _chain.ConnectionCount == 0, "the end of the connections over HTTP");
        await using var source = Open(WebSocketUrl, provider => provider with { RpcBatchSize = batchSize });

        var reading = SourceRows.ReadAsync(source, Blocks);
        await Eventually.TrueAsync(() => _chain.ConnectionCount > 0, "a connection");
        var most = 0;
        while (!reading.IsCompleted)
        {
            most = Math.Max(most, _chain.ConnectionCount);
            await Task.Delay(1);
        }

        _expected.AssertEqual(await reading);
        Assert.Equal(1, most);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task ReadAsync_OverAWebSocketThatMisbehaves_GivesTheSameRows(ulong seed)
    {
        _chain.Answers.Faults = new DevChainFaults
        {
            Seed = seed,
            Chances = new Dictionary<DevChainFault, double>
            {
                [DevChainFault.ConnectionReset] = 0.005,
                [DevChainFault.CutOff] = 0.005,
                [DevChainFault.TruncatedJson] = 0.005,
                [DevChainFault.EmptyBody] = 0.005,
                [DevChainFault.NotJson] = 0.005,
                [DevChainFault.Hang] = 0.005,
                [DevChainFault.RateLimitError] = 0.05,
                [DevChainFault.RequestError] = 0.05,
                [DevChainFault.CallError] = 0.05,
                [DevChainFault.MissingAnswer] = 0.02,
                [DevChainFault.NullBlock] = 0.05,
                [DevChainFault.ReceiptsIncomplete] = 0.05,
                [DevChainFault.Shuffled] = 0.2,
            },
            LargestBatch = 12,
            LargestAnswer = 100_000,
        };
        await using var source = Open(WebSocketUrl, provider => provider with { RpcBatchSize = seed == 1 ? 0 : 20, Timeout = TimeSpan.FromSeconds(1) });

        _expected.AssertEqual(await SourceRows.ReadAsync(source, Blocks));
        Assert.True(_chain.Answers.Injected.Count > 5);
    }

    [Fact]
    public async Task ReadAsync_WhenTheWebSocketIsLostBetweenReadings_ConnectsAgain()
    {
        await using var source = Open(WebSocketUrl);
        Assert.Equal(Blocks.End, await source.GetHeadAsync(finalized: false, CancellationToken.None));

        _chain.Answers.Faults = DevChainFaults.Of(1, DevChainFault.ConnectionReset) with { MostPerCall = 1 };

        Assert.Equal(Blocks.End, await source.GetHeadAsync(finalized: false, CancellationToken.None));
        Assert.Equal(1, _chain.Answers.Injected[DevChainFault.ConnectionReset]);
    }

    [Fact]
    public async Task GetHeadAsync_WhenAWebSocketIsSilent_GivesItUp()
    {
        await using var source = Open(WebSocketUrl, provider => provider with { Timeout = TimeSpan.FromMilliseconds(300) });
        _chain.Answers.Faults = DevChainFaults.Of(1, DevChainFault.Hang) with { MostPerCall = 1 };

        Assert.Equal(Blocks.End, await source.GetHeadAsync(finalized: false, CancellationToken.None));
    }

    [Fact]
    public async Task GetHeadAsync_WhenNobodyListens_SaysSo()
    {
        await using var source = Open("ws://127.0.0.1:9/", retry: RpcRetryPolicy.None);
        await using var ipc = Open($"ipc://{_folder}/nobody.ipc", retry: RpcRetryPolicy.None);

        foreach (var each in new[] { source, ipc })
        {
            var error = await Assert.ThrowsAsync<RpcException>(() => each.GetHeadAsync(finalized: false, CancellationToken.None));

            Assert.Equal("RpcUnreachable", error.ErrorCode);
            Assert.True(error.IsTransient);
        }
    }

    [Fact]
    public async Task GetHeadAsync_OverAWebSocket_SendsTheTokenAndSaysWhyItWasRefused()
    {
        string? header = null;
        await using var server = new StubRpcServer((_, _) => "1")
        {
            Handle = (_, context, _) =>
            {
                header = context.Request.Headers["Authorization"];
                return StubRpcServer.RespondAsync(context, 401, "");
            },
        };
        await using var source = Open($"ws://127.0.0.1:{server.Url.Port}/v3/0123456789", provider => provider with { AuthToken = new Secret("s3cret-token") });

        var error = await Assert.ThrowsAsync<RpcException>(() => source.GetHeadAsync(finalized: false, CancellationToken.None));

        Assert.Equal("Bearer s3cret-token", header);
        Assert.Equal("RpcHttpError", error.ErrorCode);
        Assert.Equal(AmpErrorKind.Denied, error.Kind);
        Assert.False(error.IsTransient);
        Assert.DoesNotContain("s3cret-token", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("0123456789", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ipc://", 1)]
    [InlineData("", 7)]
    [InlineData("ipc://", 100_000)]
    public async Task ReadAsync_OverASocketInAnyPieces_GivesTheSameRows(string prefix, int piece)
    {
        var path = Path.Combine(_folder, "a node %20.ipc");
        await using var server = new IpcServer(path, _chain.Url, piece);
        await using var source = Open(prefix + path, provider => provider with { RpcBatchSize = 5 });
        var range = piece == 1 ? new BlockRange(0, 9) : Blocks;

        var rows = await SourceRows.ReadAsync(source, range);

        Assert.Equal(_expected.Blocks.Take((int)range.Count), rows.Blocks);
        Assert.Equal(_expected.Tables[1].Take(rows.Tables[1].Count), rows.Tables[1]);
        Assert.Equal(_expected.Tables[2].Take(rows.Tables[2].Count), rows.Tables[2]);
    }

    [ToolFact("anvil")]
    public async Task ReadAsync_FromARealNodeOverEachTransport_GivesTheSameRows()
    {
        var path = Path.Combine(_folder, "anvil.ipc");
        await using var node = await AnvilNode.StartAsync("--ipc", path);
        await node.MineAsync(40);
        await using var http = Open(node.Url.ToString());
        var expected = await SourceRows.ReadAsync(http, new BlockRange(0, 40));

        foreach (var url in new[] { $"ws://127.0.0.1:{node.Url.Port}/", $"ipc://{path}", path })
        {
            foreach (var batchSize in new[] { 0, 7 })
            {
                await using var source = Open(url, provider => provider with { RpcBatchSize = batchSize });
                expected.AssertEqual(await SourceRows.ReadAsync(source, new BlockRange(0, 40)));
            }
        }
    }

    [Theory]
    [InlineData("ftp://example.org/")]
    [InlineData("relative.ipc")]
    [InlineData("ipc://relative.ipc")]
    public void Open_WithAUrlOfNoNode_RefusesIt(string url)
    {
        var error = Assert.Throws<AmpException>(() => Open(url));

        Assert.Equal("ProviderUrlUnsupported", error.ErrorCode);
    }

    private string WebSocketUrl => $"ws://127.0.0.1:{_chain.Url.Port}/";

    private static EvmRpcBlockSource Open(string url, Func<ProviderConfig, ProviderConfig>? change = null, RpcRetryPolicy? retry = null)
    {
        var provider = new ProviderConfig
        {
            Name = "node", Kind = "evm-rpc", Network = "dev", Url = Secret.ForUrl(url), ConcurrentRequestLimit = 64, Timeout = TimeSpan.FromSeconds(20),
        };
        return ProviderSource.Open(
            change?.Invoke(provider) ?? provider, EvmTables.All, 64 << 20, TimeProvider.System, NullLoggerFactory.Instance,
            retry ?? new RpcRetryPolicy { FirstDelay = TimeSpan.FromMilliseconds(2), MaxDelay = TimeSpan.FromMilliseconds(50) });
    }

    /// <summary>Passes on what comes on a Unix domain socket, line by line, to a node over HTTP; answers in pieces.</summary>
    private sealed class IpcServer : IAsyncDisposable
    {
        private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly HttpClient _http = new();
        private readonly Task _loop;

        public IpcServer(string path, Uri node, int piece)
        {
            File.Delete(path);
            _listener.Bind(new UnixDomainSocketEndPoint(path));
            _listener.Listen();
            _loop = Task.Run(() => ServeAsync(node, piece));
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _http.Dispose();
        }

        private async Task ServeAsync(Uri node, int piece)
        {
            using var client = await _listener.AcceptAsync();
            using var reader = new StreamReader(new NetworkStream(client));
            while (await reader.ReadLineAsync() is { } request)
            {
                using var content = new StringContent(request, Encoding.UTF8, "application/json");
                using var response = await _http.PostAsync(node, content);
                var answer = await response.Content.ReadAsByteArrayAsync();
                foreach (var part in answer.Chunk(piece))
                {
                    await client.SendAsync(part);
                }
            }
        }
    }
}
