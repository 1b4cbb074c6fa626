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
    private readonly int _batchSize;
    private readonly RpcRetryPolicy _retry;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _slots;
    private readonly RequestRateLimiter? _rateLimiter;
    private long _lastId;

    /// <summary>Makes calls over a transport, which it disposes.</summary>
    public JsonRpcClient(IRpcTransport transport, EvmRpcOptions options, TimeProvider time, ILogger logger)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ConcurrentRequestLimit, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(options.RpcBatchSize);
        _transport = transport;
        _node = options.NodeName;
        _secrets = new SecretScrubber(options);
        _batchSize = options.RpcBatchSize;
        _retry = options.Retry;
        _time = time;
        _logger = logger;
        _slots = new SemaphoreSlim(options.ConcurrentRequestLimit);
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
        var size = Math.Max(1, _batchSize);
        try
        {
            if (calls.Length <= size)
            {
                await CallTogetherAsync(calls, new Range(0, calls.Length), answers, retry ?? _retry, cancellationToken);
                return answers;
            }

            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var requests = new Task[(calls.Length + size - 1) / size];
            for (var i = 0; i < requests.Length; i++)
            {
                var part = (i * size)..Math.Min(calls.Length, (i + 1) * size);
                requests[i] = CallTogetherAsync(calls, part, answers, retry ?? _retry, stop.Token);
            }

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
        _slots.Dispose();
    }

    // Calls that go into one request; those of them that fail for a passing reason go into the next.
    private async Task CallTogetherAsync(RpcCall[] calls, Range part, RpcAnswers answers, RpcRetryPolicy retry, CancellationToken cancellationToken)
    {
        var (offset, length) = part.GetOffsetAndLength(calls.Length);
        var pending = Enumerable.Range(offset, length).ToList();
        for (var attempt = 1; pending.Count > 0; attempt++)
        {
            RpcException? failure;
            try
            {
                failure = await SendAsync(calls, pending, answers, cancellationToken);
                if (failure is null)
                {
                    return;
                }
            }
            catch (RpcException e) when (e.IsTransient)
            {
                failure = e;
            }

            if (attempt >= retry.MaxAttempts)
            {
                throw failure;
            }

            var delay = retry.DelayAfter(attempt, failure.RetryAfter);
            Log.CallFailed(_logger, attempt, Purpose(calls, pending), _node, delay, failure.Message);
            await Task.Delay(delay, _time, cancellationToken);
        }
    }

    // Sends the pending calls as one request and removes those that have an answer. Returns why others have none.
    private async Task<RpcException?> SendAsync(RpcCall[] calls, List<int> pending, RpcAnswers answers, CancellationToken cancellationToken)
    {
        if (_rateLimiter is not null)
        {
            await _rateLimiter.WaitAsync(cancellationToken);
        }

        var purpose = Purpose(calls, pending);
        var firstId = Interlocked.Add(ref _lastId, pending.Count) - pending.Count + 1;
        PooledBytes body;
        await _slots.WaitAsync(cancellationToken);
        try
        {
            using var json = new PooledBytes(capacity: 128 * pending.Count);
            RpcEnvelope.Write(json, [.. pending.Select(call => calls[call])], firstId, asList: pending.Count > 1);
            body = await _transport.SendAsync(new RpcRequest(json.Memory, firstId, pending.Count, purpose), cancellationToken);
        }
        finally
        {
            _slots.Release();
        }

        answers.Keep(body);
        return TakeResults(body.Memory, calls, pending, firstId, answers);
    }

    private RpcException? TakeResults(ReadOnlyMemory<byte> body, RpcCall[] calls, List<int> pending, long firstId, RpcAnswers answers)
    {
        RpcException? failure = null;
        var sent = pending.ToArray();
        var answered = new bool[sent.Length];
        foreach (var item in ReadItems(body, Purpose(calls, pending)))
        {
            if (item.Id is null && item.Error is { } whole)
            {
                // The node refused the request as a whole.
                throw RpcException.NodeError(_node, Purpose(calls, pending), whole.Code, _secrets.Scrub(whole.Message));
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
                failure = RpcException.NodeError(_node, calls[call].ToString(), error.Code, _secrets.Scrub(error.Message));
                if (!failure.IsTransient)
                {
                    throw failure;
                }
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

        var missing = Array.IndexOf(answered, false);
        return missing >= 0
            ? RpcException.InvalidAnswer(_node, calls[sent[missing]].ToString(), "it is missing in the answer to its batch", isTransient: true)
            : failure;
    }

    private List<RpcEnvelope.Item> ReadItems(ReadOnlyMemory<byte> body, string purpose)
    {
        try
        {
            return RpcEnvelope.Read(body.Span);
        }
        catch (DecodeException e)
        {
            // What begins as JSON was cut off on the way; anything else is not a node.
            var start = body.Span.TrimStart(" \t\r\n"u8);
            var isJson = start.IsEmpty || start[0] is (byte)'{' or (byte)'[';
            throw RpcException.InvalidAnswer(_node, purpose, isJson ? $"it {e.Message}" : "it is not JSON", isTransient: isJson, e);
        }
    }

    private static string Purpose(RpcCall[] calls, List<int> pending) =>
        pending.Count == 1 ? calls[pending[0]].ToString() : $"{calls[pending[0]]} and {pending.Count - 1} more calls";
}
