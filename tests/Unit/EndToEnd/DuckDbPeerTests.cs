using System.Diagnostics;
using Amp.Extraction.DevChains;
using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>The benchmark's DuckDB does the same work: from the same answers it makes the rows that a job writes.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class DuckDbPeerTests(PostgresFixture postgres)
{
    private const string Dataset = "test/peer";

    [ToolFact("postgres", "duckdb")]
    public Task Peer_OnReplayedMainnetBlocks_MakesTheRowsOfAJob() => AssertSameAsync(
        new DevChainOptions { ReplayPath = Path.Combine(TestTools.Fixtures, "evm", "mainnet-15000000.block.json"), BlockCount = 4 });

    [ToolFact("postgres", "duckdb")]
    public Task Peer_OnTransactionsOfAllTypes_MakesTheRowsOfAJob() => AssertSameAsync(new DevChainOptions { BlockCount = 150 });

    private async Task AssertSameAsync(DevChainOptions options)
    {
        await using var chain = await DevChain.StartAsync(options);
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        await deployment.RegisterProviderAsync(chain.Url);
        await deployment.RegisterDatasetAsync(Dataset);
        await using (await deployment.StartWorkerAsync())
        {
            await deployment.CompleteJobAsync(Dataset, (ulong)options.BlockCount - 1);
        }

        var answers = Directory.CreateDirectory(Path.Combine(deployment.Folder, "answers")).FullName;
        await WriteAnswersAsync(chain, options.BlockCount, answers, "blocks", "eth_getBlockByNumber", ",true");
        await WriteAnswersAsync(chain, options.BlockCount, answers, "receipts", "eth_getBlockReceipts", "");
        var output = Path.Combine(deployment.Folder, "peer");
        await RunPeerAsync(answers, output);

        foreach (var table in new[] { "blocks", "transactions", "logs" })
        {
            var peer = $"read_parquet({DuckDb.Quote(Path.Combine(output, $"{table}.parquet"))})";
            Assert.True(await TableRows.AssertSameAsync(await TableRows.SourceAsync(deployment, Dataset, table), peer) > 0);
        }
    }

    private static async Task WriteAnswersAsync(DevChain chain, int count, string folder, string name, string method, string parameters)
    {
        using var client = new RpcClient(chain.Url);
        await using var file = File.CreateText(Path.Combine(folder, $"all.{name}.ndjson"));
        for (var number = 0; number < count; number++)
        {
            await file.WriteLineAsync(await client.PostTextAsync(
                $$"""{"jsonrpc":"2.0","id":1,"method":"{{method}}","params":["{{RpcClient.Hex((ulong)number)}}"{{parameters}}]}"""));
        }
    }

    private static async Task RunPeerAsync(string answers, string output)
    {
        var script = Path.Combine(TestTools.RepositoryRoot, "bench", "peers", "duckdb.mjs");
        using var process = Process.Start(new ProcessStartInfo(TestTools.Require("duckdb"), [script, answers, output])
        {
            WorkingDirectory = Path.Combine(TestTools.RepositoryRoot, "tests", "tools"), RedirectStandardError = true,
        })!;
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, errors);
    }
}
