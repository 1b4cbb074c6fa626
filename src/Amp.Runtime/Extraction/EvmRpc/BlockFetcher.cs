using Microsoft.Extensions.Logging;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// Asks a node for blocks and what their tables need of receipts. Finds out whether the node has
/// <c>eth_getBlockReceipts</c>, and asks for the receipt of each transaction when it has not. Safe for use by several
/// readers at once.
/// </summary>
internal sealed class BlockFetcher(JsonRpcClient client, EvmRpcOptions options, ILogger logger)
{
    private const string BlockReceipts = "eth_getBlockReceipts";

    private readonly bool _needsTransactions = EvmBlockDecoder.NeedsTransactions(options.Tables);
    private readonly bool _needsReceipts = EvmBlockDecoder.NeedsReceipts(options.Tables);
    private int _isPerTransaction = options.FetchReceiptsPerTx ? 1 : 0;

    private bool IsPerTransaction => Volatile.Read(ref _isPerTransaction) != 0;

    /// <summary>How many blocks fit into one request, receipts included where they can be asked for beforehand.</summary>
    public int BlocksPerRequest => Math.Max(1, _needsReceipts && !IsPerTransaction ? options.RpcBatchSize / 2 : options.RpcBatchSize);

    /// <summary>The parts of a range that are fetched by one request each.</summary>
    public List<BlockRange> Split(BlockRange blocks)
    {
        var parts = new List<BlockRange>();
        var size = (ulong)BlocksPerRequest;
        for (var offset = 0ul; offset < blocks.Count; offset += size)
        {
            parts.Add(new BlockRange(blocks.Start + offset, blocks.Start + Math.Min(offset + size, blocks.Count) - 1));
        }

        return parts;
    }

    /// <summary>Fetches some blocks; the caller disposes what comes.</summary>
    public async Task<FetchedBlocks> FetchAsync(BlockRange blocks, CancellationToken cancellationToken)
    {
        if (!_needsReceipts || IsPerTransaction)
        {
            return await FetchAsync(blocks, withReceipts: false, cancellationToken);
        }

        try
        {
            return await FetchAsync(blocks, withReceipts: true, cancellationToken);
        }
        catch (RpcException e) when (e.Method == BlockReceipts && e.IsMethodMissing)
        {
            if (Interlocked.Exchange(ref _isPerTransaction, 1) == 0)
            {
                Log.BlockReceiptsMissing(logger, options.NodeName, e.Message);
            }
        }
        catch (RpcException e) when (e is { Complaint: RpcComplaint.Size, IsTransient: false })
        {
            // The receipts of one block are more than the node gives at once; those of the next ones may not be. If it was
            // the block itself, that fails again.
        }

        return await FetchAsync(blocks, withReceipts: false, cancellationToken);
    }

    private async Task<FetchedBlocks> FetchAsync(BlockRange blocks, bool withReceipts, CancellationToken cancellationToken)
    {
        var count = (int)blocks.Count;
        var calls = new List<RpcCall>(count * 2);
        for (var i = 0; i < count; i++)
        {
            var number = blocks.Start + (ulong)i;
            calls.Add(RpcCall.GetBlock(number, _needsTransactions));
            if (withReceipts)
            {
                calls.Add(RpcCall.GetBlockReceipts(number));
            }
        }

        var answers = await client.CallAsync([.. calls], retry: null, cancellationToken);
        if (!_needsReceipts || withReceipts)
        {
            return new FetchedBlocks(blocks.Start, answers, withReceipts ? 2 : 1);
        }

        try
        {
            return await FetchReceiptsAsync(blocks, answers, cancellationToken);
        }
        catch
        {
            answers.Dispose();
            throw;
        }
    }

    private async Task<FetchedBlocks> FetchReceiptsAsync(BlockRange blocks, RpcAnswers answers, CancellationToken cancellationToken)
    {
        var decoder = new EvmBlockDecoder();
        var calls = new List<RpcCall>();
        var ends = new int[blocks.Count];
        for (var i = 0; i < ends.Length; i++)
        {
            var number = blocks.Start + (ulong)i;
            if (!answers[i].Span.SequenceEqual("null"u8))
            {
                calls.AddRange(decoder.ReadTransactionHashes(number, answers[i].Span).Select(hash => RpcCall.GetTransactionReceipt(number, hash)));
            }

            ends[i] = calls.Count;
        }

        var receipts = await client.CallAsync([.. calls], retry: null, cancellationToken);
        return new FetchedBlocks(blocks.Start, answers, callsPerBlock: 1, receipts, ends);
    }
}

/// <summary>A node's answers for consecutive blocks, in pooled memory that goes back on <see cref="Dispose"/>.</summary>
internal sealed class FetchedBlocks(
    ulong start, RpcAnswers answers, int callsPerBlock, RpcAnswers? receipts = null, int[]? receiptEnds = null) : IDisposable
{
    /// <summary>Bytes of memory that the answers take.</summary>
    public long ByteCount => answers.ByteCount + (receipts?.ByteCount ?? 0);

    /// <summary>Decodes one of the blocks into a batch.</summary>
    public void Decode(ulong number, EvmBlockDecoder decoder, BlockBatch batch)
    {
        var index = (int)(number - start);
        var block = answers[index * callsPerBlock];
        if (receipts is null)
        {
            decoder.Decode(number, block, callsPerBlock == 2 ? answers[(index * 2) + 1] : default, batch);
            return;
        }

        var first = index == 0 ? 0 : receiptEnds![index - 1];
        decoder.Decode(number, block, [.. Enumerable.Range(first, receiptEnds![index] - first).Select(i => receipts[i])], batch);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        answers.Dispose();
        receipts?.Dispose();
    }
}
