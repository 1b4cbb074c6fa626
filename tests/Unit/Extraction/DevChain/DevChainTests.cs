using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Reorganize_ReplacesTheNewestBlocksByOthers(bool replays)
    {
        var options = new DevChainOptions { BlockCount = 10, TransactionsPerBlock = 4, ReplayPath = replays ? Path.Combine(Support.TestTools.Fixtures, "evm") : null };
        await using var chain = await DevChain.StartAsync(options);
        using var client = new RpcClient(chain.Url);
        var before = await BlocksAsync(client, 10);

        await chain.ReorganizeAsync(3, 5);

        Assert.Equal(11ul, chain.Head);
        var after = await BlocksAsync(client, 12);
        Assert.Equal(before.Take(7).Select(Hash), after.Take(7).Select(Hash));
        Assert.Empty(before.Skip(7).Select(Hash).Intersect(after.Select(Hash)));
        Assert.Empty(before.Skip(7).SelectMany(Transactions).Intersect(after.SelectMany(Transactions)));
        Assert.All(after.Zip(after.Skip(1)), pair => Assert.Equal(Hash(pair.First), pair.Second.GetProperty("parentHash").GetString()));

        // As with a real node, the old blocks are known by their hashes, and their transactions are gone.
        Assert.Equal(Hash(before[8]), Hash(await client.CallAsync("eth_getBlockByHash", Hash(before[8]), false)));
        var gone = before.Skip(7).SelectMany(Transactions).First();
        Assert.Equal(JsonValueKind.Null, (await client.CallAsync("eth_getTransactionReceipt", gone)).ValueKind);
        var there = after.Skip(7).SelectMany(Transactions).First();
        Assert.Equal(there, (await client.CallAsync("eth_getTransactionReceipt", there)).GetProperty("transactionHash").GetString());
    }

    [Fact]
    public async Task Reorganize_MayShortenTheChain_ButKeepsItsFirstBlock()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 10, FirstBlock = 5 });

        await chain.ReorganizeAsync(4, 1);
        Assert.Equal(11ul, chain.Head);

        await chain.ReorganizeAsync(100, 0);
        Assert.Equal(5ul, chain.Head);
    }

    [Fact]
    public async Task Reorganize_InTheSameOrder_GivesTheSameBlocks()
    {
        var heads = new List<string>();
        for (var run = 0; run < 2; run++)
        {
            await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 10 });
            using var client = new RpcClient(chain.Url);
            await chain.ReorganizeAsync(3, 3);
            await chain.ReorganizeAsync(1, 2);
            heads.Add((await client.CallAsync("eth_getBlockByNumber", "latest", true)).GetRawText());
        }

        Assert.Equal(heads[0], heads[1]);
    }

    [Fact]
    public async Task OlderFork_AnswersAsBeforeTheLastReorg()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 10 });
        using var client = new RpcClient(chain.Url);
        var before = Hash(await client.CallAsync("eth_getBlockByNumber", "0x9", false));
        chain.Answers.Faults = DevChainFaults.Of(1, DevChainFault.OlderFork);
        Assert.Equal(before, Hash(await client.CallAsync("eth_getBlockByNumber", "0x9", false)));
        Assert.Empty(chain.Answers.Injected);

        await chain.ReorganizeAsync(2, 1);

        Assert.Equal(before, Hash(await client.CallAsync("eth_getBlockByNumber", "0x9", false)));
        Assert.Equal("0x9", (await client.CallAsync("eth_blockNumber")).GetString());
    }

    private static async Task<List<JsonElement>> BlocksAsync(RpcClient client, int count)
    {
        var blocks = new List<JsonElement>();
        for (var number = 0ul; number < (ulong)count; number++)
        {
            blocks.Add(await client.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), false));
        }

        return blocks;
    }

    private static string Hash(JsonElement block) => block.GetProperty("hash").GetString()!;

    private static IEnumerable<string> Transactions(JsonElement block) => block.GetProperty("transactions").EnumerateArray().Select(hash => hash.GetString()!);

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
