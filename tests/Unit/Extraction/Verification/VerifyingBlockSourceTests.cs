using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Amp.Extraction.DevChains;
using Amp.Extraction.EvmRpc;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Extraction.Verification;

public sealed class VerifyingBlockSourceTests
{
    private static readonly RpcRetryPolicy Retry = new() { MaxAttempts = 3, FirstDelay = TimeSpan.FromMilliseconds(1) };

    [Fact]
    public async Task ReadAsync_OfTrueBlocks_HandsOnEveryBatchOnce()
    {
        var inner = new Source(Generate(12));
        await using var source = new VerifyingBlockSource(inner, Retry, TimeProvider.System, new RecordingLogger());

        var numbers = await ReadAsync(source, new BlockRange(2, 9));

        Assert.Equal([2, 3, 4, 5, 6, 7, 8, 9], numbers);
        Assert.Equal(0, inner.BatchesOut);
    }

    [Fact]
    public async Task ReadAsync_WhenABlockIsWrongOnce_ReadsItAgain()
    {
        var inner = new Source(Generate(8)) { WrongBlock = 5, TimesWrong = 1 };
        var log = new RecordingLogger();
        await using var source = new VerifyingBlockSource(inner, Retry, TimeProvider.System, log);

        var numbers = await ReadAsync(source, new BlockRange(0, 7));

        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], numbers);
        Assert.Equal([new BlockRange(0, 7), new BlockRange(5, 7)], inner.Readings);
        Assert.Contains("Block 5 was refused in attempt 1", Assert.Single(log.Entries).Message, StringComparison.Ordinal);
        Assert.Equal(0, inner.BatchesOut);
    }

    [Fact]
    public async Task ReadAsync_WhenABlockStaysWrong_HandsOnWhatIsBeforeItAndFails()
    {
        var inner = new Source(Generate(8)) { WrongBlock = 5, TimesWrong = int.MaxValue };
        await using var source = new VerifyingBlockSource(inner, Retry, TimeProvider.System, new RecordingLogger());
        var numbers = new List<ulong>();

        var error = await Assert.ThrowsAsync<AmpException>(() => ReadAsync(source, new BlockRange(0, 7), numbers));

        Assert.Equal("BlockVerificationFailed", error.ErrorCode);
        Assert.Equal(5ul, error.Target);
        Assert.Equal([0, 1, 2, 3, 4], numbers);
        Assert.Equal([new BlockRange(0, 7), new BlockRange(5, 7), new BlockRange(5, 7)], inner.Readings);
        Assert.Equal(0, inner.BatchesOut);
    }

    [Fact]
    public async Task ReadAsync_WhenWhatIsReadAgainIsOfAnotherFork_SaysThatTheChainWasReorganized()
    {
        var inner = new Source(Generate(8)) { WrongBlock = 5, TimesWrong = 1, ChainOfSecondReading = Generate(8, seed: 2) };
        await using var source = new VerifyingBlockSource(inner, Retry, TimeProvider.System, new RecordingLogger());

        var error = await Assert.ThrowsAsync<AmpException>(() => ReadAsync(source, new BlockRange(0, 7)));

        Assert.Equal("ChainReorganized", error.ErrorCode);
        Assert.Equal(0, inner.BatchesOut);
    }

    [Fact]
    public async Task ReadAsync_WhenTheReaderStops_EndsTheReadingAndHandsItsBatchesBack()
    {
        var inner = new Source(Generate(12));
        await using var source = new VerifyingBlockSource(inner, Retry, TimeProvider.System, new RecordingLogger());

        await foreach (var batch in source.ReadAsync(new BlockRange(0, 11), CancellationToken.None))
        {
            using (batch)
            {
                if (batch.Blocks[0].Number == 3)
                {
                    break;
                }
            }
        }

        Assert.Equal(0, inner.BatchesOut);
        Assert.Equal(0, inner.ReadingsOpen);
    }

    [Fact]
    public async Task ReadAsync_FromAChainWhoseReceiptsLie_FailsNamingTheBlock()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 30 });
        await using var liar = new LyingChain(chain.Url, (method, result) =>
        {
            var log = method == "eth_getBlockReceipts" ? result.AsArray().SelectMany(r => r!["logs"]!.AsArray()).FirstOrDefault() : null;
            if (log?["blockNumber"]!.GetValue<string>() != "0x11")
            {
                return false;
            }

            log["data"] = "0x";
            return true;
        });
        await using var source = new VerifyingBlockSource(
            new EvmRpcBlockSource(new EvmRpcOptions { Url = liar.Url }, TimeProvider.System, NullLogger<EvmRpcBlockSource>.Instance),
            Retry, TimeProvider.System, new RecordingLogger());

        var error = await Assert.ThrowsAsync<AmpException>(() => ReadAsync(source, new BlockRange(0, 29)));

        Assert.Contains("Block 17 failed verification: receipt_root is 0x", error.Message, StringComparison.Ordinal);
        Assert.True(liar.Lies >= 3);
    }

    private static List<(byte[] Block, byte[] Receipts)> Generate(int count, ulong seed = 1) =>
        [.. Batches.Generate(new DevChainOptions { Seed = seed, TransactionsPerBlock = 3 }, count)];

    private static Task<List<ulong>> ReadAsync(IBlockSource source, BlockRange range) => ReadAsync(source, range, []);

    private static async Task<List<ulong>> ReadAsync(IBlockSource source, BlockRange range, List<ulong> numbers)
    {
        await foreach (var batch in source.ReadAsync(range, CancellationToken.None))
        {
            using (batch)
            {
                numbers.AddRange(batch.Blocks.Select(block => block.Number));
            }
        }

        return numbers;
    }

    /// <summary>Gives a chain's blocks one by one, some of them wrong, and counts what it gave.</summary>
    private sealed class Source(IReadOnlyList<(byte[] Block, byte[] Receipts)> chain) : IBlockSource
    {
        public List<BlockRange> Readings { get; } = [];

        public int ReadingsOpen { get; private set; }

        /// <summary>Batches given and not handed back.</summary>
        public int BatchesOut { get; private set; }

        public ulong? WrongBlock { get; init; }

        public int TimesWrong { get; set; }

        public IReadOnlyList<(byte[] Block, byte[] Receipts)>? ChainOfSecondReading { get; init; }

        public Task<ulong> GetHeadAsync(bool finalized, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<BlockLink?> GetLinkAsync(ulong number, CancellationToken cancellationToken) => throw new NotSupportedException();

        public async IAsyncEnumerable<BlockBatch> ReadAsync(BlockRange range, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            Readings.Add(range);
            ReadingsOpen++;
            try
            {
                var blocks = Readings.Count > 1 ? ChainOfSecondReading ?? chain : chain;
                for (var number = range.Start; number <= range.End; number++)
                {
                    await Task.Yield();
                    cancellationToken.ThrowIfCancellationRequested();
                    var batch = new BlockBatch(EvmTables.All, _ => BatchesOut--);
                    new EvmBlockDecoder().Decode(number, blocks[(int)number].Block, blocks[(int)number].Receipts, batch);
                    if (number == WrongBlock && TimesWrong > 0)
                    {
                        TimesWrong--;
                        Corruption.Flip(batch.Tables[0].Columns[13], 0, 1);
                    }

                    BatchesOut++;
                    yield return batch;
                }
            }
            finally
            {
                ReadingsOpen--;
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
