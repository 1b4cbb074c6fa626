using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Amp.Extraction.EvmRpc;

/// <summary>Blocks from an EVM node behind JSON-RPC.</summary>
internal sealed class EvmRpcBlockSource : IBlockSource
{
    private readonly EvmRpcOptions _options;
    private readonly JsonRpcClient _client;
    private readonly BlockFetcher _fetcher;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConcurrentQueue<BlockBatch> _spareBatches = new();
    private readonly ConcurrentQueue<EvmBlockDecoder> _spareDecoders = new();
    private long _spareBytes;

    /// <summary>Prepares the reading from a node; connects to nothing yet.</summary>
    /// <exception cref="AmpException"><c>UnsupportedUrlScheme</c>, <c>InvalidAuthentication</c>.</exception>
    public EvmRpcBlockSource(EvmRpcOptions options, TimeProvider time, ILogger<EvmRpcBlockSource> logger)
        : this(options, CreateTransport(options, time), time, logger)
    {
    }

    /// <summary>Reads over a given transport, which it disposes.</summary>
    public EvmRpcBlockSource(EvmRpcOptions options, IRpcTransport transport, TimeProvider time, ILogger<EvmRpcBlockSource> logger)
    {
        _options = options;
        _time = time;
        _logger = logger;
        _client = new JsonRpcClient(transport, options, time, logger);
        _fetcher = new BlockFetcher(_client, options, logger);
    }

    /// <inheritdoc/>
    public Task<ulong> GetHeadAsync(bool finalized, CancellationToken cancellationToken) =>
        finalized ? GetFinalizedHeadAsync(retry: null, cancellationToken) : GetNumberAsync("eth_blockNumber", retry: null, cancellationToken);

    /// <inheritdoc/>
    public async Task<BlockLink?> GetLinkAsync(ulong number, CancellationToken cancellationToken)
    {
        using var answers = await _client.CallAsync(RpcCall.GetBlock(number, withTransactions: false), null, cancellationToken);
        return ParseLink(number, answers[0].Span);
    }

    /// <summary>The id of the chain that the node serves (EIP-155).</summary>
    public Task<ulong> GetChainIdAsync(CancellationToken cancellationToken) => GetNumberAsync("eth_chainId", retry: null, cancellationToken);

