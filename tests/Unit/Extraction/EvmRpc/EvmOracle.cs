using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// What the three tables must hold for a node's answer, worked out the slow and plain way, in the form of
/// <see cref="BatchRows"/>. Shares nothing with the decoder.
/// </summary>
internal static class EvmOracle
{
    public static List<string> Blocks(JsonElement block)
    {
        var number = Number(block, "number");
        return
        [
            Row(
                ("_block_num", number),
                ("block_num", number),
                ("timestamp", Nanos(block)),
                ("hash", Text(block, "hash")),
                ("parent_hash", Text(block, "parentHash")),
                ("ommers_hash", Text(block, "sha3Uncles")),
                ("miner", Text(block, "miner")),
                ("state_root", Text(block, "stateRoot")),
                ("transactions_root", Text(block, "transactionsRoot")),
                ("receipt_root", Text(block, "receiptsRoot")),
                ("logs_bloom", Text(block, "logsBloom")),
                ("difficulty", Number(block, "difficulty")),
                ("total_difficulty", Number(block, "totalDifficulty")),
                ("gas_limit", Number(block, "gasLimit")),
                ("gas_used", Number(block, "gasUsed")),
                ("extra_data", Text(block, "extraData")),
                ("mix_hash", Has(block, "mixHash") ? Text(block, "mixHash") : Zeros),
                ("nonce", Has(block, "nonce") ? Number(block, "nonce") : "0"),
                ("base_fee_per_gas", Number(block, "baseFeePerGas")),
                ("withdrawals_root", Text(block, "withdrawalsRoot")),
                ("blob_gas_used", Number(block, "blobGasUsed")),
                ("excess_blob_gas", Number(block, "excessBlobGas")),
                ("parent_beacon_root", Text(block, "parentBeaconBlockRoot")),
                ("requests_hash", Text(block, "requestsHash"))),
        ];
    }

    public static List<string> Transactions(JsonElement block, JsonElement receipts) =>
        [.. block.GetProperty("transactions").EnumerateArray().Zip(receipts.EnumerateArray(), (tx, receipt) => Transaction(block, tx, receipt))];

    public static List<string> Logs(JsonElement block, JsonElement receipts) =>
        [.. receipts.EnumerateArray().SelectMany(receipt => receipt.GetProperty("logs").EnumerateArray()).Select(log => Log(block, log))];

    private const string Zeros = "0x0000000000000000000000000000000000000000000000000000000000000000";

    private static string Transaction(JsonElement block, JsonElement tx, JsonElement receipt)
    {
        var type = Has(tx, "type") ? int.Parse(Number(tx, "type"), CultureInfo.InvariantCulture) : 0;
        var isKnown = type <= 4;
        var v = Has(tx, "v") ? BigInteger.Parse(Number(tx, "v"), CultureInfo.InvariantCulture) : 0;
        var hasOldOutcome = !Has(receipt, "status");
        return Row(
            ("_block_num", Number(block, "number")),
            ("block_hash", Text(tx, "blockHash")),
            ("block_num", Number(tx, "blockNumber")),
            ("timestamp", Nanos(block)),
            ("tx_index", Number(tx, "transactionIndex")),
            ("tx_hash", Text(tx, "hash")),
            ("to", Text(tx, "to")),
            ("nonce", Has(tx, "nonce") ? Number(tx, "nonce") : "0"),
            ("gas_price", type < 2 ? Number(tx, "gasPrice") : "null"),
            ("gas_limit", Number(tx, "gas")),
            ("value", Number(tx, "value")),
            ("input", Text(tx, "input")),
            ("r", isKnown ? Padded(tx, "r") : Zeros),
            ("s", isKnown ? Padded(tx, "s") : Zeros),
            ("v_parity", Bool(isKnown && (Has(tx, "yParity") ? Number(tx, "yParity") == "1" : v >= 27 ? (v - 27) % 2 == 1 : v == 1))),
            ("chain_id", !isKnown ? "null" : Has(tx, "chainId") ? Number(tx, "chainId")
                : type == 0 && v >= 35 ? ((v - 35) / 2).ToString(CultureInfo.InvariantCulture) : "null"),
            ("gas_used", Number(receipt, "gasUsed")),
            ("type", type.ToString(CultureInfo.InvariantCulture)),
            ("max_fee_per_gas", type < 2 ? Number(tx, "gasPrice") : Has(tx, "maxFeePerGas") ? Number(tx, "maxFeePerGas") : "0"),
            ("max_priority_fee_per_gas", type < 2 ? "null" : Number(tx, "maxPriorityFeePerGas")),
            ("max_fee_per_blob_gas", type is 3 or > 4 ? Number(tx, "maxFeePerBlobGas") : "null"),
            ("from", Text(tx, "from")),
            ("status", Bool(hasOldOutcome || Number(receipt, "status") == "1")),
            ("state_root", hasOldOutcome ? Text(receipt, "root") : "null"),
            ("access_list", type is >= 1 and <= 4 ? List(tx, "accessList", entry =>
                $"{{address:{Text(entry, "address")}, storage_keys:{List(entry, "storageKeys", Text)}}}") : "null"),
            ("blob_versioned_hashes", type == 3 ? List(tx, "blobVersionedHashes", Text) : "null"),
            ("authorization_list", type == 4 ? List(tx, "authorizationList", entry =>
                $"{{chain_id:{Number(entry, "chainId")}, address:{Text(entry, "address")}, nonce:{Number(entry, "nonce")}, " +
                $"y_parity:{Bool(Number(entry, "yParity") == "1")}, r:{Padded(entry, "r")}, s:{Padded(entry, "s")}}}") : "null"));
    }

    private static string Log(JsonElement block, JsonElement log)
    {
        var topics = log.GetProperty("topics").EnumerateArray().Select(Text).ToList();
        return Row(
        [
            ("_block_num", Number(block, "number")),
            ("block_hash", Text(log, "blockHash")),
            ("block_num", Number(log, "blockNumber")),
            ("timestamp", Nanos(block)),
            ("tx_hash", Text(log, "transactionHash")),
            ("tx_index", Number(log, "transactionIndex")),
            ("log_index", Number(log, "logIndex")),
            ("address", Text(log, "address")),
            .. Enumerable.Range(0, 4).Select(i => ($"topic{i}", i < topics.Count ? topics[i] : "null")),
            ("data", Text(log, "data")),
        ]);
    }

    private static string Row(params (string Name, string Value)[] cells)
    {
        var row = new StringBuilder();
        foreach (var (name, value) in cells)
        {
            row.Append(name).Append('=').Append(value).Append('\n');
        }

        return row.ToString();
    }

    private static bool Has(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null;

    private static string Text(JsonElement element) => element.GetString()!.ToLowerInvariant();

    private static string Text(JsonElement element, string name) => Has(element, name) ? Text(element.GetProperty(name)) : "null";

    private static string Number(JsonElement element, string name) =>
        Has(element, name)
            ? BigInteger.Parse("0" + Text(element, name)[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture)
            : "null";

    private static string Nanos(JsonElement block) => Number(block, "timestamp") + "000000000";

    private static string Padded(JsonElement element, string name) => "0x" + Text(element, name)[2..].PadLeft(64, '0');

    private static string Bool(bool value) => value ? "true" : "false";

    private static string List(JsonElement element, string name, Func<JsonElement, string> format) =>
        $"[{string.Join(", ", element.GetProperty(name).EnumerateArray().Select(format))}]";
}
