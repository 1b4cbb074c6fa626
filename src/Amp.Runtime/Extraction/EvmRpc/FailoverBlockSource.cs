using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;

namespace Amp.Extraction.EvmRpc;

/// <summary>One of several sources of the same chain.</summary>
/// <param name="Name">What logs and errors call it.</param>
/// <param name="Source">The source, which belongs to whom this is given to.</param>
/// <param name="GetChainIdAsync">Asks which chain it serves; throws <c>ProviderWrongNetwork</c> when that is not the wanted one.</param>
internal sealed record FailoverCandidate(string Name, IBlockSource Source, Func<CancellationToken, Task<ulong>> GetChainIdAsync);

/// <summary>
/// Blocks of one chain from several sources, of which the first that works is used. When one fails, the next goes on
/// from the next block, if that block's parent is the last one read: sources on different forks are never mixed. A
/// source that failed is left alone for a while, then asked whether it works again. One that serves another chain than
/// it should is never used. Safe for use by several readers at once.
/// </summary>
internal sealed class FailoverBlockSource : IBlockSource
{
    /// <summary>How long a source that failed is left alone.</summary>
    public static readonly TimeSpan DefaultRest = TimeSpan.FromMinutes(1);

    private const string ReorganizedCode = "ChainReorganized";
    private const string WrongNetworkCode = "ProviderWrongNetwork";

    private readonly string _network;
    private readonly Member[] _members;
    private readonly TimeSpan _rest;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private (string Name, ulong Id)? _chain;

    /// <summary>Takes over the sources, in the order in which they are preferred.</summary>
    /// <param name="network">The chain's name, for errors.</param>
    /// <param name="candidates">The sources; at least one.</param>
    /// <param name="rest">How long a source that failed is left alone.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told of each change.</param>
    public FailoverBlockSource(string network, IReadOnlyList<FailoverCandidate> candidates, TimeSpan rest, TimeProvider time, ILogger logger)
    {
        ArgumentOutOfRangeException.ThrowIfZero(candidates.Count);
        _network = network;
        _members = [.. candidates.Select((candidate, index) => new Member(candidate, index))];
        _rest = rest;
        _time = time;
        _logger = logger;
    }

    /// <inheritdoc/>
    public async Task<ulong> GetHeadAsync(bool finalized, CancellationToken cancellationToken)
    {
        var attempt = new Attempt();
        while (true)
        {
            var member = Choose(attempt);
            try
            {
                return await GetHeadAsync(member, finalized, cancellationToken);
            }
            catch (AmpException e)
            {
                Fail(attempt, member, e);
            }
        }
    }

