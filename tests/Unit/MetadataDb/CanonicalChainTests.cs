using Amp.Extraction;

namespace Amp.MetadataDb;

public sealed class CanonicalChainTests
{
    private static readonly DateTimeOffset Epoch = DateTimeOffset.UnixEpoch;
    private int _clock;

    [Fact]
    public void Build_OfNothing_IsEmpty()
    {
        var chain = CanonicalChain.Build([]);

        Assert.Null(chain.Range);
        Assert.Equal([new BlockRange(5, 9)], chain.MissingRanges(new BlockRange(5, 9)));
    }

    [Fact]
    public void Build_WithAGap_EndsBeforeIt()
    {
        var chain = CanonicalChain.Build([Segment(0, 9), Segment(20, 29), Segment(10, 14)]);

        Assert.Equal(new BlockRange(0, 14), chain.Range);
        Assert.Equal([20UL], chain.Orphaned.Select(s => s.Start));
        Assert.Empty(chain.Fork);
        Assert.Equal([new BlockRange(15, 19), new BlockRange(30, 40)], chain.MissingRanges(new BlockRange(0, 40)));
    }

    [Fact]
    public void Build_WithTwoOfOneRange_TakesTheNewer()
    {
        var (old, compacted) = (Segment(10, 19), Segment(10, 19));

        var chain = CanonicalChain.Build([compacted, Segment(0, 9), old]);

        Assert.Same(compacted, chain.Canonical[1]);
        Assert.Equal([old], chain.Orphaned);
    }

    [Fact]
    public void Build_AfterAReorg_FindsTheForkAndWhatToFetchAgain()
    {
        // 00-02 missing, canonical 03-14, fork 09'-17': the segment before the fork has to be fetched again.
        Segment[] segments =
        [
            Segment(3, 5), Segment(6, 8), Segment(9, 11), Segment(12, 14),
            Fork(9, 11, 8), Fork(12, 14, 11), Fork(15, 17, 14),
        ];

        var chain = CanonicalChain.Build(segments);

        Assert.Equal(new BlockRange(3, 14), chain.Range);
        Assert.Equal([9UL, 12, 15], chain.Fork.Select(s => s.Start));
        Assert.Equal([new BlockRange(0, 2), new BlockRange(6, 8), new BlockRange(18, 20)], chain.MissingRanges(new BlockRange(0, 20)));

        Segment Fork(ulong start, ulong end, ulong before) => Segment(start, end) with
        {
            Hash = TestData.Hash(end, 1),
            PrevHash = TestData.Hash(before, 1),
        };
    }

    [Fact]
    public void Build_OfOtherNetworks_DoesNotLinkThem()
    {
        var chain = CanonicalChain.Build([Segment(0, 9), Segment(10, 19) with { Network = "sepolia" }]);

        Assert.Equal(new BlockRange(0, 9), chain.Range);
    }

    /// <summary>
    /// A random chain with random reorgs is extracted in random pieces by fetching what is missing: after each reorg the
    /// canonical chain becomes the chain again, whatever order the segments come in.
    /// </summary>
    [Fact]
    public void Extraction_ThroughRandomReorgs_ConvergesToTheChain()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var chain = new List<string>();
            var segments = new List<Segment>();
            var branch = 0;
            for (var step = 0; step < 8; step++)
            {
                if (chain.Count > 0 && random.Next(2) == 0)
                {
                    branch++;
                    var removed = random.Next(1, Math.Min(chain.Count, 8) + 1);
                    chain.RemoveRange(chain.Count - removed, removed);
                    Grow(removed + 1);
                }

                Grow(random.Next(1, 8));
                for (var i = 0; i < 50 && !IsWhole(); i++)
                {
                    ExtractOnce();
                }

                Assert.True(IsWhole(), $"seed {seed}, step {step}");
            }

            void Grow(int count)
            {
                for (var i = 0; i < count; i++)
                {
                    chain.Add(TestData.Hash((ulong)chain.Count, branch));
                }
            }