    /// <summary>Asks the node what it is and how it does, without trying anything twice.</summary>
    /// <exception cref="RpcException">It does not answer, or not as a node does.</exception>
    public async Task<EvmNodeStatus> ProbeAsync(CancellationToken cancellationToken)
    {
        var chainId = await GetNumberAsync("eth_chainId", RpcRetryPolicy.None, cancellationToken);

        // The first call paid for the connection.
        var start = _time.GetTimestamp();
        var head = await GetNumberAsync("eth_blockNumber", RpcRetryPolicy.None, cancellationToken);
        var latency = _time.GetElapsedTime(start);

        using var receipts = await TryCallAsync(RpcCall.GetBlockReceipts(head), cancellationToken);
        using var version = await TryCallAsync(new RpcCall("web3_clientVersion"), cancellationToken);
        return new EvmNodeStatus(
            version is null ? null : ParseText(version[0].Span),
            chainId,
            head,
            await TryGetFinalizedHeadAsync(cancellationToken),
            latency,
            HasBlockReceipts: receipts is not null);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlockBatch> ReadAsync(BlockRange range, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var reader = new BlockRangeReader(range, _options, _fetcher, this, _time, _logger, cancellationToken);
        BlockLink? last = null;
        while (await reader.ReadAsync() is { } batch)
        {
            try
            {
                last = CheckLinks(last, batch.Blocks);
            }
            catch
            {
                batch.Dispose();
                throw;
            }

            yield return batch;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _client.DisposeAsync();

    /// <summary>An empty batch; disposing it brings it back.</summary>
    internal BlockBatch RentBatch()
    {
        if (!_spareBatches.TryDequeue(out var batch))
        {
            return new BlockBatch(_options.Tables, ReturnBatch);
        }

        Interlocked.Add(ref _spareBytes, -batch.ByteCount);
        batch.Reuse();
        return batch;
    }

    /// <summary>A decoder of one's own, to be given back with <see cref="ReturnDecoder"/>.</summary>
    internal EvmBlockDecoder RentDecoder() => _spareDecoders.TryDequeue(out var decoder) ? decoder : new EvmBlockDecoder();

    /// <summary>Gives a decoder back.</summary>
    internal void ReturnDecoder(EvmBlockDecoder decoder) => _spareDecoders.Enqueue(decoder);

    private static IRpcTransport CreateTransport(EvmRpcOptions options, TimeProvider time) => options.Url.Scheme switch
    {
        "http" or "https" => new HttpRpcTransport(options, time),
        "ws" or "wss" => new DuplexRpcTransport(options, (purpose, token) => WebSocketChannel.ConnectAsync(options, purpose, token), time),
        "file" => new DuplexRpcTransport(options, (_, token) => IpcChannel.ConnectAsync(options.Url.LocalPath, token), time),
        var scheme => throw new AmpException("UnsupportedUrlScheme", AmpErrorKind.InvalidInput, $"The provider {options.NodeName} has a url of scheme {scheme}, which is not supported.")
        {
            Target = options.NodeName,
            RecommendedAction = "Use a url that begins with http://, https://, ws://, wss:// or ipc://, or the path of a socket.",
        },
    };

    private void ReturnBatch(BlockBatch batch)
    {
        // What is spare is held by nobody and charged to nobody: a small part of the budget at most.
        if (Interlocked.Add(ref _spareBytes, batch.ByteCount) <= _options.MemoryBudget / 2)
        {
            _spareBatches.Enqueue(batch);
        }
        else
        {
            Interlocked.Add(ref _spareBytes, -batch.ByteCount);
        }
    }

    private BlockLink CheckLinks(BlockLink? last, List<BlockLink> blocks)
    {
        foreach (var block in blocks)
        {
            if (last is { } previous && previous.Hash != block.ParentHash)
            {
                throw new AmpException(
                    "ChainReorganized",
                    AmpErrorKind.InvalidData,
                    $"Block {block.Number} of {_options.NodeName} has the parent {block.ParentHash}, but block {previous.Number} was read as {previous.Hash}: the chain was reorganized meanwhile.")
                {
                    Target = block.Number,
                    IsTransient = true,
                };
            }

            last = block;
        }

        return last!.Value;
    }

    private async Task<ulong> GetNumberAsync(string method, RpcRetryPolicy? retry, CancellationToken cancellationToken)
    {
        using var answers = await _client.CallAsync(new RpcCall(method), retry, cancellationToken);
        return ParseNumber(method, answers[0].Span);
    }

    private async Task<ulong> GetFinalizedHeadAsync(RpcRetryPolicy? retry, CancellationToken cancellationToken)
    {
        const string method = "eth_getBlockByNumber";
        using var answers = await _client.CallAsync(new RpcCall(method, "[\"finalized\",false]"), retry, cancellationToken);
        return ParseBlockNumber(method, answers[0].Span) ?? throw new AmpException(
            "NoFinalizedBlock", AmpErrorKind.InvalidState, $"{_options.NodeName} does not have a finalized block yet.")
        {
            Target = _options.NodeName,
            IsTransient = true,
            RecommendedAction = "Wait until the chain finalizes blocks, or register a dataset without finalized_blocks_only.",
        };
    }

    private async Task<ulong?> TryGetFinalizedHeadAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await GetFinalizedHeadAsync(RpcRetryPolicy.None, cancellationToken);
        }
        catch (AmpException e) when (e is RpcException { RpcCode: not null } or { ErrorCode: "NoFinalizedBlock" })
        {
            return null;
        }
    }

    // Null when the node itself refuses the call.
    private async Task<RpcAnswers?> TryCallAsync(RpcCall call, CancellationToken cancellationToken)
    {
        try
        {
            return await _client.CallAsync(call, RpcRetryPolicy.None, cancellationToken);
        }
        catch (RpcException e) when (e.RpcCode is not null)
        {
            return null;
        }
    }

    private ulong ParseNumber(string method, ReadOnlySpan<byte> result)
    {
        try
        {
            return new JsonCursor(result).ReadUInt64();
        }
        catch (DecodeException e)
        {
            throw RpcException.InvalidAnswer(_options.NodeName, method, $"it {e.Message}", isTransient: false, e);
        }
    }

    private ulong? ParseBlockNumber(string method, ReadOnlySpan<byte> result)
    {
        try
        {
            var json = new JsonCursor(result);
            if (json.TryNull())
            {
                return null;
            }

            for (var more = json.EnterObject(); more; more = json.NextMember())
            {
                if (json.ReadKey().SequenceEqual("number"u8))
                {
                    return json.ReadUInt64();
                }

                json.SkipValue();
            }

            throw DecodeException.Missing("number");
        }
        catch (DecodeException e)
        {
            throw RpcException.InvalidAnswer(_options.NodeName, method, $"its number {e.Message}", isTransient: false, e);
        }
    }

    private BlockLink? ParseLink(ulong number, ReadOnlySpan<byte> result)
    {
        try
        {
            var json = new JsonCursor(result);
            if (json.TryNull())
            {
                return null;
            }

            Hash32? hash = null;
            Hash32? parentHash = null;
            Span<byte> bytes = stackalloc byte[32];
            for (var more = json.EnterObject(); more; more = json.NextMember())
            {
                var key = json.ReadKey();
                if (key.SequenceEqual("hash"u8))
                {
                    json.ReadBytes(bytes);
                    hash = new Hash32(bytes);
                }
                else if (key.SequenceEqual("parentHash"u8))
                {
                    json.ReadBytes(bytes);
                    parentHash = new Hash32(bytes);
                }
                else
                {
                    json.SkipValue();
                }
            }

            return new BlockLink(
                number,
                hash ?? throw DecodeException.Missing("hash"),
                parentHash ?? throw DecodeException.Missing("parentHash"));
        }
        catch (DecodeException e)
        {
            throw RpcException.InvalidAnswer(_options.NodeName, "eth_getBlockByNumber", $"it {e.Message}", isTransient: false, e);
        }
    }

    private static string? ParseText(ReadOnlySpan<byte> result)
    {
        var reader = new Utf8JsonReader(result);
        return reader.Read() && reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
    }
}
