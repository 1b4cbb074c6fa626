using System.Globalization;

namespace Amp.Extraction.EvmRpc;

/// <summary>A call to be made.</summary>
/// <param name="Method">Name of the method.</param>
/// <param name="Parameters">Its parameters, a list in JSON.</param>
/// <param name="Block">The block it is about, for errors.</param>
internal readonly record struct RpcCall(string Method, string Parameters = "[]", ulong? Block = null)
{
    /// <summary>A block with its transactions, whole or as hashes.</summary>
    public static RpcCall GetBlock(ulong number, bool withTransactions) =>
        new("eth_getBlockByNumber", string.Create(CultureInfo.InvariantCulture, $"[\"0x{number:x}\",{(withTransactions ? "true" : "false")}]"), number);

    /// <summary>All receipts of a block.</summary>
    public static RpcCall GetBlockReceipts(ulong number) =>
        new("eth_getBlockReceipts", string.Create(CultureInfo.InvariantCulture, $"[\"0x{number:x}\"]"), number);

    /// <summary>The receipt of one transaction.</summary>
    public static RpcCall GetTransactionReceipt(ulong number, string hash) => new("eth_getTransactionReceipt", $"[\"{hash}\"]", number);

    /// <summary>Method and block, for people.</summary>
    public override string ToString() =>
        Block is { } block ? string.Create(CultureInfo.InvariantCulture, $"{Method} for block {block}") : Method;
}
