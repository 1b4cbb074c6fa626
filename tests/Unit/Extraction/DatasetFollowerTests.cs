using Amp.MetadataDb;
using Amp.Parquet;
using Amp.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Extraction;

/// <summary>
/// Random lives of a chain and of the worker that follows it. Whatever happened, once the chain holds still the canonical
/// segments are the chain, block for block.
/// </summary>
public sealed class DatasetFollowerTests : IDisposable
{
    private const int Lives = 600;

    // Files are flushed to disk; in memory that costs nothing.
    private readonly string _folder = Path.Combine(
        Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"amp-follower-{Guid.NewGuid():N}");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Run_ThroughRandomLives_EndsWithTheChainsOwnBlocks()
    {
        for (var seed = 1; seed <= Lives; seed++)
        {
            var life = new Life(seed, Path.Combine(_folder, $"{seed}"));

            await life.LiveAsync();

            await life.SettleAsync();
            life.AssertCanonicalIsTheChain();
        }
    }

    [Fact]
    public async Task Run_OfAFinishedRange_WritesNothing()
    {
        var life = new Life(7, Path.Combine(_folder, "again"));
        await life.SettleAsync();
        var before = life.SegmentCount;

        await life.SettleAsync();

        Assert.True(before > 0);
        Assert.Equal(before, life.SegmentCount);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Run_WithWriters_CommitsTheSameBlocks(int writers)
    {
        var life = new Life(11, Path.Combine(_folder, $"writers{writers}"));
        life.Chain.Extend(9_000);

        await life.SettleAsync(writers);

        life.AssertCanonicalIsTheChain();
        Assert.Equal(writers, life.ReadingCount);
    }

    [Fact]
    public async Task Run_WhenOneOfFourWritersFails_EndsTheOthersAndSaysWhy()
    {
        var life = new Life(12, Path.Combine(_folder, "failing"));
        life.Chain.Extend(9_000);
        var batches = 0;
        life.Chain.BeforeBatch = () =>
        {
            if (Interlocked.Increment(ref batches) == 500)
            {
                throw ModelChain.Failure("RpcUnreachable", "the node went away");
            }
        };

        var error = await Assert.ThrowsAsync<AmpException>(() => life.SettleAsync(writers: 4));

        Assert.Equal("RpcUnreachable", error.ErrorCode);
        Assert.Equal(0, life.WritersAtWork);
    }

    /// <summary>One seeded life.</summary>
    private sealed class Life : ISegmentLedger
    {
        private readonly Random _random;
        private readonly SegmentStore _store;
        private readonly List<Segment> _segments = [];
        private readonly Lock _gate = new();
        private readonly string _what;
        private readonly IReadOnlyList<TargetTable> _tables = [new(0, ModelChain.Table, 1, "model/blocks/1")];
        private long _nextFileId;
        private int _writersAtWork;
        private int _readingCount;

        public Life(int seed, string folder)
        {
            _what = $"life {seed}";
            _random = new Random(seed);
            _store = new SegmentStore(folder);
            Chain = new ModelChain(_random);
            Chain.Extend(_random.Next(1, 30));
        }

        public ModelChain Chain { get; }

        public int SegmentCount => _segments.Count;

        public int ReadingCount => _readingCount;

        public int WritersAtWork => _writersAtWork;

        /// <summary>Some time in which everything happens, while the follower runs, is killed and runs again.</summary>
        public async Task LiveAsync()
        {
            for (var step = _random.Next(4, 12); step > 0; step--)
            {
                using var kill = new CancellationTokenSource();
                var batchesUntilKill = _random.Next(1, 12);
                Chain.BeforeBatch = () =>
                {
                    Happen();
                    if (--batchesUntilKill == 0)
                    {
                        kill.Cancel();
                    }
                };
                try
                {
                    Happen();
                    // A range without end has none, and one whose end a reorg took away waits for it.
                    kill.CancelAfter(20);
                    var end = _random.Next(3) == 0 ? (ulong?)null : Chain.Head;
                    await RunAsync(new JobRange(0, end), writers: 1, kill.Token);
                }
                catch (Exception e) when (e is OperationCanceledException or AmpException { IsTransient: true })
                {
                    // Killed, or a failure that a retry may cure: the next step is the retry.
                }
            }

            Chain.BeforeBatch = () => { };
        }

        /// <summary>The chain holds still; a bounded run brings the tables there.</summary>
        public async Task SettleAsync(int writers = 1)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            try
            {
                await RunAsync(new JobRange(0, Chain.Head), writers, limit.Token);
            }
            catch (OperationCanceledException) when (limit.IsCancellationRequested)
            {
                Assert.Fail($"{_what} never settled: head {Chain.Head}, segments {string.Join(", ", _segments.Select(s => $"{s.Start}-{s.End}"))}");
            }
        }

        public void AssertCanonicalIsTheChain()
        {
            var canonical = CanonicalChain.Build(_segments).Canonical;
            Assert.True(canonical.Count > 0, _what);
            Assert.Equal((_what, 0UL), (_what, canonical[0].Start));
            Assert.Equal((_what, Chain.Head), (_what, canonical[^1].End));
            var next = 0UL;
            var hash = new byte[32];
            foreach (var segment in canonical)
            {
                Assert.Equal((_what, next), (_what, segment.Start));
                var file = File.ReadAllBytes(Path.Combine(_store.Root, "model/blocks/1", segment.FileName)).AsSpan();
                for (; next <= segment.End; next++)
                {
                    Chain[next].Hash.CopyTo(hash);
                    Assert.True(file.IndexOf(hash) >= 0, $"{_what}: {segment.FileName} does not hold block {next}");
                }

                Assert.Equal(Chain[segment.End].Hash.ToString(), segment.Hash);
            }
        }

        public Task<ILookup<long, Segment>> ReadAsync(IReadOnlyCollection<long> locationIds, CancellationToken cancellationToken)
        {
            lock (_gate)
            {
                return Task.FromResult(_segments.ToList().ToLookup(_ => 1L));
            }
        }

        public Task CommitAsync(IReadOnlyList<NewFile> newFiles, CancellationToken cancellationToken)
        {
            lock (_gate)
            {
                foreach (var file in newFiles)
                {
                    var meta = ParquetMeta.Parse(file.MetadataJson);
                    var range = meta.Ranges[0];
                    _segments.Add(new Segment(
                        _nextFileId++, file.FileName, range.Start, range.End, range.Network, range.Hash, range.PrevHash, meta.CreatedAt, file.Size));
                }
            }

            return Task.CompletedTask;
        }

        public Task RetireAsync(IReadOnlyCollection<Segment> segments, CancellationToken cancellationToken)
        {
            lock (_gate)
            {
                _segments.RemoveAll(segment => segments.Any(retired => retired.FileId == segment.FileId));
            }

            return Task.CompletedTask;
        }

        private async Task RunAsync(JobRange range, int writers, CancellationToken stop)
        {
            var options = new SegmentOptions(
                new ParquetWriterOptions { Codec = ParquetCodec.Uncompressed, SortingColumns = [] },
                MaxSegmentBytes: writers > 1 ? 100_000 : _random.Next(1, 2_000),
                FlushInterval: TimeSpan.FromMilliseconds(_random.Next(0, 10)));
            var follower = new DatasetFollower(
                new Counting(this),
                _tables,
                this,
                commit => new DatasetExtractor("model", new Counting(this), _store, options, commit, TimeProvider.System, NullLogger.Instance),
                new FollowOptions(TimeSpan.FromMilliseconds(1), TimeSpan.Zero, FinalizedBlocksOnly: false, writers),
                TimeProvider.System,
                NullLogger.Instance);
            await follower.RunAsync(range, stop);
        }

        /// <summary>Something that happens to the chain or its node, or nothing.</summary>
        private void Happen()
        {
            switch (_random.Next(12))
            {
                case 0:
                    Chain.Extend(_random.Next(1, 20));
                    break;
                case 1:
                    Chain.Reorganize(_random.Next(1, 12), _random.Next(0, 14));
                    break;
                case 2:
                    Chain.Reorganize(_random.Next(1, 60), _random.Next(0, 70));
                    break;
                case 3:
                    throw ModelChain.Failure("RpcHttpError", "the node has a bad moment");
            }
        }

        /// <summary>Counts the readings that are under way.</summary>
        private sealed class Counting(Life life) : IBlockSource
        {
            public Task<ulong> GetHeadAsync(bool finalized, CancellationToken cancellationToken) => life.Chain.GetHeadAsync(finalized, cancellationToken);

            public Task<BlockLink?> GetLinkAsync(ulong number, CancellationToken cancellationToken) => life.Chain.GetLinkAsync(number, cancellationToken);

            public async IAsyncEnumerable<BlockBatch> ReadAsync(
                BlockRange range, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
            {
                Interlocked.Increment(ref life._writersAtWork);
                Interlocked.Increment(ref life._readingCount);
                try
                {
                    await foreach (var batch in life.Chain.ReadAsync(range, cancellationToken))
                    {
                        yield return batch;
                    }
                }
                finally
                {
                    Interlocked.Decrement(ref life._writersAtWork);
                }
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
