using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// One reading of a range. A producer starts groups of consecutive blocks as far ahead as the byte budget allows; each
/// group fetches all its blocks at once and decodes them, in order, into one batch while later ones are still on
/// their way; several groups do so side by side; they are taken in order. Disposing it ends all of that and waits
/// until it has ended.
/// </summary>
internal sealed class BlockRangeReader : IAsyncDisposable
{
    // Small blocks share a batch of about this size.
    private const long TargetBatchBytes = 1 << 20;
    private const int MaxBlocksAhead = 256;
    private const int MaxGroupsAhead = 64;

    // A malformed or contradictory answer is worth another try, but not for as long as a node that is down: a block that is
    // not there may be one that a reorg took away.
    private const int MaxAttempts = 5;

    private readonly BlockRange _range;
    private readonly EvmRpcBlockSource _source;
    private readonly BlockFetcher _fetcher;
    private readonly EvmRpcOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ByteBudget _budget;
    private readonly CancellationTokenSource _stop;
    private readonly Channel<Task<Group>> _groups =
        Channel.CreateBounded<Task<Group>>(new BoundedChannelOptions(MaxGroupsAhead) { SingleReader = true, SingleWriter = true });

    private readonly Task _producer;

    // Moving averages that rise at once, since many blocks as large as the last may be on their way; before the first block is
    // known, a guess that keeps many in flight.
    private long _rawBytesPerBlock = 256 << 10;
    private long _decodedBytesPerBlock = 1 << 20;

    public BlockRangeReader(
        BlockRange range, EvmRpcOptions options, BlockFetcher fetcher, EvmRpcBlockSource source, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        _range = range;
        _options = options;
        _source = source;
        _fetcher = fetcher;
        _time = time;
        _logger = logger;
        _budget = new ByteBudget(options.MemoryBudget);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _producer = Task.Run(ProduceAsync, CancellationToken.None);
    }

    private sealed record Group(BlockBatch Batch, long Charged);

    /// <summary>The next batch; null at the end of the range.</summary>
    public async Task<BlockBatch?> ReadAsync()
    {
        while (await _groups.Reader.WaitToReadAsync(_stop.Token))
        {
            if (_groups.Reader.TryRead(out var next))
            {
                // From here on the memory is the caller's.
                var group = await next;
                _budget.Charge(-group.Charged);
                return group.Batch;
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _stop.Cancel();
        await _producer.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (_groups.Reader.TryRead(out var group))
        {
            try
            {
                (await group).Batch.Dispose();
            }
            catch (Exception)
            {
                // Whoever took the batches up to here has already been told the first reason.
            }
        }

        _stop.Dispose();
    }

    private async Task ProduceAsync()
    {
        try
        {
            var next = _range.Start;
            while (true)
            {
                var count = Math.Min(NextGroupSize(), _range.End - next + 1);
                var blocks = new BlockRange(next, next + count - 1);
                var charge = (long)count * BytesPerBlock();
                await _budget.AcquireAsync(charge, _stop.Token);
                await _groups.Writer.WaitToWriteAsync(_stop.Token);
                await _groups.Writer.WriteAsync(ReadGroupAsync(blocks, charge), CancellationToken.None);
                if (blocks.End == _range.End)
                {
                    break;
                }

                next = blocks.End + 1;
            }

            _groups.Writer.Complete();
        }
        catch (Exception e)
        {
            _groups.Writer.Complete(e);
        }
    }

    // Whole requests, and about as many blocks as make a batch.
    private ulong NextGroupSize()
    {
        var perRequest = (ulong)_fetcher.BlocksPerRequest;
        var wanted = (ulong)Math.Clamp(TargetBatchBytes / Math.Max(1, Interlocked.Read(ref _decodedBytesPerBlock)), 1, MaxBlocksAhead / 4);
        return Math.Max(1, wanted / perRequest) * perRequest;
    }

    private long BytesPerBlock() =>
        Math.Max(_options.MemoryBudget / MaxBlocksAhead, Interlocked.Read(ref _rawBytesPerBlock) + Interlocked.Read(ref _decodedBytesPerBlock));

    private async Task<Group> ReadGroupAsync(BlockRange blocks, long charged)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var parts = _fetcher.Split(blocks);
        var fetches = parts.ConvertAll(part => _fetcher.FetchAsync(part, stop.Token));

        // Nothing is kept for answers that are still on their way.
        await ((Task)fetches[0]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var batch = _source.RentBatch();
        var decoder = _source.RentDecoder();
        var raw = 0L;
        try
        {
            for (var i = 0; i < parts.Count; i++)
            {
                raw += await DecodeAsync(parts[i], fetches[i], decoder, batch, stop.Token);
                if (raw > charged)
                {
                    _budget.Charge(raw - charged);
                    charged = raw;
                }
            }
        }
        catch
        {
            stop.Cancel();
            foreach (var fetch in fetches)
            {
                await AbandonAsync(fetch);
            }

            batch.Dispose();
            throw;
        }
        finally
        {
            _source.ReturnDecoder(decoder);
        }

        var decoded = batch.ByteCount;
        Average(ref _rawBytesPerBlock, raw / (long)blocks.Count);
        Average(ref _decodedBytesPerBlock, decoded / (long)blocks.Count);
        _budget.Charge(decoded - charged);
        return new Group(batch, decoded);
    }

    // Adds the blocks of a part to the batch and returns how many bytes their answers had.
    private async Task<long> DecodeAsync(BlockRange part, Task<FetchedBlocks> fetch, EvmBlockDecoder decoder, BlockBatch batch, CancellationToken cancellationToken)
    {
        var next = part.Start;
        var refused = next;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                using var fetched = await fetch;
                while (next <= part.End)
                {
                    fetched.Decode(next, decoder, batch);
                    next++;
                }

                return fetched.ByteCount;
            }
            catch (AmpException e) when (e.IsTransient && e is not RpcException && (attempt < MaxAttempts || refused != next))
            {
                // Attempts count for each block.
                attempt = refused == next ? attempt : 1;
                refused = next;
                var delay = _options.Retry.DelayAfter(attempt, retryAfter: null);
                Log.BlockRefused(_logger, next, _options.NodeName, attempt, delay, e.Message);
                await Task.Delay(delay, _time, cancellationToken);
                fetch = _fetcher.FetchAsync(new BlockRange(next, part.End), cancellationToken);
            }
        }
    }

    private static async Task AbandonAsync(Task<FetchedBlocks> fetch)
    {
        try
        {
            (await fetch).Dispose();
        }
        catch (Exception)
        {
            // The group already fails for the first reason.
        }
    }

    private static void Average(ref long average, long sample) =>
        Interlocked.Exchange(ref average, Math.Max(sample, ((Interlocked.Read(ref average) * 15) + sample) / 16));
}
