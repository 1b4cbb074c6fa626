using System.Text.Json;

namespace Amp.Extraction.Crypto;

/// <summary>
/// Hashes and roots recomputed from what a node answered, field by field as the yellow paper and the EIPs list them;
/// shares no code with whatever made the answer but Keccak, RLP and the trie.
/// </summary>
internal sealed class JsonBlock(JsonElement block, JsonElement receipts)
{
    private static readonly string[] HeaderFields =
    [
        "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty#",
        "number#", "gasLimit#", "gasUsed#", "timestamp#", "extraData", "mixHash", "nonce", "baseFeePerGas#",
        "withdrawalsRoot", "blobGasUsed#", "excessBlobGas#", "parentBeaconBlockRoot", "requestsHash",
    ];

    private static readonly string[][] TransactionFields =
    [
        ["nonce#", "gasPrice#", "gas#", "to", "value#", "input", "v#", "r#", "s#"],
        ["chainId#", "nonce#", "gasPrice#", "gas#", "to", "value#", "input", "accessList", "v#", "r#", "s#"],
        ["chainId#", "nonce#", "maxPriorityFeePerGas#", "maxFeePerGas#", "gas#", "to", "value#", "input", "accessList", "v#", "r#", "s#"],
        ["chainId#", "nonce#", "maxPriorityFeePerGas#", "maxFeePerGas#", "gas#", "to", "value#", "input", "accessList",
            "maxFeePerBlobGas#", "blobVersionedHashes", "v#", "r#", "s#"],
        ["chainId#", "nonce#", "maxPriorityFeePerGas#", "maxFeePerGas#", "gas#", "to", "value#", "input", "accessList",
            "authorizationList", "v#", "r#", "s#"],
    ];

    public JsonElement Block => block;

    public JsonElement[] Transactions { get; } = [.. block.GetProperty("transactions").EnumerateArray()];

    public JsonElement[] Receipts { get; } = [.. receipts.EnumerateArray()];

    public string Hash() => Keccak(Fields(block, HeaderFields.Where(field => block.TryGetProperty(field.TrimEnd('#'), out _))));

    public string TransactionsRoot() => Root(Transactions.Select(EncodeTransaction));

    public string ReceiptsRoot() => Root(Receipts.Select(EncodeReceipt));

    public string WithdrawalsRoot() => Root(block.GetProperty("withdrawals").EnumerateArray()
        .Select(withdrawal => Fields(withdrawal, ["index#", "validatorIndex#", "address", "amount#"])));

    public static string TransactionHash(JsonElement transaction) => Keccak(EncodeTransaction(transaction));

    public static string Bloom(IEnumerable<JsonElement> receipts)
    {
        var bloom = new byte[256];
        foreach (var log in receipts.SelectMany(receipt => receipt.GetProperty("logs").EnumerateArray()))
        {
            LogsBloom.Add(bloom, Bytes(log.GetProperty("address")));
            foreach (var topic in log.GetProperty("topics").EnumerateArray())
            {
                LogsBloom.Add(bloom, Bytes(topic));
            }
        }

        return "0x" + Convert.ToHexStringLower(bloom);
    }

    /// <summary>Bytes of the whole block in RLP.</summary>
    public int Size()
    {
        var items = Transactions.Select(EncodeTransaction).Select(item => item[0] < 0x80 ? Text(item) : item);
        var withdrawals = block.GetProperty("withdrawals").EnumerateArray()
            .Select(withdrawal => Fields(withdrawal, ["index#", "validatorIndex#", "address", "amount#"]));
        return List([Fields(block, HeaderFields), List(items), List([]), List(withdrawals)]).Length;
    }

    private static byte[] EncodeTransaction(JsonElement transaction)
    {
        var type = Type(transaction);
        return Typed(type, Fields(transaction, TransactionFields[type]));
    }

    private static byte[] EncodeReceipt(JsonElement receipt)
    {
        var logs = receipt.GetProperty("logs").EnumerateArray().Select(log => Fields(log, ["address", "topics", "data"]));
        return Typed(Type(receipt), List([
            Number(receipt.GetProperty("status")), Number(receipt.GetProperty("cumulativeGasUsed")),
            Text(Convert.FromHexString(Bloom([receipt]).AsSpan(2))), List(logs)]));
    }

    private static int Type(JsonElement element) => Convert.ToInt32(element.GetProperty("type").GetString()![2..], 16);

    private static byte[] Typed(int type, byte[] encoded) => type == 0 ? encoded : [(byte)type, .. encoded];

    private static byte[] Fields(JsonElement element, IEnumerable<string> fields) =>
        List(fields.Select(field => field switch
        {
            [.., '#'] => Number(element.GetProperty(field[..^1])),
            _ => Item(element.GetProperty(field)),
        }));

    private static byte[] Item(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Null => Text([]),
        JsonValueKind.Array => List(element.EnumerateArray().Select(Item)),
        JsonValueKind.Object when element.TryGetProperty("storageKeys", out _) => Fields(element, ["address", "storageKeys"]),
        JsonValueKind.Object => Fields(element, ["chainId#", "address", "nonce#", "yParity#", "r#", "s#"]),
        _ => Text(Bytes(element)),
    };

    private static byte[] Bytes(JsonElement element) => Convert.FromHexString(element.GetString().AsSpan(2));

    private static byte[] Number(JsonElement element)
    {
        var digits = element.GetString()![2..].TrimStart('0');
        return Text(Convert.FromHexString(digits.Length % 2 == 1 ? "0" + digits : digits));
    }

    private static byte[] Text(byte[] value)
    {
        var writer = new RlpWriter();
        writer.WriteBytes(value);
        return writer.Written.ToArray();
    }

    private static byte[] List(IEnumerable<byte[]> items)
    {
        var writer = new RlpWriter();
        var list = writer.BeginList();
        foreach (var item in items)
        {
            writer.WriteRaw(item);
        }

        writer.EndList(list);
        return writer.Written.ToArray();
    }

    private static string Root(IEnumerable<byte[]> items) =>
        MerklePatriciaTrie.Root([.. items.Select(item => (ReadOnlyMemory<byte>)item)]).ToString();

    private static string Keccak(byte[] data) => Keccak256.Hash(data).ToString();
}
