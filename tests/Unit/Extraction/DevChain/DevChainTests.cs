using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Amp.Extraction.DevChains;

public sealed class DevChainTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Start_WithFirstBlock_HasThatManyBlocksFromThere()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { FirstBlock = 1000, BlockCount = 5, ChainId = 99 });
        using var client = new RpcClient(chain.Url);

        var earliest = await client.CallAsync("eth_getBlockByNumber", "earliest", false);
        var before = await client.CallAsync("eth_getBlockByNumber", "0x3e7", false);
        var finalized = await client.CallAsync("eth_getBlockByNumber", "finalized", false);

        Assert.Equal(1004UL, chain.Head);
        Assert.Equal(99UL, chain.ChainId);
        Assert.Equal("0x3e8", earliest.GetProperty("number").GetString());
        Assert.Equal("0x3e8", finalized.GetProperty("number").GetString());
        Assert.Equal(System.Text.Json.JsonValueKind.Null, before.ValueKind);
    }

    [Fact]
    public async Task Extend_AddsBlocksThatAStartWithMoreBlocksHas()
    {
        await using var grown = await DevChain.StartAsync(new DevChainOptions { BlockCount = 3 });
        await using var complete = await DevChain.StartAsync(new DevChainOptions { BlockCount = 30 });
        using var grownClient = new RpcClient(grown.Url);
        using var completeClient = new RpcClient(complete.Url);

        await Task.WhenAll(grown.ExtendAsync(20), grown.ExtendAsync(7), grown.ExtendAsync(0));

        Assert.Equal(29UL, grown.Head);
        Assert.Equal(
            (await completeClient.CallAsync("eth_getBlockByNumber", "latest", true)).GetRawText(),
            (await grownClient.CallAsync("eth_getBlockByNumber", "latest", true)).GetRawText());
    }

    [Fact]
    public async Task Extend_MakesNewTransactionsFindable()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 3 });
        using var client = new RpcClient(chain.Url);
        await FindLastTransactionAsync();

        await chain.ExtendAsync(30);

        await FindLastTransactionAsync();

        async Task FindLastTransactionAsync()
        {
            for (var number = chain.Head; number > 0; number--)
            {
                var block = await client.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), false);
                foreach (var hash in block.GetProperty("transactions").EnumerateArray())
                {
                    var receipt = await client.CallAsync("eth_getTransactionReceipt", hash.GetString());
                    Assert.Equal(RpcClient.Hex(number), receipt.GetProperty("blockNumber").GetString());
                    return;
                }
            }
        }
    }

    [Fact]
    public async Task Chain_WithBlockTime_GrowsByItself()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 1, BlockTime = TimeSpan.FromMilliseconds(5) });

        var started = Stopwatch.StartNew();
        while (chain.Head < 20)
        {
            Assert.True(started.Elapsed < Deadline, $"the chain is still at {chain.Head}");
            await Task.Delay(5);
        }

        using var client = new RpcClient(chain.Url);
        var block = await client.CallAsync("eth_getBlockByNumber", "0x14", false);
        Assert.Equal("0x14", block.GetProperty("number").GetString());
    }

    [Fact]
    public async Task Dispose_WithIdleAndBusyConnectionsAndGrowth_EndsAllOfThem()
    {
        var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 2, BlockTime = TimeSpan.FromMilliseconds(1), TransactionsPerBlock = 500 });
        using var idle = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await idle.ConnectAsync(IPAddress.Loopback, chain.Url.Port);
        using var reluctant = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await reluctant.ConnectAsync(IPAddress.Loopback, chain.Url.Port);

        // Asks for far more than the buffers of a connection hold and reads nothing of it, so the server cannot send on.
        var calls = string.Join(',', Enumerable.Repeat("""{"jsonrpc":"2.0","id":1,"method":"eth_getBlockReceipts","params":["0x1"]}""", 50));
        await reluctant.SendAsync(System.Text.Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nContent-Length: {calls.Length + 2}\r\n\r\n[{calls}]"));
        var started = Stopwatch.StartNew();
        while (chain.ConnectionCount < 2 || reluctant.Available == 0)
        {
            Assert.True(started.Elapsed < Deadline, "the server has not begun to answer");
            await Task.Delay(5);
        }

        await chain.DisposeAsync().AsTask().WaitAsync(Deadline);

        Assert.Equal(0, chain.ConnectionCount);
        Assert.Equal(0, await idle.ReceiveAsync(new byte[1]).WaitAsync(Deadline));
        using var late = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await Assert.ThrowsAsync<SocketException>(() => late.ConnectAsync(IPAddress.Loopback, chain.Url.Port));
        var head = chain.Head;
        await Task.Delay(20);
        Assert.Equal(head, chain.Head);
        await chain.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => chain.ExtendAsync(1));
    }

    [Fact]
    public async Task Start_OnPortInUse_IsRefused()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 1 });

        var error = await Assert.ThrowsAsync<AmpException>(() => DevChain.StartAsync(new DevChainOptions { BlockCount = 1, Port = chain.Url.Port }));

        Assert.Equal("DevChainPortUnavailable", error.ErrorCode);
        Assert.Contains(chain.Url.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WhenCancelled_GivesUp()
    {
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => DevChain.StartAsync(new DevChainOptions { BlockCount = int.MaxValue }, cancellation.Token).WaitAsync(Deadline));
    }

    public static TheoryData<DevChainOptions, string> InvalidOptions => new()
    {
        { new() { BlockCount = 0 }, "BlockCount" },
        { new() { TransactionsPerBlock = -1 }, "TransactionsPerBlock" },
        { new() { TransactionsPerBlock = 5001 }, "TransactionsPerBlock" },
        { new() { Port = 65536 }, "Port" },
        { new() { BlockTime = TimeSpan.Zero }, "BlockTime" },
        { new() { ChainId = 1UL << 62 }, "ChainId" },
        { new() { FirstBlock = ulong.MaxValue }, "FirstBlock" },
        { new() { GenesisTime = DateTimeOffset.MinValue }, "GenesisTime" },
    };

    [Theory]
    [MemberData(nameof(InvalidOptions))]
    public async Task Start_WithOptionOutOfRange_IsRefusedByName(DevChainOptions options, string option)
    {
        var error = await Assert.ThrowsAsync<AmpException>(() => DevChain.StartAsync(options));

        Assert.Equal("DevChainOptionInvalid", error.ErrorCode);
        Assert.Equal(option, error.Target);
    }
}
