namespace Amp.Extraction.EvmRpc;

/// <summary>What a node says about itself.</summary>
/// <param name="ClientVersion">Its software, or null when it does not tell.</param>
/// <param name="ChainId">The chain it serves (EIP-155).</param>
/// <param name="Head">Its newest block.</param>
/// <param name="FinalizedHead">Its newest finalized block; null when it has none or does not know the word.</param>
/// <param name="Latency">How long it took to answer a small call.</param>
/// <param name="HasBlockReceipts">Whether it has <c>eth_getBlockReceipts</c>; if not, receipts are fetched one by one.</param>
internal sealed record EvmNodeStatus(
    string? ClientVersion, ulong ChainId, ulong Head, ulong? FinalizedHead, TimeSpan Latency, bool HasBlockReceipts);
