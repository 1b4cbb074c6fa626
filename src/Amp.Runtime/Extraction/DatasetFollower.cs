using Amp.MetadataDb;
using Microsoft.Extensions.Logging;

namespace Amp.Extraction;

/// <summary>Where the follower reads and changes what is committed.</summary>
internal interface ISegmentLedger
{
    /// <summary>The committed segments of tables, by location id.</summary>
    Task<ILookup<long, Segment>> ReadAsync(IReadOnlyCollection<long> locationIds, CancellationToken cancellationToken);

    /// <summary>Makes a segment's files part of their tables.</summary>
    Task CommitAsync(IReadOnlyList<NewFile> newFiles, CancellationToken cancellationToken);

    /// <summary>Takes segments that a reorg orphaned out of their tables.</summary>
    Task RetireAsync(IReadOnlyCollection<Segment> segments, CancellationToken cancellationToken);
}

/// <summary>
/// Brings the tables of a dataset to where the chain is and, for a range without end, keeps them there: looks what the chain
/// has and what the tables lack, extracts that, and looks again. A reorg of any depth is nothing special: what is no
/// longer on the chain is lacking.
/// </summary>
internal sealed class DatasetFollower(
    IBlockSource source,
    IReadOnlyList<TargetTable> tables,
    ISegmentLedger ledger,
    Func<CommitSegment, DatasetExtractor> createExtractor,
    FollowOptions options,
    SegmentClock clock,
    TimeProvider time,
    ILogger logger)
{
    /// <summary>Reorgs in a row, without a committed segment in between, after which the source is not worth following.</summary>
    private const int MaxReorgsInARow = 100;

    private int _reorgsInARow;

    /// <summary>The highest block that is written and was on the chain; null before the first.</summary>
    private (ulong Number, Hash32 Hash)? _tip;

    /// <summary>Since when the source does not have the tip; null while it does.</summary>
    private long? _withoutTipSince;

    /// <summary>Whether a block did not fit to the open segment: then its last block is asked for, whatever the head is.</summary>
    private bool _isOpenInDoubt;

    /// <summary>Runs until all of <paramref name="range"/> is committed and on the chain; without end, until it is stopped.</summary>
    public async Task RunAsync(JobRange range, CancellationToken stop)
    {
        await using var extractor = createExtractor(CommitAsync);
        _tip = Tip((await ReadAsync(stop)).SelectMany(table => table));
        while (true)
        {
            try
            {
                if (await AdvanceAsync(range, extractor, stop))
                {
                    return;
                }
            }
            catch (AmpException e) when (e.ErrorCode is "ChainReorganized" or "BlockNotFound" && ++_reorgsInARow < MaxReorgsInARow)
            {
                Log.FoundReorg(logger, e.Message);
                _isOpenInDoubt = true;
                await Task.Delay(options.RetryDelay, time, stop);
            }
        }
    }

    /// <summary>What the tables lack of a range, as far as the chain has it, in rising order.</summary>
    public async Task<IReadOnlyList<MissingRange>> PlanAsync(JobRange range, CancellationToken stop) =>
        await FindHeadAsync(stop) is { } head && range.UpTo(head) is { } wanted ? await PlanAsync(wanted, head, open: null, stop) : [];

    /// <summary>One look at the chain and what follows from it; true when nothing is left to do.</summary>
    private async Task<bool> AdvanceAsync(JobRange range, DatasetExtractor extractor, CancellationToken stop)
    {
        if (await FindHeadAsync(stop) is not { } head)
        {
            await WaitAsync(extractor, stop);
            return false;
        }

        if (extractor.Open is { } open && !await IsOnChainAsync(open.Last, head, stop))
        {
            Log.AbandonedOpenSegment(logger, open.Blocks.Start, open.Blocks.End);
            await extractor.AbandonAsync();
        }

        _isOpenInDoubt = false;
        if (range.UpTo(head) is not { } wanted)
        {
            await WaitAsync(extractor, stop);
            return false;
        }

        if (extractor.Open is { } partial && partial.Tables.Count < tables.Count)
        {
            await extractor.FlushAsync(stop);
        }

        var plan = await PlanAsync(wanted, head, extractor.Open, stop);
        if (plan.Count > 0)
        {
            await ExtractAsync(plan, extractor, stop);
            _reorgsInARow = 0;
            return false;
        }

        if (range.End is { } end && wanted.End == end)
        {
            if (extractor.Open is null)
            {
                return true;
            }

            // The next look proves that what was committed is on the chain.
            await extractor.FlushAsync(stop);
            return false;
        }

        await WaitAsync(extractor, stop);
        return false;
    }

    /// <summary>
    /// Number of the newest block. One below what is written is no reason to throw that away: behind one address there may be
    /// nodes that lag. Null while it is not clear whether the source lags or the chain became shorter.
    /// </summary>
    private async Task<ulong?> FindHeadAsync(CancellationToken stop)
    {
        var head = await source.GetHeadAsync(options.FinalizedBlocksOnly, stop);
        if (_tip is { } tip && head < tip.Number)
        {
            var link = await source.GetLinkAsync(tip.Number, stop);
            if (link?.Hash == tip.Hash)
            {
                head = tip.Number;
            }
            else if (link is null && time.GetElapsedTime(_withoutTipSince ??= time.GetTimestamp()) < options.LagPatience)
            {
                return null;
            }
            else
            {
                _tip = null;
            }
        }

        _withoutTipSince = null;
        return head;
    }

    /// <summary>What the tables lack, the open segment counted as theirs. Orphaned segments that nothing can replace yet are retired.</summary>
    private async Task<IReadOnlyList<MissingRange>> PlanAsync(
        BlockRange wanted, ulong head, SegmentWriter? open, CancellationToken stop)
    {
        if (open is not null)
        {
            // It is of all tables, so nothing but the end can be lacking; what is before it is looked at once it is committed.
            _tip = (open.Last.Number, open.Last.Hash);
            return open.Last.Number >= wanted.End ? [] : Plan(new BlockRange(open.Last.Number + 1, wanted.End), []);
        }

        var segments = await ReadAsync(stop);
        var review = new ChainReview(source, head);
        var covered = new Dictionary<string, IReadOnlyList<Segment>>(StringComparer.Ordinal);
        var beyond = new List<Segment>();
        foreach (var table in tables)
        {
            var reviewed = await review.ReviewAsync([.. segments[table.LocationId]], stop);
            covered.Add(table.Schema.Name, reviewed.Covered);
            beyond.AddRange(reviewed.Beyond);
        }

        _tip = Tip(covered.Values.SelectMany(table => table));
        if (beyond.Count > 0)
        {
            Log.RetiredSegments(logger, beyond.Count, head);
            await ledger.RetireAsync(beyond, stop);
        }

        return Plan(wanted, covered);
    }

    private IReadOnlyList<MissingRange> Plan(BlockRange wanted, Dictionary<string, IReadOnlyList<Segment>> covered) =>
        MissingRanges.Plan(tables.ToDictionary(
            table => table.Schema.Name,
            table => ChainReview.Missing(wanted, covered.GetValueOrDefault(table.Schema.Name) ?? [])));

    private async Task ExtractAsync(IReadOnlyList<MissingRange> plan, DatasetExtractor extractor, CancellationToken stop)
    {
        foreach (var part in plan)
        {
            TargetTable[] targets = [.. tables.Where(table => part.Tables.Contains(table.Schema.Name))];
            var writers = (int)Math.Min((ulong)options.MaxWriters, part.Blocks.Count / options.MinBlocksPerWriter);
            if (writers > 1)
            {
                await extractor.FlushAsync(stop);
                await ExtractInParallelAsync(part, targets, writers, stop);
            }
            else
            {
                await extractor.ExtractAsync(part, targets, stop);
            }
        }
    }

    /// <summary>Gives each writer an equal share of the blocks. When one fails the others end, and what they committed stays.</summary>
    private async Task ExtractInParallelAsync(MissingRange part, TargetTable[] targets, int writers, CancellationToken stop)
    {
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var share = part.Blocks.Count / (ulong)writers;
        var running = Enumerable.Range(0, writers).Select(i => Task.Run(
            async () =>
            {
                var start = part.Blocks.Start + ((ulong)i * share);
                var blocks = new BlockRange(start, i == writers - 1 ? part.Blocks.End : start + share - 1);
                try
                {
                    await using var extractor = createExtractor(CommitAsync);
                    await extractor.ExtractAsync(part with { Blocks = blocks }, targets, failed.Token);
                    await extractor.FlushAsync(failed.Token);
                }
                catch
                {
                    await failed.CancelAsync();
                    throw;
                }
            },
            CancellationToken.None)).ToArray();
        try
        {
            await Task.WhenAll(running);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            // The first to fail is the reason; the others only ended because of it.
            await running.First(task => task.IsFaulted);
        }
    }

    private async Task<bool> IsOnChainAsync(BlockLink block, ulong head, CancellationToken stop) =>
        (head > block.Number && !_isOpenInDoubt)
        || (head >= block.Number && await source.GetLinkAsync(block.Number, stop) is { } link && link.Hash == block.Hash);

    private async Task<ILookup<long, Segment>> ReadAsync(CancellationToken stop)
    {
        var segments = await ledger.ReadAsync([.. tables.Select(table => table.LocationId)], stop);
        foreach (var segment in segments.SelectMany(table => table))
        {
            clock.Saw(segment.CreatedAt);
        }

        return segments;
    }

    private static (ulong Number, Hash32 Hash)? Tip(IEnumerable<Segment> segments) =>
        segments.MaxBy(segment => segment.End) is { } last ? (last.End, Hash32.Parse(last.Hash)) : null;

    private async Task WaitAsync(DatasetExtractor extractor, CancellationToken stop)
    {
        await Task.Delay(options.PollInterval, time, stop);
        await extractor.FlushIfDueAsync(stop);
    }

    private async Task CommitAsync(IReadOnlyList<NewFile> files, CancellationToken cancellationToken)
    {
        await ledger.CommitAsync(files, cancellationToken);
        _reorgsInARow = 0;
    }
}

/// <summary>How a chain is followed.</summary>
/// <param name="PollInterval">How long to wait for new blocks before looking again.</param>
/// <param name="RetryDelay">How long to wait after a reorg before looking again.</param>
/// <param name="FinalizedBlocksOnly">Whether a block counts only once it is final.</param>
/// <param name="MaxWriters">How many parts of a range are extracted side by side; 1 or more.</param>
internal sealed record FollowOptions(TimeSpan PollInterval, TimeSpan RetryDelay, bool FinalizedBlocksOnly, int MaxWriters)
{
    /// <summary>How long a source may be without blocks that it had, before the chain is taken to have become shorter.</summary>
    public TimeSpan LagPatience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Fewer blocks than this are not worth a writer of their own.</summary>
    public ulong MinBlocksPerWriter { get; init; } = 2_000;
}
