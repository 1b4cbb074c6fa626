using System.Runtime.CompilerServices;
using Amp.Extraction.EvmRpc;
using Microsoft.Extensions.Logging;

namespace Amp.Extraction.Verification;

/// <summary>
/// A source whose blocks are verified before anybody gets them. Verification runs beside the reader: the next batch is
/// verified while the one before is written. Blocks that fail are read again a few times, since a node behind the same
/// address, or the same one a moment later, may do better; then the reading fails as <see cref="BlockVerifier"/> does. Owns the
/// source it reads from, whose batches must have all tables.
/// </summary>
internal sealed class VerifyingBlockSource(IBlockSource source, RpcRetryPolicy retry, TimeProvider time, ILogger logger) : IBlockSource
{
    /// <summary>How often and when blocks that failed are read again.</summary>
    public static RpcRetryPolicy DefaultRetry { get; } = new() { MaxAttempts = 4 };

    /// <inheritdoc/>
    public Task<ulong> GetHeadAsync(bool finalized, CancellationToken cancellationToken) => source.GetHeadAsync(finalized, cancellationToken);

    /// <inheritdoc/>
    public Task<BlockLink?> GetLinkAsync(ulong number, CancellationToken cancellationToken) => source.GetLinkAsync(number, cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlockBatch> ReadAsync(BlockRange range, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var verifier = new BlockVerifier();
        BlockLink? last = null;
        for (var attempt = 1; ; attempt++)
        {
            AmpException failure;
            await using (var reading = new Reading(source, range with { Start = last?.Number + 1 ?? range.Start }, verifier, cancellationToken))
            {
                while (true)
                {
                    BlockBatch? batch;
                    try
                    {
                        batch = await reading.NextAsync();
                    }
                    catch (AmpException e) when (e.ErrorCode == VerificationError.BlockVerificationFailed && attempt < retry.MaxAttempts)
                    {
                        failure = e;
                        break;
                    }

                    if (batch is null)
                    {
                        yield break;
                    }

                    RequireLink(last, batch);
                    last = batch.Blocks[^1];
                    attempt = 1;
                    yield return batch;
                }
            }

            var delay = retry.DelayAfter(attempt, retryAfter: null);
            Log.BlockRefused(logger, failure.Target, attempt, delay, failure.Message);
            await Task.Delay(delay, time, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => source.DisposeAsync();

    // The source links the blocks of one reading; this links the readings.
    private static void RequireLink(BlockLink? last, BlockBatch batch)
    {
        if (last is { } previous && previous.Hash != batch.Blocks[0].ParentHash)
        {
            var link = batch.Blocks[0];
            batch.Dispose();
            throw VerificationError.Reorganized(previous, link);
        }
    }

    /// <summary>One reading of a range, a batch ahead of whoever takes them.</summary>
    private sealed class Reading : IAsyncDisposable
    {
        private readonly BlockVerifier _verifier;
        private readonly CancellationTokenSource _stop;
        private readonly IAsyncEnumerator<BlockBatch> _batches;
        private Task<BlockBatch?> _next;

        public Reading(IBlockSource source, BlockRange range, BlockVerifier verifier, CancellationToken cancellationToken)
        {
            _verifier = verifier;
            _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            _batches = source.ReadAsync(range, _stop.Token).GetAsyncEnumerator(_stop.Token);
            _next = Task.Run(ReadAsync, CancellationToken.None);
        }

        /// <summary>The next batch, verified; null at the end.</summary>
        public async Task<BlockBatch?> NextAsync()
        {
            var batch = await _next;
            _next = batch is null ? _next : Task.Run(ReadAsync, CancellationToken.None);
            return batch;
        }

        /// <inheritdoc/>
        public async ValueTask DisposeAsync()
        {
            _stop.Cancel();
            await ((Task)_next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_next.IsCompletedSuccessfully && await _next is { } unclaimed)
            {
                unclaimed.Dispose();
            }

            await _batches.DisposeAsync();
            _stop.Dispose();
        }

        private async Task<BlockBatch?> ReadAsync()
        {
            if (!await _batches.MoveNextAsync())
            {
                return null;
            }

            var batch = _batches.Current;
            try
            {
                _verifier.Verify(batch);
                return batch;
            }
            catch
            {
                batch.Dispose();
                throw;
            }
        }
    }
}
