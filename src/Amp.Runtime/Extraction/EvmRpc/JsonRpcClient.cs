using Microsoft.Extensions.Logging;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// Makes JSON-RPC calls: in batches, within the limits on requests at once and per minute, and again when they fail
/// for a passing reason. Safe for use by several callers at once.
/// </summary>
internal sealed class JsonRpcClient : IAsyncDisposable
{
    private readonly IRpcTransport _transport;
    private readonly string _node;
    private readonly SecretScrubber _secrets;
    private readonly BatchLimit _batch;
    private readonly RpcRetryPolicy _retry;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConcurrencyGate _gate;
    private readonly RequestRateLimiter? _rateLimiter;
    private long _lastId;

    // No request is sent before, in ticks of UTC.
    private long _welcomeAt;

    // Whether it ever answered as a node does.
    private volatile bool _isNode;

    /// <summary>Makes calls over a transport, which it disposes.</summary>
    public JsonRpcClient(IRpcTransport transport, EvmRpcOptions options, TimeProvider time, ILogger logger)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ConcurrentRequestLimit, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(options.RpcBatchSize);
        _transport = transport;
        _node = options.NodeName;
        _secrets = new SecretScrubber(options);
        _batch = new BatchLimit(options.RpcBatchSize);
        _retry = options.Retry;
        _time = time;
        _logger = logger;
        _gate = new ConcurrencyGate(options.ConcurrentRequestLimit);
        _rateLimiter = options.RateLimitPerMinute is { } limit ? new RequestRateLimiter(limit, time) : null;
    }

    /// <summary>
    /// Makes all calls and returns their results, which the caller disposes. When one of them fails for good, those
    /// still under way are cancelled and waited for.
    /// </summary>
    /// <param name="calls">The calls.</param>
    /// <param name="retry">Another policy than the client's own, or null.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <exception cref="RpcException">A call failed for good, or too often.</exception>
    public async Task<RpcAnswers> CallAsync(RpcCall[] calls, RpcRetryPolicy? retry, CancellationToken cancellationToken)
    {
        var answers = new RpcAnswers(calls.Length);
        var size = _batch.Current;
        try
        {
            if (calls.Length <= size)
            {
                await CallTogetherAsync(calls, [.. Enumerable.Range(0, calls.Length)], answers, retry ?? _retry, attempts: 0, cancellationToken);
                return answers;
            }

            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task[] requests =
            [
                .. Enumerable.Range(0, calls.Length).Chunk(size)
                    .Select(part => CallTogetherAsync(calls, [.. part], answers, retry ?? _retry, attempts: 0, stop.Token)),
            ];
            await FailFast.WhenAllAsync(requests, stop);
            return answers;
        }
        catch
        {
            answers.Dispose();
            throw;
        }
    }

    /// <summary>Makes one call.</summary>
    /// <inheritdoc cref="CallAsync(RpcCall[], RpcRetryPolicy?, CancellationToken)"/>
    public Task<RpcAnswers> CallAsync(RpcCall call, RpcRetryPolicy? retry, CancellationToken cancellationToken) =>
        CallAsync([call], retry, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _transport.DisposeAsync();
        _gate.Dispose();
    }

    // Calls that go into one request; those of them that fail for a passing reason go into the next. What was too large
    // goes in halves, down to single calls.
    private async Task CallTogetherAsync(
        RpcCall[] calls, List<int> pending, RpcAnswers answers, RpcRetryPolicy retry, int attempts, CancellationToken cancellationToken)
    {
        var (putOff, waited) = (0, TimeSpan.Zero);
        while (pending.Count > 0)
        {
            var sent = pending.Count;
            var failure = await TrySendAsync(calls, pending, answers, cancellationToken);
            if (failure is null)
            {
                return;
            }

            var isTooLarge = failure.Complaint == RpcComplaint.Size && sent > 1;
            if (!failure.IsTransient && !isTooLarge)
            {
                throw failure;
            }

            TimeSpan delay;
            if (failure.Complaint == RpcComplaint.Rate)
            {
                delay = retry.DelayAfter(++putOff, failure.RetryAfter);
                if ((waited += delay) > retry.MaxRateLimitWait)
                {
                    throw failure;
                }

                Log.CallPutOff(_logger, Purpose(calls, pending), _node, delay, failure.Message);
                await Task.Delay(delay, _time, cancellationToken);
                continue;
            }

            putOff = 0;
            if (isTooLarge && !failure.IsTransient)
            {
                // No failure: it was asked for too much. Each time it is less, so that it ends.
                await CallInHalvesAsync(calls, pending, answers, retry, attempts, cancellationToken);
                return;
            }

            if (pending.Count < sent && retry.MaxAttempts > 1)
            {
                // Some have their answers: it is not the same request that fails again.
                attempts = 0;
            }

            if (++attempts >= retry.MaxAttempts)
            {
                throw failure;
            }

            delay = retry.DelayAfter(attempts, failure.RetryAfter);
            Log.CallFailed(_logger, attempts, Purpose(calls, pending), _node, delay, failure.Message);
            await Task.Delay(delay, _time, cancellationToken);
            if (isTooLarge)
            {
                await CallInHalvesAsync(calls, pending, answers, retry, attempts, cancellationToken);
                return;
            }
        }
    }

    private async Task CallInHalvesAsync(
        RpcCall[] calls, List<int> pending, RpcAnswers answers, RpcRetryPolicy retry, int attempts, CancellationToken cancellationToken)
    {
        var half = (pending.Count + 1) / 2;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] halves =
        [
            .. new[] { pending[..half], pending[half..] }.Where(part => part.Count > 0)
                .Select(part => CallTogetherAsync(calls, part, answers, retry, attempts, stop.Token)),
        ];
        await FailFast.WhenAllAsync(halves, stop);
    }

    // Sends the pending calls as one request and removes those that have an answer. Returns why others have none.
    private async Task<RpcException?> TrySendAsync(RpcCall[] calls, List<int> pending, RpcAnswers answers, CancellationToken cancellationToken)
    {
        if (_rateLimiter is not null)
        {
            await _rateLimiter.WaitAsync(cancellationToken);
        }

        var sent = pending.Count;
        var epoch = await _gate.EnterAsync(cancellationToken);
        try
        {
            await WaitUntilWelcomeAsync(cancellationToken);
            var failure = await SendAsync(calls, pending, answers, cancellationToken);
            Learn(failure, sent, epoch);
            return failure;
        }
        catch (RpcException e)
        {
            Learn(e, sent, epoch);
            return e;
        }
        finally
        {
            _gate.Leave();
        }
    }

    private async Task<RpcException?> SendAsync(RpcCall[] calls, List<int> pending, RpcAnswers answers, CancellationToken cancellationToken)
    {
        var firstId = Interlocked.Add(ref _lastId, pending.Count) - pending.Count + 1;
        using var json = new PooledBytes(capacity: 128 * pending.Count);
        RpcEnvelope.Write(json, [.. pending.Select(call => calls[call])], firstId, asList: pending.Count > 1);
        var body = await _transport.SendAsync(new RpcRequest(json.Memory, firstId, pending.Count, Purpose(calls, pending)), cancellationToken);
        answers.Keep(body);
        return TakeResults(body.Memory, calls, pending, firstId, answers);
    }

    // Adapts the number of calls in a request and of requests at once to what the node said.
    private void Learn(RpcException? failure, int sent, int epoch)
    {
        switch (failure?.Complaint)
        {
            case null:
                _isNode = true;
                _gate.WentWell();
                _batch.WentWell(sent);
                break;
            case RpcComplaint.Size when sent > 1:
                if (_batch.Complained(sent))
                {
                    Log.BatchLowered(_logger, _node, _batch.Current, failure.Message);
                }

                break;
            case RpcComplaint.Rate:
                if (failure.RetryAfter is { } asked)
                {
                    var until = _time.GetUtcNow() + (asked < _retry.MaxDelay ? asked : _retry.MaxDelay);
                    Interlocked.Exchange(ref _welcomeAt, until.UtcTicks);
                }

                if (_gate.Complained(epoch))
                {
                    Log.ConcurrencyLowered(_logger, _node, _gate.Limit, failure.Message);
                }

                break;
        }
    }

    // A node that named a time has named it to all callers.
    private async Task WaitUntilWelcomeAsync(CancellationToken cancellationToken)
    {
        var wait = TimeSpan.FromTicks(Interlocked.Read(ref _welcomeAt) - _time.GetUtcNow().UtcTicks);
        if (wait > TimeSpan.Zero && wait <= _retry.MaxDelay)
        {
            await Task.Delay(wait, _time, cancellationToken);
        }
    }

    private RpcException? TakeResults(ReadOnlyMemory<byte> body, RpcCall[] calls, List<int> pending, long firstId, RpcAnswers answers)
    {
        RpcException? failure = null;
        RpcException? complaint = null;
        var sent = pending.ToArray();
        var answered = new bool[sent.Length];
        foreach (var item in ReadItems(body, Purpose(calls, pending)))
        {
            if (item.Id is null && item.Error is { } whole)
            {
                // The node refused the request as a whole.
                throw RpcException.NodeError(_node, Purpose(calls, pending), whole.Code, _secrets.Scrub(whole.Message), pending.Count == 1 ? calls[pending[0]].Method : null);
            }

            if (item.Id is not { } id || id < firstId || id >= firstId + sent.Length || answered[id - firstId])
            {
                var given = item.Id is null ? "no id" : $"the id {item.Id}, which was not asked for";
                throw RpcException.InvalidAnswer(_node, Purpose(calls, pending), $"it has {given}", isTransient: true);
            }

            var call = sent[id - firstId];
            answered[id - firstId] = true;
            if (item.Error is { } error)
            {
                failure = RpcException.NodeError(_node, calls[call].ToString(), error.Code, _secrets.Scrub(error.Message), calls[call].Method);
                if (!failure.IsTransient && failure.Complaint == RpcComplaint.None)
                {
                    throw failure;
                }

                complaint = failure.Complaint == RpcComplaint.None ? complaint : failure;
            }
            else if (item.HasResult)
            {
                answers[call] = body[item.Result];
                pending.Remove(call);
            }
            else
            {
                throw RpcException.InvalidAnswer(_node, calls[call].ToString(), "it has neither result nor error", isTransient: true);
            }
        }

        // A complaint may well be the reason why others have no answer.
        var missing = Array.IndexOf(answered, false);
        return complaint ?? (missing >= 0
            ? RpcException.InvalidAnswer(_node, calls[sent[missing]].ToString(), "it is missing in the answer to its batch", isTransient: true)
            : failure);
    }

    private List<RpcEnvelope.Item> ReadItems(ReadOnlyMemory<byte> body, string purpose)
    {
        try
        {
            return RpcEnvelope.Read(body.Span);
        }
        catch (DecodeException e)
        {
            // What begins as JSON was cut off on the way. Anything else is not a node, or, where there was one, something
            // that stands before it and will let it answer again.
            var start = body.Span.TrimStart(" \t\r\n"u8);
            var isJson = start.IsEmpty || start[0] is (byte)'{' or (byte)'[';
            throw RpcException.InvalidAnswer(_node, purpose, isJson ? $"it {e.Message}" : "it is not JSON", isTransient: isJson || _isNode, e);
        }
    }

    private static string Purpose(RpcCall[] calls, List<int> pending) =>
        pending.Count == 1 ? calls[pending[0]].ToString() : $"{calls[pending[0]]} and {pending.Count - 1} more calls";
}
