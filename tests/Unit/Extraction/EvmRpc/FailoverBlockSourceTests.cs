using Amp.Configuration;
using Amp.Datasets;
using Amp.Extraction.DevChains;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Extraction.EvmRpc;

public sealed class FailoverBlockSourceTests : IAsyncLifetime
{
    private static readonly BlockRange Blocks = new(0, 399);
    private static readonly DevChainOptions Options = new() { BlockCount = (int)Blocks.Count, TransactionsPerBlock = 3 };

    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _log = new();
    private DevChain _first = null!;
    private DevChain _second = null!;
    private SourceRows _expected = null!;

    public async Task InitializeAsync()
    {
        _first = await DevChain.StartAsync(Options);
        _second = await DevChain.StartAsync(Options);
        await using var source = Source(_first);
        _expected = await SourceRows.ReadAsync(source, Blocks);
    }

    public async Task DisposeAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    [Fact]
    public async Task ReadAsync_WhenAllWorks_UsesOnlyTheFirst()
    {
        await using var source = Failover(_first, _second);

        _expected.AssertEqual(await SourceRows.ReadAsync(source, Blocks));
        Assert.Equal(Blocks.End, await source.GetHeadAsync(finalized: false, CancellationToken.None));

        Assert.Equal(0, _second.Answers.RequestCount);
    }

    [Theory]
    [InlineData(DevChainFault.ServerError)]
    [InlineData(DevChainFault.NotJson)]
    [InlineData(DevChainFault.NullBlock)]
    [InlineData(DevChainFault.ReceiptsOfAnotherFork)]
    internal async Task ReadAsync_WhenTheFirstFailsOnTheWay_GoesOnWithTheNext(DevChainFault fault)
    {
        await using var source = Failover(_first, _second);
        var read = new List<BlockLink>();

        await foreach (var batch in source.ReadAsync(Blocks, CancellationToken.None))
        {
            using (batch)
            {
                read.AddRange(batch.Blocks);
                _first.Answers.Faults = Always(fault);
            }
        }

        Assert.Equal(_expected.Blocks, read);
        Assert.True(_second.Answers.RequestCount > 0);
        Assert.Single(_log.Entries, entry => entry.Event == "ProviderFailed");
    }

    [Fact]
    public async Task ReadAsync_WhenBothFailByTurns_GivesTheChainsRows()
    {
        await using var source = Failover(_first, _second);
        var faults = new Random(4);
        var chances = Enumerable.Range(0, 40).Select(_ => faults.Next(2)).ToArray();
        var turn = 0;
        var read = new List<BlockLink>();

        await foreach (var batch in source.ReadAsync(Blocks, CancellationToken.None))
        {
            using (batch)
            {
                read.AddRange(batch.Blocks);
                var isFirst = chances[turn++ % chances.Length] == 0;
                _first.Answers.Faults = isFirst ? Always(DevChainFault.ServerError) : null;
                _second.Answers.Faults = isFirst ? null : Always(DevChainFault.ConnectionReset);
                _time.Advance(TimeSpan.FromSeconds(40));
            }
        }

        Assert.Equal(_expected.Blocks, read);
    }

    [Fact]
    public async Task ReadAsync_WhenTheFirstWorksAgain_ComesBackToItAfterItsRest()
    {
        _first.Answers.Faults = Always(DevChainFault.ServerError);
        await using var source = Failover(_first, _second);
        var range = new BlockRange(0, 99);

        await SourceRows.ReadAsync(source, range);
        _first.Answers.Faults = null;
        var requests = _first.Answers.RequestCount;
        await SourceRows.ReadAsync(source, range);
        Assert.Equal(requests, _first.Answers.RequestCount);

        _time.Advance(FailoverBlockSource.DefaultRest);
        var before = _second.Answers.RequestCount;
        await SourceRows.ReadAsync(source, range);
        Assert.Equal(before, _second.Answers.RequestCount);
    }

    [Fact]
    public async Task ReadAsync_WhenTheFirstWorksAgainMeanwhile_ComesBackWithinTheReading()
    {
        _first.Answers.Faults = Always(DevChainFault.ServerError);
        await using var source = Failover(_first, _second);
        var read = new List<BlockLink>();
        var isBack = () => _log.Entries.Any(entry => entry.Event == "ProviderReturned");

        await foreach (var batch in source.ReadAsync(Blocks, CancellationToken.None))
        {
            using (batch)
            {
                read.AddRange(batch.Blocks);
                if (_first.Answers.Faults is not null)
                {
                    _first.Answers.Faults = null;
                    _time.Advance(FailoverBlockSource.DefaultRest);
                }
                else if (!isBack())
                {
                    // Time for the question to be answered.
                    var asked = _first.Answers.RequestCount;
                    await Task.WhenAny(Task.Delay(200), Eventually.TrueAsync(() => _first.Answers.RequestCount > asked, "the question"));
                }
            }
        }

        Assert.Equal(_expected.Blocks, read);
        Assert.True(isBack());
    }

