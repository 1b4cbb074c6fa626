namespace Amp.Extraction;

/// <summary>Where blocks come from. One per job; safe for use by several readers at once.</summary>
internal interface IBlockSource : IAsyncDisposable
{
    /// <summary>Number of the newest block the source has; the newest finalized one when asked for.</summary>
    Task<ulong> GetHeadAsync(bool finalized, CancellationToken cancellationToken);

    /// <summary>A block's hash and its parent's; null when the chain has no block of that number.</summary>
    Task<BlockLink?> GetLinkAsync(ulong number, CancellationToken cancellationToken);

    /// <summary>
    /// The blocks of a range, decoded, in rising order and without gaps; each batch holds one or more consecutive
    /// blocks. Whoever takes a batch disposes it, which hands its memory back. The source fetches and decodes ahead,
    /// within a bound. Errors are <see cref="AmpException"/>s that name the block and say whether they are transient.
    /// </summary>
    IAsyncEnumerable<BlockBatch> ReadAsync(BlockRange range, CancellationToken cancellationToken);
}
