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
        Assert.Equal(0, chain.TotalSize);
    }

    [Fact]
    public void Build_WithAGap_EndsBeforeIt()
    {
        var chain = CanonicalChain.Build([Segment(0, 9), Segment(20, 29), Segment(10, 14)]);

        Assert.Equal(new BlockRange(0, 14), chain.Range);
        Assert.Equal([20UL], chain.Orphaned.Select(s => s.Start));
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
    public void Build_OfOtherNetworks_DoesNotLinkThem()
    {
        var chain = CanonicalChain.Build([Segment(0, 9), Segment(10, 19) with { Network = "sepolia" }]);

        Assert.Equal(new BlockRange(0, 9), chain.Range);
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
            Assert.Equal(segments.Length, chain.Canonical.Count + chain.Orphaned.Count);
            Assert.Equal(segments.Min(s => s.Start), chain.Range!.Value.Start);
            Assert.All(chain.Canonical.Zip(chain.Canonical.Skip(1)), pair => Assert.True(pair.First.IsFollowedBy(pair.Second)));
        }
    }

    private Segment Segment(ulong start, ulong end) => new(
        ++_clock, $"{start:d9}.parquet", start, end, "mainnet", TestData.Hash(end),
        start == 0 ? TestData.Hash(0, 999) : TestData.Hash(start - 1), Epoch.AddSeconds(_clock), 100);
}
