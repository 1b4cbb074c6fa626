using System.Runtime.CompilerServices;
using Amp.Extraction.Consistency;
using Amp.Extraction.EvmRpc;
using Amp.MetadataDb;
using Amp.Parquet;
using Amp.Storage;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Extraction;

/// <summary>
/// Random lives of a chain, of the nodes that serve it and of the worker that follows it. Whatever happened, once the chain
/// holds still the canonical segments of every table are the chain, block for block.
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
        var happened = new Dictionary<string, int>();
        for (var seed = 1; seed <= Lives; seed++)
        {
            var life = new Life(seed, Path.Combine(_folder, $"{seed}"), happened);

            await life.LiveAsync();

            await life.SettleAsync();
            await life.AssertTablesAreTheChainAsync();
        }

        Assert.Equal(
            ["clock", "commit lost", "commit unanswered", "damage", "extension", "failure", "failure of a node", "kill", "lag", "low head", "reorg", "shorter chain", "writers"],
            happened.Where(what => what.Value > 30).Select(what => what.Key).Order(StringComparer.Ordinal));
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

        await life.AssertTablesAreTheChainAsync();
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
            if (++batches >= 500)
            {
                throw ModelChain.Failure("RpcUnreachable", "the node went away");
            }
        };

        var error = await Assert.ThrowsAsync<AmpException>(() => life.SettleAsync(writers: 4));

        Assert.Contains("the node went away", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, life.WritersAtWork);
    }

    [Fact]
    public async Task Run_WhenTheClockWentBack_ReplacesOrphanedSegmentsAllTheSame()
    {
        var life = new Life(13, Path.Combine(_folder, "clock"));
        life.Chain.Extend(20);
        await life.SettleAsync();
        life.Chain.Reorganize(5, 5);
        life.Time.SetUtcNow(life.Time.GetUtcNow().AddHours(-1));

        await life.SettleAsync();

        await life.AssertTablesAreTheChainAsync();
    }

    [Fact]
    public async Task Run_WhenTheHeadFallsBackForAWhile_KeepsWhatIsWritten()
    {
        var life = new Life(14, Path.Combine(_folder, "head"));
        life.Chain.Extend(50);
        await life.SettleAsync();
        var before = life.SegmentCount;
        life.Behind = 7;

        // Without end: it ends when it is killed.
        await life.FollowAsync(TimeSpan.FromMilliseconds(50));

        Assert.Equal(before, life.SegmentCount);
        await life.AssertTablesAreTheChainAsync();
    }

    /// <summary>One seeded life.</summary>
    private sealed class Life : ISegmentLedger
    {
        private readonly Random _random;
        private readonly Random _ledgerRandom;
        private readonly SegmentStore _store;
        private readonly List<(long LocationId, Segment Segment)> _rows = [];
        private readonly Lock _gate = new();
        private readonly string _what;
        private readonly Dictionary<string, int> _happened;
        private readonly IReadOnlyList<TargetTable> _tables =
            [.. ModelChain.Tables.Select((schema, i) => new TargetTable(i, schema, i + 1, $"model/{schema.Name}/1"))];

        private long _nextFileId;
        private int _writersAtWork;
        private int _readingCount;
        private bool _isSettling;
        private bool _firstNodeFails;
        private bool _secondNodeLags;

        public Life(int seed, string folder, Dictionary<string, int>? happened = null)
        {
            _what = $"life {seed}";
            _random = new Random(seed);
            _ledgerRandom = new Random(-seed);
            _store = new SegmentStore(folder);
            _happened = happened ?? [];
            Chain = new ModelChain(_random);
            Chain.Extend(_random.Next(1, 30));
        }

        public ModelChain Chain { get; }

        public ManualTimeProvider Time { get; } = new();

        /// <summary>By how many blocks the first node's head is too low.</summary>
        public int Behind { get; set; }

        public int SegmentCount => _rows.Count;

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
                        Note("kill");
                        kill.Cancel();
                    }
                };
                try
                {
                    Happen();

                    // A range without end has none, and one whose end a reorg took away waits for it.
                    kill.CancelAfter(20);
                    var end = _random.Next(3) == 0 ? (ulong?)null : Chain.Head;
                    await RunAsync(new JobRange(0, end), writers: _random.Next(1, 4), kill.Token);
                }
                catch (Exception e) when (e is OperationCanceledException or AmpException { IsTransient: true })
                {
                    // Killed, or a failure that a retry may cure: the next step is the retry.
                }
            }
        }

        /// <summary>The chain holds still and its nodes are well; a bounded run brings the tables there.</summary>
        public async Task SettleAsync(int writers = 1)
        {
            if (_happened.Count > 0)
            {
                Chain.BeforeBatch = () => { };
            }

            (_isSettling, _firstNodeFails, _secondNodeLags, Behind) = (true, false, false, 0);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            try
            {
                await RunAsync(new JobRange(0, Chain.Head), writers, limit.Token);
            }
            catch (OperationCanceledException) when (limit.IsCancellationRequested)
            {
                Assert.Fail($"{_what} never settled: head {Chain.Head}, segments {string.Join(", ", _rows.Select(r => $"{r.LocationId}:{r.Segment.Start}-{r.Segment.End}"))}");
            }
        }

        /// <summary>Follows the chain for a while.</summary>
        public async Task FollowAsync(TimeSpan duration)
        {
            using var kill = new CancellationTokenSource(duration);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(new JobRange(0, null), writers: 1, kill.Token));
        }

        public async Task AssertTablesAreTheChainAsync()
        {
            foreach (var table in _tables)
            {
                var segments = _rows.Where(row => row.LocationId == table.LocationId).Select(row => row.Segment).ToList();
                var chain = CanonicalChain.Build(segments);
                Assert.Equal((_what, new BlockRange(0, Chain.Head)), (_what, chain.Range));
                Assert.Empty(ChainProblems.Find(chain, 0));
                var next = 0UL;
                foreach (var segment in chain.Canonical)
                {
                    Assert.Equal((_what, next), (_what, segment.Start));
                    next = AssertHolds(table, segment);
                    Assert.Equal(Chain[segment.End].Hash.ToString(), segment.Hash);
                }

                // What is on disk is what rows name, and what an interrupted commit left.
                var files = await TableFiles.CompareAsync(_store, table.Path, segments.Select(s => (s.FileName, (long?)s.Size)), CancellationToken.None);
                Assert.True(files is { Temporary.Count: 0, Missing.Count: 0, WrongSize.Count: 0 }, _what);
            }
        }

        public Task<ILookup<long, Segment>> ReadAsync(IReadOnlyCollection<long> locationIds, CancellationToken cancellationToken)
        {
            lock (_gate)
            {
                return Task.FromResult(_rows.ToList().ToLookup(row => row.LocationId, row => row.Segment));
            }
        }

        public Task CommitAsync(IReadOnlyList<NewFile> newFiles, CancellationToken cancellationToken)
        {
            lock (_gate)
            {
                var fate = _isSettling ? int.MaxValue : _ledgerRandom.Next(20);
                if (fate == 0)
                {
                    Note("commit lost");
                    throw ModelChain.Failure("DatabaseUnavailable", "the commit did not arrive");
                }

                foreach (var file in newFiles)
                {
                    var meta = ParquetMeta.Parse(file.MetadataJson);
                    var range = meta.Ranges[0];
                    _rows.Add((file.LocationId, new Segment(
                        _nextFileId++, file.FileName, range.Start, range.End, range.Network, range.Hash, range.PrevHash, meta.CreatedAt, file.Size)));
                }

                if (fate == 1)
                {
                    Note("commit unanswered");
                    throw ModelChain.Failure("DatabaseUnavailable", "the answer to the commit did not arrive");
                }
            }

            return Task.CompletedTask;
        }

        public Task RetireAsync(IReadOnlyCollection<Segment> segments, CancellationToken cancellationToken)
        {
            lock (_gate)
            {
                Note("shorter chain");
                _rows.RemoveAll(row => segments.Any(retired => retired.FileId == row.Segment.FileId));
            }

            return Task.CompletedTask;
        }

        private async Task RunAsync(JobRange range, int writers, CancellationToken stop)
        {
            var options = new SegmentOptions(
                new ParquetWriterOptions { Codec = ParquetCodec.Uncompressed, SortingColumns = [] },
                MaxSegmentBytes: _isSettling && writers > 1 ? 100_000 : _random.Next(1, 2_000),
                FlushInterval: TimeSpan.FromMilliseconds(_random.Next(0, 10)));
            var clock = new SegmentClock(Time);
            await using var nodes = new FailoverBlockSource(
                "model",
                [
                    new FailoverCandidate("first", new Watched(this, Chain.Node(() => false, () => Behind), () => _firstNodeFails), _ => Task.FromResult(1ul)),
                    new FailoverCandidate("second", new Watched(this, Chain.Node(() => _secondNodeLags, () => 0), () => false), _ => Task.FromResult(1ul)),
                ],
                TimeSpan.FromMilliseconds(5), TimeProvider.System, NullLogger.Instance);
            var follower = new DatasetFollower(
                nodes,
                _tables,
                this,
                commit => new DatasetExtractor("model", nodes, _store, options, commit, clock, TimeProvider.System, NullLogger.Instance),
                new FollowOptions(TimeSpan.FromMilliseconds(1), TimeSpan.Zero, FinalizedBlocksOnly: false, writers)
                {
                    LagPatience = TimeSpan.FromMilliseconds(5),
                    MinBlocksPerWriter = _isSettling ? 2_000ul : 4,
                },
                clock,
                TimeProvider.System,
                NullLogger.Instance);
            await follower.RunAsync(range, stop);
        }

        /// <summary>Something that happens to the chain, its nodes or the tables, or nothing.</summary>
        private void Happen()
        {
            switch (_random.Next(24))
            {
                case 0 or 1:
                    Note("extension");
                    Chain.Extend(_random.Next(1, 20));
                    break;
                case 2 or 3:
                    Note("reorg");
                    Chain.Reorganize(_random.Next(1, 12), _random.Next(0, 14));
                    break;
                case 4 or 5:
                    Note("reorg");
                    Chain.Reorganize(_random.Next(1, 60), _random.Next(0, 70));
                    break;
                case 6:
                    Note("failure");
                    throw ModelChain.Failure("RpcHttpError", "both nodes have a bad moment");
                case 7 or 8:
                    Note("failure of a node");
                    _firstNodeFails = !_firstNodeFails;
                    break;
                case 9:
                    Note("lag");
                    _secondNodeLags = !_secondNodeLags;
                    break;
                case 10:
                    LoseARow();
                    break;
                case 11:
                    Note("low head");
                    Behind = _random.Next(0, 4);
                    break;
                case 12:
                    Note("clock");
                    Time.SetUtcNow(Time.GetUtcNow().AddSeconds(_random.Next(-100, 100)));
                    break;
            }
        }

        /// <summary>One table lacks blocks that the other has.</summary>
        private void LoseARow()
        {
            lock (_gate)
            {
                if (_rows.Count > 0)
                {
                    Note("damage");
                    _rows.RemoveAt(_random.Next(_rows.Count));
                }
            }
        }

        private ulong AssertHolds(TargetTable table, Segment segment)
        {
            var hash = new byte[32];
            var file = File.ReadAllBytes(Path.Combine(_store.Root, table.Path, segment.FileName)).AsSpan();
            for (var number = segment.Start; number <= segment.End; number++)
            {
                Chain[number].Hash.CopyTo(hash);
                Assert.True(file.IndexOf(hash) >= 0, $"{_what}: {table.Schema.Name} {segment.FileName} does not hold block {number}");
            }

            return segment.End + 1;
        }

        private void Note(string what)
        {
            lock (_happened)
            {
                _happened[what] = _happened.GetValueOrDefault(what) + 1;
            }
        }

        /// <summary>Counts the readings that are under way, and lets a node fail.</summary>
        private sealed class Watched(Life life, IBlockSource node, Func<bool> fails) : IBlockSource
        {
            public Task<ulong> GetHeadAsync(bool finalized, CancellationToken cancellationToken) =>
                fails() ? throw Down() : node.GetHeadAsync(finalized, cancellationToken);

            public Task<BlockLink?> GetLinkAsync(ulong number, CancellationToken cancellationToken) =>
                fails() ? throw Down() : node.GetLinkAsync(number, cancellationToken);

            public async IAsyncEnumerable<BlockBatch> ReadAsync(BlockRange range, [EnumeratorCancellation] CancellationToken cancellationToken)
            {
                if (Interlocked.Increment(ref life._writersAtWork) > 1)
                {
                    life.Note("writers");
                }

                Interlocked.Increment(ref life._readingCount);
                try
                {
                    await foreach (var batch in node.ReadAsync(range, cancellationToken))
                    {
                        if (fails())
                        {
                            batch.Dispose();
                            throw Down();
                        }

                        yield return batch;
                    }
                }
                finally
                {
                    Interlocked.Decrement(ref life._writersAtWork);
                }
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;

            private static AmpException Down() => ModelChain.Failure("RpcUnreachable", "the node is down");
        }
    }
}
