using System.Globalization;
using System.Text;

namespace Amp.Extraction.EvmRpc;

/// <summary>A small block with a transaction of each type and with the odd shapes that nodes write.</summary>
internal static class HandWrittenBlock
{
    public const ulong Number = 22_000_000;

    private static readonly string BlockHash = Hash("b1");

    // All eight carry what every transaction has; the rest is theirs.
    private static readonly string[] Transactions =
    [
        // Before EIP-155, a contract creation.
        """ "type":"0x0","to":null,"nonce":"0x0","gasPrice":"0x3b9aca00","value":"0x0","v":"0x1c","r":"0x1","s":"0x2" """,

        // EIP-155 without a chain id of its own (chain 5), short r, the largest value, digits in upper case.
        $""" "to":"{Address("AB")}","nonce":"0xFF","gasPrice":"0x0","value":"0x{new string('f', 64)}","v":"0x2e","r":"0xabc","s":"{Hash("1")}" """,

        // A value of more than 64 and less than 128 bits.
        $""" "type":"0x0","to":"{Address("ac")}","nonce":"0x7","gasPrice":"0x1","value":"0xde0b6b3a76400000000","v":"0x25","chainId":"0x1","r":"{Hash("e")}","s":"{Hash("1")}" """,

        $$""" "type":"0x1","to":"{{Address("a")}}","nonce":"0x1","gasPrice":"0x5","value":"0x1","chainId":"0x1","v":"0x1","r":"0x1","s":"0x2","accessList":[{"address":"{{Address("c")}}","storageKeys":["{{Hash("1")}}","{{Hash("2")}}"]},{"address":"{{Address("d")}}","storageKeys":[]}] """,
        $""" "type":"0x2","to":"{Address("a")}","nonce":"0x1","gasPrice":"0x5","maxFeePerGas":"0x9","maxPriorityFeePerGas":"0x3","value":"0x1","chainId":"0x1","v":"0x0","yParity":"0x0","r":"0x1","s":"0x2","accessList":[] """,
        $""" "type":"0x3","to":"{Address("a")}","nonce":"0x1","gasPrice":"0x5","maxFeePerGas":"0x9","maxPriorityFeePerGas":"0x3","maxFeePerBlobGas":"0x7","blobVersionedHashes":["{Hash("01")}","{Hash("02")}"],"value":"0x1","chainId":"0x1","yParity":"0x1","r":"0x1","s":"0x2","accessList":[] """,
        $$""" "type":"0x4","to":"{{Address("a")}}","nonce":"0x1","gasPrice":"0x5","maxFeePerGas":"0x9","maxPriorityFeePerGas":"0x3","value":"0x1","chainId":"0x1","v":"0x0","r":"0x1","s":"0x2","accessList":[{"address":"{{Address("c")}}","storageKeys":["{{Hash("1")}}"]}],"authorizationList":[{"chainId":"0x1","address":"{{Address("e")}}","nonce":"0x5","yParity":"0x1","r":"0x12","s":"0x3"},{"chainId":"0x0","address":"{{Address("f")}}","nonce":"0x6","yParity":"0x0","r":"{{Hash("12")}}","s":"0x3"}] """,

        // A deposit of the OP stack.
        $""" "type":"0x7e","to":"{Address("a")}","nonce":null,"gasPrice":"0x0","value":"0x1","sourceHash":"{Hash("aa")}","mint":null,"isSystemTx":false """,
    ];

    /// <summary>Block and receipts as a node would answer them.</summary>
    public static (string Block, string Receipts) Create(bool isBeforeByzantium = false)
    {
        var transactions = Transactions.Select((own, i) =>
            $$"""{"blockHash":"{{BlockHash}}","blockNumber":"{{Hex(Number)}}","hash":"{{Hash(TransactionId(i))}}","transactionIndex":"{{Hex((ulong)i)}}","from":"{{Address("f0")}}","gas":"0x5208","input":"0x{{new string('a', i * 2)}}",{{own}}}""");
        var block = $$"""
            {"number":"{{Hex(Number)}}","hash":"{{BlockHash}}","parentHash":"{{Hash("b0")}}","sha3Uncles":"{{Hash("3")}}","miner":"{{Address("4")}}",
             "stateRoot":"{{Hash("5")}}","transactionsRoot":"{{Hash("6")}}","receiptsRoot":"{{Hash("7")}}","logsBloom":"0x{{new string('0', 512)}}",
             "difficulty":"0x4b3b4ca85a86c47a098a223fffffffff","totalDifficulty":"0x0","gasLimit":"0xffffffffffffffff","gasUsed":"0x29040","extraData":"0x",
             "mixHash":"{{Hash("8")}}","nonce":"0x0000000000000042","timestamp":"0x68000000","size":"0x100","uncles":[],
             "baseFeePerGas":"0x7","withdrawalsRoot":"{{Hash("9")}}","withdrawals":[{"index":"0x1","address":"{{Address("1")}}"}],"blobGasUsed":"0x40000","excessBlobGas":"0x0",
             "parentBeaconBlockRoot":"{{Hash("a")}}","requestsHash":"{{Hash("b")}}","transactions":[{{string.Join(",\n", transactions)}}]}
            """;

        var logIndex = 0;
        var receipts = new StringBuilder("[");
        for (var i = 0; i < Transactions.Length; i++)
        {
            var outcome = isBeforeByzantium ? $"\"root\":\"{Hash("ee")}\",\"status\":null" : $"\"status\":\"{(i % 3 == 2 ? "0x0" : "0x1")}\",\"root\":\"0x\"";
            var logs = Enumerable.Range(0, i % 6 == 5 ? 0 : i % 6).Select(topics =>
                $$"""{"address":"{{Address("99")}}","topics":[{{string.Join(',', Enumerable.Range(0, topics).Select(t => $"\"{Hash($"{t}")}\""))}}],"data":"0x{{new string('c', topics * 66)}}","blockHash":"{{BlockHash}}","blockNumber":"{{Hex(Number)}}","transactionHash":"{{Hash(TransactionId(i))}}","transactionIndex":"{{Hex((ulong)i)}}","logIndex":"{{Hex((ulong)logIndex++)}}","removed":false}""");
            receipts.Append(CultureInfo.InvariantCulture, $$"""{{(i > 0 ? "," : "")}}{"transactionHash":"{{Hash(TransactionId(i))}}","transactionIndex":"{{Hex((ulong)i)}}","blockHash":"{{BlockHash}}","cumulativeGasUsed":"0x{{i + 1}}","gasUsed":"0x5208",{{outcome}},"logs":[{{string.Join(',', logs)}}],"logsBloom":"0x00"}""");
        }

        return (block, receipts.Append(']').ToString());
    }

    private static string TransactionId(int index) => $"f{index}";

    private static string Hash(string digits) => "0x" + digits.PadLeft(64, '0');

    private static string Address(string digits) => "0x" + digits.PadLeft(40, '0');

    private static string Hex(ulong number) => $"0x{number:x}";
}
