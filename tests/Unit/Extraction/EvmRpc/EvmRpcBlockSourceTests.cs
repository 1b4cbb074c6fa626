using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Extraction.EvmRpc;

public sealed class EvmRpcBlockSourceTests : IAsyncDisposable
{
    private readonly StubRpcServer _server = new(Answer);

    [Theory]
    [InlineData(0, false, 64 << 20)]
    [InlineData(8, false, 64 << 20)]
    [InlineData(5, true, 64 << 20)]
    [InlineData(0, true, 64 << 20)]
    [InlineData(0, false, 1)]
    [InlineData(16, false, 1)]
    public async Task ReadAsync_WhenAnswersComeInAnyOrder_GivesBlocksInTheirs(int batchSize, bool perTransaction, long budget)
    {
        var random = new Random(1);
        _server.Handle = async (_, _, _) =>
        {
            int delay;
            lock (random)
            {
                delay = random.Next(8);
            }

            await Task.Delay(delay);
            return false;
        };
        await using var source = Source(options => options with { RpcBatchSize = batchSize, FetchReceiptsPerTx = perTransaction, MemoryBudget = budget });

        var numbers = await ReadNumbersAsync(source, new BlockRange(100, 399));

        Assert.Equal(Enumerable.Range(100, 300).Select(i => (ulong)i), numbers);
    }

    [Fact]
    public async Task ReadAsync_OfSmallBlocks_PutsManyIntoABatch()
    {
        await using var source = Source();
        var batches = 0;

        await foreach (var batch in source.ReadAsync(new BlockRange(0, 1999), CancellationToken.None))
        {
            batches++;
            batch.Dispose();
        }

        Assert.InRange(batches, 2, 400);
    }

    [Fact]
    public async Task ReadAsync_WhileTheConsumerIsSlow_StaysWithinItsBudget()
    {
        var extra = $"\"extraData\":\"0x{new string('a', 40_000)}\"";
        _server.Answer = (method, parameters) => Answer(method, parameters).Replace("\"extraData\":\"0x\"", extra, StringComparison.Ordinal);
        await using var source = Source(options => options with { MemoryBudget = 2 << 20 });
        await using var blocks = source.ReadAsync(new BlockRange(0, 4999), CancellationToken.None).GetAsyncEnumerator();

        Assert.True(await blocks.MoveNextAsync());
        blocks.Current.Dispose();
        await WaitUntilQuietAsync();

        // A block is 20 kB of rows; two requests fetch it.
        Assert.InRange(_server.RequestCount / 2, 10, (2 << 20) / 20_000);
    }

    [Fact]
    public async Task ReadAsync_WhenTheConsumerStops_EndsAllRequests()
    {
        var hold = new TaskCompletionSource();
        _server.Handle = async (_, _, body) =>
        {
            using var call = JsonDocument.Parse(body);
            if (Number(call.RootElement.GetProperty("params")) > 5)
            {
                await hold.Task;
            }

            return false;
        };
        await using var source = Source();

        var elapsed = Stopwatch.StartNew();
        await foreach (var batch in source.ReadAsync(new BlockRange(0, 100_000), CancellationToken.None))
        {
            batch.Dispose();
            break;
        }

        Assert.True(elapsed.Elapsed < TimeSpan.FromSeconds(20));
        hold.SetResult();
        var after = await WaitUntilQuietAsync();
        Assert.Equal(after, await WaitUntilQuietAsync());
    }

    [Fact]
    public async Task ReadAsync_WhenCancelled_EndsAtOnce()
    {
        using var cancel = new CancellationTokenSource();
        _server.Handle = async (number, _, _) =>
        {
            if (number == 30)
            {
                cancel.Cancel();
            }

            await Task.Delay(number < 30 ? 0 : 60_000);
            return false;
        };
        await using var source = Source();

        var elapsed = Stopwatch.StartNew();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ReadNumbersAsync(source, new BlockRange(0, 100_000), cancellationToken: cancel.Token));