            // As extraction does it: each missing range is cut at random; a block that does not link shows up by its hash.
            void ExtractOnce()
            {
                var state = CanonicalChain.Build(segments.OrderBy(_ => random.Next()));
                foreach (var range in state.MissingRanges(new BlockRange(0, (ulong)chain.Count - 1)))
                {
                    for (var start = range.Start; start <= range.End;)
                    {
                        var end = Math.Min(range.End, start + (ulong)random.Next(0, 5));
                        segments.Add(Of(start, end));
                        start = end + 1;
                    }
                }

                // Nothing is missing but the head is not ours: the reorg went no higher than our chain. The chain grows and shows it.
                if (!IsWhole() && CanonicalChain.Build(segments).MissingRanges(new BlockRange(0, (ulong)chain.Count - 1)).Count == 0)
                {
                    Grow(1);
                }
            }

            Segment Of(ulong start, ulong end) => Segment(start, end) with
            {
                Hash = chain[(int)end],
                PrevHash = start == 0 ? TestData.Hash(0, 999) : chain[(int)start - 1],
            };

            bool IsWhole()
            {
                var canonical = CanonicalChain.Build(segments.OrderBy(_ => random.Next())).Canonical;
                return canonical.Count > 0 && canonical[0].Start == 0 && canonical[^1].End == (ulong)chain.Count - 1
                    && canonical.All(s => s.Hash == chain[(int)s.End])
                    && canonical.Zip(canonical.Skip(1)).All(pair => pair.First.End + 1 == pair.Second.Start);
            }
        }
    }

    [Fact]
    public void Build_OfRandomSegments_KeepsItsInvariants()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            var random = new Random(seed);
            var segments = Enumerable.Range(0, random.Next(1, 30)).Select(_ =>
            {
                var start = (ulong)random.Next(0, 20);
                var end = start + (ulong)random.Next(0, 6);
                return Segment(start, end) with
                {
                    Hash = TestData.Hash(end, random.Next(2)),
                    PrevHash = start == 0 ? TestData.Hash(0, 999) : TestData.Hash(start - 1, random.Next(2)),
                };
            }).ToArray();

            var chain = CanonicalChain.Build(segments);
            random.Shuffle(segments);
            var again = CanonicalChain.Build(segments);

            Assert.Equal(chain.Canonical, again.Canonical);
            Assert.Equal(chain.Fork, again.Fork);
            Assert.Equal(segments.Length, chain.Canonical.Count + chain.Orphaned.Count);
            Assert.Equal(segments.Min(s => s.Start), chain.Range!.Value.Start);
            Assert.All(chain.Canonical.Zip(chain.Canonical.Skip(1)), pair => Assert.True(pair.First.IsFollowedBy(pair.Second)));
            Assert.All(chain.Fork.Zip(chain.Fork.Skip(1)), pair => Assert.True(pair.First.IsFollowedBy(pair.Second)));
            if (chain.Fork.Count > 0)
            {
                Assert.True(chain.Fork[^1].End > chain.Range!.Value.End && chain.Fork[0].Start <= chain.Range!.Value.End + 1);
            }

            var desired = new BlockRange((ulong)random.Next(0, 10), 10UL + (ulong)random.Next(0, 20));
            var missing = chain.MissingRanges(desired);
            for (var block = desired.Start; block <= desired.End; block++)
            {
                var covered = segments.Any(s => s.Start <= block && block <= s.End);
                Assert.True(covered || missing.Any(r => r.Start <= block && block <= r.End), $"seed {seed}: block {block} is lost");
            }

            Assert.All(missing, r => Assert.True(r.Start >= desired.Start && r.End <= desired.End && r.Start <= r.End));
            Assert.All(missing.Zip(missing.Skip(1)), pair => Assert.True(pair.First.End + 1 < pair.Second.Start));
        }
    }

    private Segment Segment(ulong start, ulong end) => new(
        ++_clock, $"{start:d9}.parquet", start, end, "mainnet", TestData.Hash(end),
        start == 0 ? TestData.Hash(0, 999) : TestData.Hash(start - 1), Epoch.AddSeconds(_clock), 100);
}