    /// <inheritdoc/>
    public async Task<BlockLink?> GetLinkAsync(ulong number, CancellationToken cancellationToken)
    {
        var attempt = new Attempt();
        var member = Choose(attempt);
        while (true)
        {
            try
            {
                await VerifyAsync(member, cancellationToken);
                if (await member.Source.GetLinkAsync(number, cancellationToken) is { } link)
                {
                    return link;
                }

                // That one source does not have the block may only mean that it lags behind the one that had it.
                attempt.Without.Add(member);
            }
            catch (AmpException e)
            {
                Fail(attempt, member, e);
            }

            if (attempt.Without.Count > 0)
            {
                if (FindAwake(attempt) is not { } other)
                {
                    return null;
                }

                member = other;
            }
            else
            {
                member = Choose(attempt);
            }
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlockBatch> ReadAsync(BlockRange range, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = range.Start;
        BlockLink? last = null;
        var attempt = new Attempt();
        await using var comeback = new Comeback(this, cancellationToken);
        while (next <= range.End)
        {
            var member = Choose(attempt);
            await using var blocks = new MemberReading(this, member, range with { Start = next }, cancellationToken);
            while (next <= range.End)
            {
                BlockBatch? batch = null;
                try
                {
                    batch = await blocks.ReadAsync();
                    RequireNext(member, next, last, batch);
                }
                catch (AmpException e)
                {
                    batch?.Dispose();
                    Fail(attempt, member, e, isWithin: blocks.HasDelivered);
                    break;
                }
                catch
                {
                    batch?.Dispose();
                    throw;
                }

                attempt.Failures.Clear();
                blocks.HasDelivered = true;
                last = batch.Blocks[^1];
                next = last.Value.Number + 1;
                yield return batch;
                if (comeback.IsDue(member, next))
                {
                    break;
                }
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var member in _members)
        {
            await member.Source.DisposeAsync();
        }
    }

    // The first that is not resting, else the first of those that rest; throws when this attempt has tried all.
    private Member Choose(Attempt attempt)
    {
        lock (_lock)
        {
            var open = _members.Where(member => !member.IsWrong && !attempt.Failures.ContainsKey(member));
            var now = _time.GetUtcNow();
            return open.OrderBy(member => member.RestsUntil > now).ThenBy(member => member.Index).FirstOrDefault() ?? throw AllFailed(attempt);
        }
    }

    private Member? FindAwake(Attempt attempt)
    {
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            return Array.Find(
                _members, member => !member.IsWrong && member.RestsUntil <= now && !attempt.Failures.ContainsKey(member) && !attempt.Without.Contains(member));
        }
    }

    private async Task<ulong> GetHeadAsync(Member member, bool finalized, CancellationToken cancellationToken)
    {
        await VerifyAsync(member, cancellationToken);
        return await member.Source.GetHeadAsync(finalized, cancellationToken);
    }

    // Nothing is read from a source before it is known which chain it serves.
    private async Task VerifyAsync(Member member, CancellationToken cancellationToken)
    {
        if (member.IsVerified)
        {
            return;
        }

        var id = await member.GetChainIdAsync(cancellationToken);
        lock (_lock)
        {
            var chain = _chain ??= (member.Name, id);
            if (chain.Id != id)
            {
                throw new AmpException(
                    WrongNetworkCode, AmpErrorKind.InvalidInput,
                    $"Provider '{member.Name}' serves chain id {id}, but '{chain.Name}' for the same network '{_network}' serves {chain.Id}.")
                {
                    Target = member.Name,
                    RecommendedAction = "Give both providers URLs of nodes of the same chain, or the names of the networks they serve.",
                };
            }

            member.IsVerified = true;
        }
    }

    // Notes a failure so that the next source is tried; throws what another source cannot cure.
    private void Fail(Attempt attempt, Member member, AmpException failure, bool isWithin = false)
    {
        if (isWithin && failure.ErrorCode == ReorganizedCode)
        {
            // The source itself saw its chain change between two blocks: whoever reads has to go back.
            ExceptionDispatchInfo.Throw(failure);
        }

        lock (_lock)
        {
            attempt.Failures[member] = failure;
            if (failure.ErrorCode == WrongNetworkCode)
            {
                member.IsWrong = true;
                member.Wrong = failure;
                Log.ProviderLeftOut(_logger, member.Name, failure.Message);
                return;
            }

            member.RestsUntil = _time.GetUtcNow() + _rest;
        }

        if (_members.Length > 1)
        {
            Log.ProviderFailed(_logger, member.Name, failure.Message);
        }
    }

    private static void RequireNext(Member member, ulong next, BlockLink? last, BlockBatch batch)
    {
        var first = batch.Blocks[0];
        if (last is { } previous && first.ParentHash != previous.Hash)
        {
            throw new AmpException(
                ReorganizedCode, AmpErrorKind.InvalidData,
                $"Block {first.Number} of '{member.Name}' has the parent {first.ParentHash}, but block {previous.Number} was read from another provider as {previous.Hash}: they are on different forks, or the chain was reorganized meanwhile.")
            {
                Target = first.Number,
                IsTransient = true,
            };
        }

        if (first.Number != next)
        {
            throw new InvalidOperationException($"'{member.Name}' gave block {first.Number} in place of {next}");
        }
    }

    private AmpException AllFailed(Attempt attempt)
    {
        var failures = _members.Select(member => (member.Name, Error: attempt.Failures.GetValueOrDefault(member) ?? member.Wrong!)).ToList();
        if (failures is [var only])
        {
            return only.Error;
        }

        // A fork, or a block that is gone, is for the reader to resolve, even while other sources are down.
        var errors = failures.ConvertAll(failure => failure.Error);
        var decisive = errors.Find(error => error.ErrorCode == ReorganizedCode) ?? errors.Find(error => error.ErrorCode == DecodeException.BlockNotFound);
        var code = decisive?.ErrorCode ?? (errors.TrueForAll(error => error.ErrorCode == errors[0].ErrorCode) ? errors[0].ErrorCode : "AllProvidersFailed");
        return new AmpException(
            code, (decisive ?? errors[0]).Kind,
            $"Every provider of network '{_network}' failed. {string.Join(' ', failures.Select(failure => $"{failure.Name}: {failure.Error.Message}"))}",
            new AggregateException(errors))
        {
            Target = decisive?.Target ?? _network,
            IsTransient = errors.Exists(error => error.IsTransient),
            RecommendedAction = (decisive ?? errors[0]).RecommendedAction,
        };
    }

    /// <summary>What was tried in vain since the last block came.</summary>
    private sealed class Attempt
    {
        public Dictionary<Member, AmpException> Failures { get; } = [];

        /// <summary>Those that do not have the block in question.</summary>
        public HashSet<Member> Without { get; } = [];
    }

    private sealed class Member(FailoverCandidate candidate, int index)
    {
        public string Name => candidate.Name;

        public int Index => index;

        public IBlockSource Source => candidate.Source;

        public Func<CancellationToken, Task<ulong>> GetChainIdAsync => candidate.GetChainIdAsync;

        public DateTimeOffset RestsUntil { get; set; } = DateTimeOffset.MinValue;

        public bool IsVerified { get; set; }

        public bool IsWrong { get; set; }

        public AmpException? Wrong { get; set; }
    }

    /// <summary>The blocks of one source, from the time it is known to serve the right chain.</summary>
    private sealed class MemberReading(FailoverBlockSource owner, Member member, BlockRange range, CancellationToken cancellationToken) : IAsyncDisposable
    {
        private IAsyncEnumerator<BlockBatch>? _blocks;

        /// <summary>Whether blocks of it were passed on.</summary>
        public bool HasDelivered { get; set; }

        public async Task<BlockBatch> ReadAsync()
        {
            await owner.VerifyAsync(member, cancellationToken);
            _blocks ??= member.Source.ReadAsync(range, cancellationToken).GetAsyncEnumerator(cancellationToken);
            return await _blocks.MoveNextAsync() ? _blocks.Current : throw new InvalidOperationException($"'{member.Name}' ended before block {range.End}");
        }

        public ValueTask DisposeAsync() => _blocks?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    /// <summary>
    /// Asks, while a later source is read from, an earlier one that has rested whether it works again. The reading does
    /// not wait for the answer.
    /// </summary>
    private sealed class Comeback(FailoverBlockSource owner, CancellationToken cancellationToken) : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        private Member? _asked;
        private Task<ulong>? _answer;

        /// <summary>Whether an earlier source than the present one has the next block.</summary>
        public bool IsDue(Member present, ulong next)
        {
            if (_answer is null)
            {
                _asked = owner.RestedBefore(present);
                _answer = _asked is null ? null : owner.GetHeadAsync(_asked, finalized: false, _stop.Token);
                return false;
            }

            if (!_answer.IsCompleted)
            {
                return false;
            }

            var (answer, asked) = (_answer, _asked!);
            _answer = null;
            if (answer.IsCompletedSuccessfully && answer.Result >= next)
            {
                Log.ProviderReturned(owner._logger, asked.Name, next);
                return true;
            }

            owner.RestAgain(asked, answer.Exception?.InnerException);
            return false;
        }

        public async ValueTask DisposeAsync()
        {
            _stop.Cancel();
            if (_answer is not null)
            {
                await ((Task)_answer).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            _stop.Dispose();
        }
    }

    private Member? RestedBefore(Member present)
    {
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            return Array.Find(_members, member => member.Index < present.Index && !member.IsWrong && member.RestsUntil <= now);
        }
    }

    private void RestAgain(Member member, Exception? failure)
    {
        if (failure is AmpException { ErrorCode: WrongNetworkCode } wrong)
        {
            Fail(new Attempt(), member, wrong);
            return;
        }

        lock (_lock)
        {
            member.RestsUntil = _time.GetUtcNow() + _rest;
        }
    }
}