        Assert.True(elapsed.Elapsed < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task ReadAsync_WhenTheNodeDoesNotHaveABlock_DeliversThoseBeforeAndNamesIt()
    {
        _server.Answer = (method, parameters) => Number(parameters) == 57 ? "null" : Answer(method, parameters);
        await using var source = Source();
        var numbers = new List<ulong>();

        var error = await Assert.ThrowsAsync<AmpException>(() => ReadNumbersAsync(source, new BlockRange(0, 99), numbers));

        Assert.Equal("BlockNotFound", error.ErrorCode);
        Assert.True(error.IsTransient);
        Assert.Equal(57ul, error.Target);
        Assert.Equal(Enumerable.Range(0, numbers.Count).Select(i => (ulong)i), numbers);
        Assert.DoesNotContain(57ul, numbers);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    public async Task ReadAsync_WhenAnAnswerIsRefusedOnce_FetchesTheBlockAgain(int batchSize)
    {
        var asked = new ConcurrentDictionary<ulong, int>();
        _server.Answer = (method, parameters) =>
        {
            var number = Number(parameters);
            var isFirst = method == "eth_getBlockByNumber" && asked.AddOrUpdate(number, 1, (_, count) => count + 1) == 1;
            return isFirst && number % 10 == 3 ? Answer(method, parameters).Replace("\"miner\"", "\"nobody\"", StringComparison.Ordinal) : Answer(method, parameters);
        };
        await using var source = Source(options => options with { RpcBatchSize = batchSize });

        var numbers = await ReadNumbersAsync(source, new BlockRange(0, 99));

        Assert.Equal(Enumerable.Range(0, 100).Select(i => (ulong)i), numbers);
        Assert.Equal(2, asked[13]);
        Assert.Equal(1, asked[10]);
    }

    [Fact]
    public async Task ReadAsync_WhenBlocksDoNotLink_SaysThatTheChainChanged()
    {
        _server.Answer = (method, parameters) => Number(parameters) == 42 ? Answer(method, parameters) : Answer(method, parameters).Replace(Hash(41), Hash(999_041), StringComparison.Ordinal);
        await using var source = Source();

        var error = await Assert.ThrowsAsync<AmpException>(() => ReadNumbersAsync(source, new BlockRange(0, 99)));

        Assert.Equal("ChainReorganized", error.ErrorCode);
        Assert.Equal(42ul, error.Target);
        Assert.True(error.IsTransient);
    }

    [Theory]
    [InlineData(-32601, "no")]
    [InlineData(-32004, "no")]
    [InlineData(-32000, "eth_getBlockReceipts is not supported")]
    public async Task ReadAsync_WhenTheNodeLacksBlockReceipts_AsksForSingleOnes(int code, string message)
    {
        _server.Handle = (_, context, body) =>
        {
            using var call = JsonDocument.Parse(body);
            return call.RootElement.GetProperty("method").GetString() == "eth_getBlockReceipts"
                ? StubRpcServer.RespondAsync(context, 200, $"{{\"id\":{call.RootElement.GetProperty("id")},\"error\":{{\"code\":{code},\"message\":\"{message}\"}}}}")
                : Task.FromResult(false);
        };
        await using var source = Source();

        var numbers = await ReadNumbersAsync(source, new BlockRange(0, 99));

        Assert.Equal(Enumerable.Range(0, 100).Select(i => (ulong)i), numbers);
        Assert.False((await source.ProbeAsync(CancellationToken.None)).HasBlockReceipts);
    }

    [Fact]
    public async Task ReadAsync_OfBlocksOnly_AsksForNothingElse()
    {
        await using var source = Source(options => options with { Tables = [EvmTables.Blocks] });

        await ReadNumbersAsync(source, new BlockRange(0, 9));

        Assert.All(_server.Bodies, body =>
        {
            Assert.Contains("eth_getBlockByNumber", body, StringComparison.Ordinal);
            Assert.Contains("false", body, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task ReadAsync_ByTwoReadersAtOnce_GivesEachItsBlocks()
    {
        await using var source = Source();

        var both = await Task.WhenAll(ReadNumbersAsync(source, new BlockRange(0, 499)), ReadNumbersAsync(source, new BlockRange(500, 999)));

        Assert.Equal(Enumerable.Range(0, 1000).Select(i => (ulong)i), both.SelectMany(numbers => numbers));
    }

    [Fact]
    public async Task GetHeadAsync_OfFinalizedBlocks_AsksForThem()
    {
        await using var source = Source();

        Assert.Equal(5000ul, await source.GetHeadAsync(finalized: false, CancellationToken.None));
        Assert.Equal(4936ul, await source.GetHeadAsync(finalized: true, CancellationToken.None));
    }

    [Fact]
    public async Task GetHeadAsync_WhenNothingIsFinalized_SaysSo()
    {
        _server.Answer = (_, _) => "null";
        await using var source = Source();

        var error = await Assert.ThrowsAsync<AmpException>(() => source.GetHeadAsync(finalized: true, CancellationToken.None));

        Assert.Equal("NoFinalizedBlock", error.ErrorCode);
    }

    [Fact]
    public void Constructor_WithAnUnknownScheme_RefusesIt()
    {
        var error = Assert.Throws<AmpException>(() => Source(options => options with { Url = new Uri("ftp://example.org/") }));

        Assert.Equal("UnsupportedUrlScheme", error.ErrorCode);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private EvmRpcBlockSource Source(Func<EvmRpcOptions, EvmRpcOptions>? change = null)
    {
        var options = new EvmRpcOptions
        {
            Url = _server.Url,
            ConcurrentRequestLimit = 64,
            Retry = new RpcRetryPolicy { MaxAttempts = 3, FirstDelay = TimeSpan.FromMilliseconds(1), MaxDelay = TimeSpan.FromMilliseconds(5) },
        };
        return new EvmRpcBlockSource(change?.Invoke(options) ?? options, TimeProvider.System, NullLogger<EvmRpcBlockSource>.Instance);
    }

    private static async Task<List<ulong>> ReadNumbersAsync(
        EvmRpcBlockSource source, BlockRange range, List<ulong>? numbers = null, CancellationToken cancellationToken = default)
    {
        numbers ??= [];
        await foreach (var batch in source.ReadAsync(range, cancellationToken))
        {
            using (batch)
            {
                Assert.Equal(batch.Blocks.Count, batch.Tables[0].RowCount);
                Assert.Equal(batch.Blocks.Count, BatchRows.Read(batch.Tables[0]).Count);
                numbers.AddRange(batch.Blocks.Select(block => block.Number));
            }
        }

        return numbers;
    }

    // The number of requests once none has come for a while.
    private async Task<int> WaitUntilQuietAsync()
    {
        var deadline = Stopwatch.StartNew();
        var (count, since) = (-1, Stopwatch.StartNew());
        while (since.Elapsed < TimeSpan.FromMilliseconds(300))
        {
            Assert.True(deadline.Elapsed < TimeSpan.FromSeconds(30), "requests do not end");
            if (_server.RequestCount != count || _server.UnderWay > 0)
            {
                (count, since) = (_server.RequestCount, Stopwatch.StartNew());
            }

            await Task.Delay(10);
        }

        return count;
    }

    // A chain of blocks of which every third has one transaction.
    private static string Answer(string method, JsonElement parameters)
    {
        switch (method)
        {
            case "eth_blockNumber":
                return "\"0x1388\"";
            case "eth_chainId":
                return "\"0x1\"";
            case "web3_clientVersion":
                return "\"stub/1.0\"";
            case "eth_getTransactionReceipt":
                return Receipt(ulong.Parse(parameters[0].GetString()![34..], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        }

        var number = Number(parameters);
        return method == "eth_getBlockReceipts" ? HasTransaction(number) ? $"[{Receipt(number)}]" : "[]" : Block(number);
    }

    private static bool HasTransaction(ulong number) => number % 3 == 0;

    private static ulong Number(JsonElement parameters) =>
        parameters.GetArrayLength() == 0 ? 0 : parameters[0].GetString() is var text && text == "finalized" ? 4936
            : text!.Length > 20 ? ulong.MaxValue : ulong.Parse(text[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static string Block(ulong number)
    {
        var transaction = HasTransaction(number)
            ? $$"""{"hash":"{{TransactionHash(number)}}","transactionIndex":"0x0","from":"0x{{1:x40}}","to":null,"gas":"0x1","input":"0x","nonce":"0x1","value":"0x0","gasPrice":"0x1","v":"0x1b","r":"0x1","s":"0x1"}"""
            : "";
        return $$"""
            {"number":"0x{{number:x}}","hash":"{{Hash(number)}}","parentHash":"{{Hash(number - 1)}}","sha3Uncles":"{{Hash(1)}}","miner":"0x{{1:x40}}",
            "stateRoot":"{{Hash(1)}}","transactionsRoot":"{{Hash(1)}}","receiptsRoot":"{{Hash(1)}}","logsBloom":"0x{{new string('0', 512)}}","difficulty":"0x0",
            "gasLimit":"0x1","gasUsed":"0x1","extraData":"0x","timestamp":"0x1","transactions":[{{transaction}}]}
            """;
    }

    private static string Receipt(ulong number) =>
        $$"""{"blockHash":"{{Hash(number)}}","transactionHash":"{{TransactionHash(number)}}","transactionIndex":"0x0","gasUsed":"0x1","status":"0x1","logs":[]}""";

    private static string Hash(ulong number) => $"0x{(UInt128)number + ((UInt128)1 << 100):x64}";

    private static string TransactionHash(ulong number) => $"0x{new string('7', 32)}{number:x32}";
}