    [Fact]
    public async Task ReadAsync_WhenTheNextIsOnAnotherFork_DoesNotMixThem()
    {
        await using var fork = await DevChain.StartAsync(Options with { Seed = 2 });
        await using var source = Failover(_first, fork);
        var read = new List<BlockLink>();

        var error = await Assert.ThrowsAsync<AmpException>(async () =>
        {
            await foreach (var batch in source.ReadAsync(Blocks, CancellationToken.None))
            {
                using (batch)
                {
                    read.AddRange(batch.Blocks);
                    _first.Answers.Faults = Always(DevChainFault.ServerError);
                }
            }
        });

        Assert.Equal("ChainReorganized", error.ErrorCode);
        Assert.True(error.IsTransient);
        Assert.Contains("first: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("different forks", error.Message, StringComparison.Ordinal);
        Assert.Equal(_expected.Blocks.Take(read.Count), read);
        Assert.InRange(read.Count, 1, (int)Blocks.Count - 1);
    }

    [Fact]
    public async Task ReadAsync_WhenTheNextIsOnAnotherFork_UsesTheOneAfterIt()
    {
        await using var fork = await DevChain.StartAsync(Options with { Seed = 2 });
        await using var source = Failover(_first, fork, _second);
        var read = new List<BlockLink>();

        await foreach (var batch in source.ReadAsync(Blocks, CancellationToken.None))
        {
            using (batch)
            {
                read.AddRange(batch.Blocks);
                _first.Answers.Faults = Always(DevChainFault.ServerError);
            }
        }

        Assert.Equal(_expected.Blocks, read);
    }

    [Fact]
    public async Task ReadAsync_WhenAllFail_ListsEachReason()
    {
        _first.Answers.Faults = Always(DevChainFault.ServerError);
        _second.Answers.Faults = Always(DevChainFault.CallError);
        await using var source = Failover(_first, _second);

        var error = await Assert.ThrowsAsync<AmpException>(() => SourceRows.ReadAsync(source, Blocks));

        Assert.Equal("AllProvidersFailed", error.ErrorCode);
        Assert.True(error.IsTransient);
        Assert.Contains("first: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("HTTP status 5", error.Message, StringComparison.Ordinal);
        Assert.Contains("second: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("header not found", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, Assert.IsType<AggregateException>(error.InnerException).InnerExceptions.Count);
    }

    [Fact]
    public async Task ReadAsync_WhenABlockIsGoneWhileOthersAreDown_SaysThatItIsGone()
    {
        _first.Answers.Faults = Always(DevChainFault.ServerError);
        _second.Answers.Faults = Always(DevChainFault.NullBlock);
        await using var source = Failover(_first, _second);

        var error = await Assert.ThrowsAsync<AmpException>(() => SourceRows.ReadAsync(source, Blocks));

        Assert.Equal("BlockNotFound", error.ErrorCode);
        Assert.True(error.IsTransient);
        Assert.Contains("HTTP status 5", error.Message, StringComparison.Ordinal);
        Assert.Contains("the node does not have it", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GetLinkAsync_WhenTheFirstLagsOrIsDown_AsksTheNext()
    {
        await using var lagging = await DevChain.StartAsync(Options with { BlockCount = 10 });
        await using var source = Failover(lagging, _first, _second);

        Assert.Equal(_expected.Blocks[300], await source.GetLinkAsync(300, CancellationToken.None));
        Assert.Null(await source.GetLinkAsync(Blocks.End + 1, CancellationToken.None));
        lagging.Answers.Faults = Always(DevChainFault.ServerError);
        Assert.Equal(_expected.Blocks[5], await source.GetLinkAsync(5, CancellationToken.None));
        _first.Answers.Faults = Always(DevChainFault.ServerError);
        _second.Answers.Faults = Always(DevChainFault.ServerError);
        Assert.Equal("RpcHttpError", (await Assert.ThrowsAsync<AmpException>(() => source.GetLinkAsync(5, CancellationToken.None))).ErrorCode);
    }

    [Fact]
    public async Task ReadAsync_OfOneThatFails_GivesItsOwnError()
    {
        _first.Answers.Faults = Always(DevChainFault.ServerError);
        await using var source = Failover(_first);

        await Assert.ThrowsAsync<RpcException>(() => SourceRows.ReadAsync(source, Blocks));
        await Assert.ThrowsAsync<RpcException>(() => source.GetHeadAsync(finalized: false, CancellationToken.None));
    }

    [Fact]
    public async Task ReadAsync_WhenOneServesAnotherChain_LeavesItOutWithAWarning()
    {
        await using var other = await DevChain.StartAsync(Options with { ChainId = 99 });
        await using var source = Failover(_first, other, _second);
        var read = new List<BlockLink>();

        await foreach (var batch in source.ReadAsync(Blocks, CancellationToken.None))
        {
            using (batch)
            {
                read.AddRange(batch.Blocks);
                _first.Answers.Faults = Always(DevChainFault.ServerError);
            }
        }

        Assert.Equal(_expected.Blocks, read);
        Assert.Contains("99", Assert.Single(_log.Entries, entry => entry.Event == "ProviderLeftOut").Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GetHeadAsync_WhenNoneServesTheRightChain_SaysSo()
    {
        var wrong = new AmpException("ProviderWrongNetwork", AmpErrorKind.InvalidInput, "Wrong.");
        await using var source = new FailoverBlockSource(
            "mainnet",
            [
                new FailoverCandidate("first", Source(_first), _ => throw wrong),
                new FailoverCandidate("second", Source(_second), _ => throw wrong),
            ],
            FailoverBlockSource.DefaultRest, _time, _log);

        for (var i = 0; i < 2; i++)
        {
            var error = await Assert.ThrowsAsync<AmpException>(() => source.GetHeadAsync(finalized: false, CancellationToken.None));

            Assert.Equal("ProviderWrongNetwork", error.ErrorCode);
            Assert.Equal(AmpErrorKind.InvalidInput, error.Kind);
            Assert.False(error.IsTransient);
        }
    }

    [Fact]
    public async Task OpenAll_OfProvidersOfANetwork_UsesTheFirstThatServesIt()
    {
        await using var mainnet = await DevChain.StartAsync(Options with { ChainId = 1 });
        ProviderConfig[] providers =
        [
            Provider("down", "http://127.0.0.1:9/"),
            Provider("wrong", _first.Url.ToString()),
            Provider("right", mainnet.Url.ToString()),
        ];
        await using var source = ProviderSource.OpenAll(providers, EvmTables.All, 1 << 20, TimeProvider.System, NullLoggerFactory.Instance);
        await using var wrong = ProviderSource.OpenAll(providers[1..2], EvmTables.All, 1 << 20, TimeProvider.System, NullLoggerFactory.Instance);

        Assert.Equal(Blocks.End, await source.GetHeadAsync(finalized: false, CancellationToken.None));
        Assert.Equal(100, (await SourceRows.ReadAsync(source, new BlockRange(0, 99))).Blocks.Count);
        var error = await Assert.ThrowsAsync<AmpException>(() => wrong.GetHeadAsync(finalized: false, CancellationToken.None));
        Assert.Equal("ProviderWrongNetwork", error.ErrorCode);

        static ProviderConfig Provider(string name, string url) =>
            new() { Name = name, Kind = "evm-rpc", Network = "mainnet", Url = Secret.ForUrl(url), ConcurrentRequestLimit = 8 };
    }

    [Fact]
    public async Task ReadAsync_ByTwoReadersAtOnce_GivesEachItsBlocks()
    {
        _first.Answers.Faults = DevChainFaults.Of(0.2, DevChainFault.ServerError, DevChainFault.NullBlock) with { MostPerCall = 100 };
        await using var source = Failover(_first, _second);

        var both = await Task.WhenAll(
            SourceRows.ReadAsync(source, new BlockRange(0, 199)), SourceRows.ReadAsync(source, new BlockRange(200, 399)));

        Assert.Equal(_expected.Blocks, both.SelectMany(rows => rows.Blocks));
    }

    [Fact]
    public async Task ReadAsync_WhenCancelled_EndsWithoutTryingTheNext()
    {
        using var cancel = new CancellationTokenSource();
        _first.Answers.Faults = Always(DevChainFault.Hang);
        await using var source = Failover(_first, _second);

        var reading = SourceRows.ReadAsync(source, Blocks, cancel.Token);
        await Eventually.TrueAsync(() => _first.Answers.RequestCount > 0, "a request");
        cancel.Cancel();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        Assert.Equal(0, _second.Answers.RequestCount);
    }

    private static DevChainFaults Always(DevChainFault fault) => DevChainFaults.Of(1, fault) with { MostPerCall = int.MaxValue };

    private FailoverBlockSource Failover(params DevChain[] chains)
    {
        string[] names = ["first", "second", "third"];
        return new FailoverBlockSource(
            "dev",
            [
                .. chains.Select((chain, i) =>
                {
                    var source = Source(chain);
                    return new FailoverCandidate(names[i], source, source.GetChainIdAsync);
                }),
            ],
            FailoverBlockSource.DefaultRest, _time, _log);
    }

    private static EvmRpcBlockSource Source(DevChain chain) => new(
        new EvmRpcOptions
        {
            Url = chain.Url,
            ConcurrentRequestLimit = 8,
            MemoryBudget = 1 << 20,
            Retry = new RpcRetryPolicy { MaxAttempts = 2, FirstDelay = TimeSpan.FromMilliseconds(1), MaxDelay = TimeSpan.FromMilliseconds(5) },
        },
        TimeProvider.System,
        NullLogger<EvmRpcBlockSource>.Instance);
}
