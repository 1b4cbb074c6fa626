using System.Diagnostics;
using Amp.Extraction.DevChains;
using Amp.Support;

namespace Amp.Extraction.Crypto;

/// <summary>A real node's blocks after Prague prove the newer header fields and typed transactions that mainnet's block of 2022 lacks.</summary>
public sealed class AnvilBlockTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [ToolFact("anvil")]
    public async Task HashesAndRoots_OfPragueBlocks_AreTheNodes()
    {
        var start = new ProcessStartInfo(TestTools.Require("anvil"), ["--port", "0", "--hardfork", "prague"]) { RedirectStandardOutput = true };
        using var anvil = Process.Start(start)!;
        try
        {
            using var client = new RpcClient(await UrlOfAsync(anvil).WaitAsync(Deadline));
            var accounts = (await client.CallAsync("eth_accounts")).EnumerateArray().Select(account => account.GetString()!).ToArray();
            object[] transactions =
            [
                new { from = accounts[0], to = accounts[1], value = "0x38d7ea4c68000", gasPrice = "0x77359400", type = "0x0" },
                new
                {
                    from = accounts[0], to = accounts[1], gasPrice = "0x77359400", type = "0x1",
                    accessList = (object[])
                    [
                        new { address = accounts[2], storageKeys = (string[])["0x" + new string('1', 64), "0x" + new string('0', 64)] },
                        new { address = accounts[3], storageKeys = Array.Empty<string>() },
                    ],
                },

                // Creates a contract; its constructor writes a log with one topic: PUSH1 7, PUSH1 0, PUSH1 0, LOG1.
                new { from = accounts[0], data = "0x600760006000a1", gas = "0x186a0" },
                new { from = accounts[4], to = accounts[5], value = "0x1" },
            ];

            foreach (var transaction in transactions)
            {
                await client.CallAsync("eth_sendTransaction", transaction);
            }

            var types = new HashSet<string>();
            for (var number = 0UL; number <= (ulong)transactions.Length; number++)
            {
                var answer = await client.CallAsync("eth_getBlockByNumber", RpcClient.Hex(number), true);
                var block = new JsonBlock(answer, await client.CallAsync("eth_getBlockReceipts", RpcClient.Hex(number)));
                Assert.True(answer.TryGetProperty("requestsHash", out _));
                AssertField("hash", block.Hash());
                AssertField("transactionsRoot", block.TransactionsRoot());
                AssertField("receiptsRoot", block.ReceiptsRoot());
                AssertField("logsBloom", JsonBlock.Bloom(block.Receipts));
                AssertField("withdrawalsRoot", block.WithdrawalsRoot());
                foreach (var transaction in block.Transactions)
                {
                    types.Add(transaction.GetProperty("type").GetString()!);
                    Assert.Equal(transaction.GetProperty("hash").GetString(), JsonBlock.TransactionHash(transaction));
                }

                void AssertField(string name, string actual) => Assert.Equal(answer.GetProperty(name).GetString(), actual);
            }

            Assert.Equal(["0x0", "0x1", "0x2"], types.Order());
        }
        finally
        {
            anvil.Kill();
            await anvil.WaitForExitAsync();
        }
    }

    private static async Task<Uri> UrlOfAsync(Process anvil)
    {
        while (await anvil.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("Listening on ", StringComparison.Ordinal))
            {
                return new Uri($"http://{line["Listening on ".Length..]}/");
            }
        }

        throw new InvalidOperationException("anvil ended before it listened");
    }
}
