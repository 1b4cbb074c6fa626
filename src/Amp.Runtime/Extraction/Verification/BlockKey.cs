namespace Amp.Extraction.Verification;

/// <summary>What a block's rows in every table share.</summary>
/// <param name="number">The block's number.</param>
/// <param name="hash">Its hash.</param>
/// <param name="timestamp">Its time in nanoseconds.</param>
internal readonly ref struct BlockKey(ulong number, ReadOnlySpan<byte> hash, ulong timestamp)
{
    /// <summary>The block's number.</summary>
    public ulong Number { get; } = number;

    /// <summary>Its hash.</summary>
    public ReadOnlySpan<byte> Hash { get; } = hash;

    /// <summary>Its time in nanoseconds.</summary>
    public ulong Timestamp { get; } = timestamp;
}
