using System.Diagnostics;
using Amp.Extraction.DevChains;
using Amp.Support;
using Microsoft.Extensions.Logging;

namespace Amp.Extraction.EvmRpc;

/// <summary>Reading from a chain that misbehaves gives the same rows as from one that does not.</summary>
public sealed class BadDayTests : IAsyncLifetime
{
    private static readonly BlockRange Blocks = new(0, 119);

    private readonly RecordingLogger _log = new();
    private DevChain _chain = null!;
    private SourceRows _expected = null!;

    public static TheoryData<string, int> SingleFaults
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var fault in Enum.GetValues<DevChainFault>().Where(fault => fault is not (DevChainFault.None or DevChainFault.OlderFork or DevChainFault.LaggingHead)))
            {
                // Alone, a call has no order.
                foreach (var batchSize in fault == DevChainFault.Shuffled ? new[] { 10 } : [0, 10])
                {
                    data.Add(fault.ToString(), batchSize);
                }
            }

            return data;
        }
    }

    public async Task InitializeAsync()
    {
        _chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)Blocks.Count, TransactionsPerBlock = 4 });
        await using var source = Source(batchSize: 0);
        _expected = await SourceRows.ReadAsync(source, Blocks);
        Assert.NotEmpty(_expected.Tables[2]);
    }

    public async Task DisposeAsync() => await _chain.DisposeAsync();

    [Theory]
    [MemberData(nameof(SingleFaults))]
    public async Task ReadAsync_WhenAFaultComesNowAndThen_GivesTheChainsRows(string name, int batchSize)
    {
        var fault = Enum.Parse<DevChainFault>(name);
        var chance = fault is DevChainFault.Hang or DevChainFault.TooManyRequestsRetryAfter ? batchSize == 0 ? 0.1 : 0.25 : 0.4;
        await using var source = Source(batchSize);
        await source.GetChainIdAsync(CancellationToken.None);
        _chain.Answers.Faults = DevChainFaults.Of(chance, fault);

        var rows = await SourceRows.ReadAsync(source, Blocks);

        _expected.AssertEqual(rows);
        Assert.True(_chain.Answers.Injected.GetValueOrDefault(fault) > 0, "the fault never happened");
    }

    [Theory]
    [InlineData(1, 0, false)]
    [InlineData(2, 0, true)]
    [InlineData(3, 8, false)]
    [InlineData(4, 8, true)]
    [InlineData(5, 50, false)]
    [InlineData(6, 50, true)]
    public async Task ReadAsync_WhenAllFaultsCome_GivesTheChainsRows(ulong seed, int batchSize, bool perTransaction)
    {
        // A block is as good as the worst of its receipts.
        var receiptsChance = perTransaction || seed % 3 == 0 ? 0.005 : 0.03;
        var chances = Enum.GetValues<DevChainFault>().Where(fault => fault != DevChainFault.None)
            .ToDictionary(fault => fault, fault => fault is DevChainFault.Hang or DevChainFault.TooManyRequestsRetryAfter ? 0.005
                : fault >= DevChainFault.CallError ? receiptsChance : 0.03);
        _chain.Answers.Faults = new DevChainFaults
        {
            Seed = seed,
            Chances = chances,
            LargestBatch = 20,
            LargestAnswer = 200_000,
            MostAtOnce = 20,
            RefusesByStatus = seed % 2 == 0,
            WithoutBlockReceipts = seed % 3 == 0,
        };
        await using var source = Source(batchSize, perTransaction: perTransaction);
        await WaitForANodeAsync(source);

        var rows = await SourceRows.ReadAsync(source, Blocks);

        _expected.AssertEqual(rows);
        Assert.True(_chain.Answers.Injected.Count > 10);
    }

    [Fact]
    public async Task Faults_WithTheSameSeed_HappenAgain()
    {
        var happened = new List<string>();
        for (var run = 0; run < 2; run++)
        {
            await using var chain = await DevChain.StartAsync(new DevChainOptions
            {
                BlockCount = (int)Blocks.Count,
                TransactionsPerBlock = 4,
                Faults = DevChainFaults.Of(0.1, DevChainFault.ServerError, DevChainFault.NullBlock, DevChainFault.CallError, DevChainFault.ReceiptsNull) with { Seed = 9 },
            });
            await using var source = Source(batchSize: 0, url: chain.Url);
            await SourceRows.ReadAsync(source, Blocks);
            happened.Add(string.Join(", ", chain.Answers.Injected.OrderBy(pair => pair.Key)));
        }

        Assert.Equal(happened[0], happened[1]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    public async Task ReadAsync_WhenTheNodeLacksBlockReceipts_AsksForSingleOnesAndSaysSoOnce(int batchSize)
    {
        _chain.Answers.Faults = new DevChainFaults { WithoutBlockReceipts = true };
        await using var source = Source(batchSize);

        _expected.AssertEqual(await SourceRows.ReadAsync(source, Blocks));
        var requests = _chain.Answers.RequestCount;
        _expected.AssertEqual(await SourceRows.ReadAsync(source, Blocks));

        var warning = Assert.Single(_log.Entries, entry => entry.Event == "BlockReceiptsMissing");
        Assert.Equal(LogLevel.Warning, warning.Level);
        Assert.DoesNotContain(_log.Entries, entry => entry.Event == "CallFailed");
        Assert.True(_chain.Answers.RequestCount - requests < requests, "the second reading knows it from the start");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ReadAsync_WhenBatchesAreTooLarge_ShrinksThemWithoutFailing(bool byStatus)
    {
        _chain.Answers.Faults = new DevChainFaults { LargestBatch = 3, RefusesByStatus = byStatus };
        await using var source = Source(batchSize: 40, attempts: 1);

        _expected.AssertEqual(await SourceRows.ReadAsync(source, Blocks));
        Assert.Contains(_log.Entries, entry => entry.Event == "BatchLowered");

        // Having learned, it hardly meets the limit any more.
        var refusals = _chain.Answers.RefusalCount;
        await SourceRows.ReadAsync(source, Blocks);
        Assert.InRange(_chain.Answers.RefusalCount - refusals, 0, 12);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ReadAsync_WhenAnswersAreTooLarge_AsksForLess(bool byStatus)
    {
        _chain.Answers.Faults = new DevChainFaults { LargestAnswer = 30_000, RefusesByStatus = byStatus };
        await using var source = Source(batchSize: 40, attempts: 1);

        _expected.AssertEqual(await SourceRows.ReadAsync(source, Blocks));
        Assert.True(_chain.Answers.RefusalCount > 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ReadAsync_WhenTheReceiptsOfOneBlockAreTooLarge_AsksForSingleOnes(bool byStatus)
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 20, TransactionsPerBlock = 30 });
        await using var source = Source(batchSize: 0, url: chain.Url, attempts: 1);
        var expected = await SourceRows.ReadAsync(source, new BlockRange(0, 19));
        var largestBlock = 0;
        using (var client = new RpcClient(chain.Url))
        {
            for (var number = 0ul; number < 20; number++)
            {
                largestBlock = Math.Max(largestBlock, (await client.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), true)).GetRawText().Length);
            }
        }

        chain.Answers.Faults = new DevChainFaults { LargestAnswer = largestBlock + 200, RefusesByStatus = byStatus };
        expected.AssertEqual(await SourceRows.ReadAsync(source, new BlockRange(0, 19)));

        Assert.True(chain.Answers.RefusalCount > 0);
        Assert.DoesNotContain(_log.Entries, entry => entry.Event == "BlockReceiptsMissing");
    }

    [Fact]
    public async Task ReadAsync_WhenASingleBlockIsTooLarge_SaysSo()
    {
        _chain.Answers.Faults = new DevChainFaults { LargestAnswer = 500 };
        await using var source = Source(batchSize: 10);

        var error = await Assert.ThrowsAsync<RpcException>(() => SourceRows.ReadAsync(source, Blocks));

        Assert.Equal("RpcError", error.ErrorCode);
        Assert.Equal(AmpErrorKind.LimitReached, error.Kind);
        Assert.False(error.IsTransient);
        Assert.Contains("response too large", error.Message, StringComparison.Ordinal);
        Assert.Contains("eth_getBlock", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ReadAsync_WhenThereAreTooManyAtOnce_LowersThemWithoutFailing(bool byStatus)
    {
        _chain.Answers.Faults = new DevChainFaults { MostAtOnce = 4, RefusesByStatus = byStatus, Latency = TimeSpan.FromMilliseconds(2) };
        await using var source = Source(batchSize: 0, attempts: 1);

        _expected.AssertEqual(await SourceRows.ReadAsync(source, Blocks));

        Assert.Contains(_log.Entries, entry => entry.Event == "ConcurrencyLowered");
        var refusals = _chain.Answers.RefusalCount;
        await SourceRows.ReadAsync(source, Blocks);
        Assert.InRange(_chain.Answers.RefusalCount - refusals, 0, _chain.Answers.RequestCount / 4);
    }

    [Fact]
    public async Task ReadAsync_WhenTheRateStaysTooHigh_GivesUpAfterItsPatience()
    {
        _chain.Answers.Faults = DevChainFaults.Of(1, DevChainFault.TooManyRequests) with { MostPerCall = int.MaxValue };
        await using var source = Source(batchSize: 0, patience: TimeSpan.FromMilliseconds(200));

        var watch = Stopwatch.StartNew();
        var error = await Assert.ThrowsAsync<RpcException>(() => SourceRows.ReadAsync(source, Blocks));

        Assert.Equal("RpcHttpError", error.ErrorCode);
        Assert.Equal(AmpErrorKind.LimitReached, error.Kind);
        Assert.True(error.IsTransient);
        Assert.Contains("429", error.Message, StringComparison.Ordinal);
        Assert.InRange(watch.Elapsed, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(30));
    }

    [Theory]
    [InlineData(DevChainFault.NullBlock, "BlockNotFound")]
    [InlineData(DevChainFault.ReceiptsNull, "BlockNotFound")]
    [InlineData(DevChainFault.ReceiptsEmpty, "ReceiptsMismatch")]
    [InlineData(DevChainFault.ReceiptsIncomplete, "ReceiptsMismatch")]
    [InlineData(DevChainFault.ReceiptsMismatched, "ReceiptsMismatch")]
    [InlineData(DevChainFault.ReceiptsOfAnotherFork, "ReceiptsOfAnotherBlock")]
    [InlineData(DevChainFault.ServerError, "RpcHttpError")]
    [InlineData(DevChainFault.ConnectionReset, "RpcUnreachable", "RpcInvalidAnswer")]
    [InlineData(DevChainFault.Hang, "RpcUnreachable")]
    [InlineData(DevChainFault.CutOff, "RpcInvalidAnswer")]
    [InlineData(DevChainFault.TruncatedJson, "RpcInvalidAnswer")]
    [InlineData(DevChainFault.EmptyBody, "RpcInvalidAnswer")]
    [InlineData(DevChainFault.MissingAnswer, "RpcInvalidAnswer")]
    [InlineData(DevChainFault.RequestError, "RpcError")]
    [InlineData(DevChainFault.CallError, "RpcError")]
    internal async Task ReadAsync_WhenAFaultStays_FailsWithItsCodeAndMayBeTriedLater(DevChainFault fault, params string[] codes)
    {
        _chain.Answers.Faults = DevChainFaults.Of(1, fault) with { MostPerCall = int.MaxValue };
        await using var source = Source(batchSize: 0, attempts: 3, timeout: TimeSpan.FromMilliseconds(200));

        var error = await Assert.ThrowsAnyAsync<AmpException>(() => SourceRows.ReadAsync(source, Blocks));

        Assert.Contains(error.ErrorCode, codes);
        Assert.True(error.IsTransient);
        Assert.NotEqual(0, error.Message.Length);
    }

    // What is not JSON is forgiven to one that was a node before.
    private static Task WaitForANodeAsync(EvmRpcBlockSource source) =>
        Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    return await source.GetHeadAsync(finalized: false, CancellationToken.None) == Blocks.End;
                }
                catch (RpcException)
                {
                    return false;
                }
            },
            "an answer");

    private EvmRpcBlockSource Source(
        int batchSize, Uri? url = null, bool perTransaction = false, int attempts = 8, TimeSpan? timeout = null, TimeSpan? patience = null)
    {
        var options = new EvmRpcOptions
        {
            Url = url ?? _chain.Url,
            ConcurrentRequestLimit = 64,
            RpcBatchSize = batchSize,
            FetchReceiptsPerTx = perTransaction,
            Timeout = timeout ?? TimeSpan.FromSeconds(1.5),
            Retry = new RpcRetryPolicy
            {
                MaxAttempts = attempts,
                FirstDelay = TimeSpan.FromMilliseconds(2),
                MaxDelay = TimeSpan.FromMilliseconds(20),
                MaxRateLimitWait = patience ?? TimeSpan.FromSeconds(60),
            },
        };
        return new EvmRpcBlockSource(options, TimeProvider.System, new TypedLogger(_log));
    }

    private sealed class TypedLogger(ILogger inner) : ILogger<EvmRpcBlockSource>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            inner.Log(logLevel, eventId, state, exception, formatter);
    }
}
