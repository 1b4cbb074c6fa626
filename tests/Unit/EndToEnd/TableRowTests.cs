using System.Text.Json.Nodes;
using Amp.Extraction.DevChains;
using Amp.Extraction.EvmRpc;
using Amp.Extraction.Rows;
using Amp.Parquet;
using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>Rows that are read here against those that DuckDB reads from the same files.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class TableRowTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Dataset = "test/rows";
    private const ulong LastBlock = 149;
    private static readonly string[] AllTables = ["blocks", "transactions", "logs"];

    private DevChain _chain = null!;
    private TestDeployment _deployment = null!;

    public async Task InitializeAsync()
    {
        _chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)LastBlock + 1, TransactionsPerBlock = 6 });
        _deployment = await ExtractAsync(Dataset, "devnet", _chain, 0, LastBlock, ("writer.bytes", "20000"));
    }

    public async Task DisposeAsync()
    {
        await _deployment.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Rows_OfADevChain_AreThoseOfDuckDb() => await AssertSameAsync(_deployment, Dataset);

    [ToolFact("postgres", "duckdb")]
    public async Task Rows_OfTheMainnetBlock_AreThoseOfDuckDb()
    {
        const ulong First = MainnetBlock.Number - 2;
        await using var chain = await DevChain.StartAsync(new DevChainOptions
        {
            ReplayPath = Path.Combine(TestTools.Fixtures, "evm", "mainnet-15000000.block.json"), FirstBlock = First, BlockCount = 5, VaryReplay = false, Seed = 15,
        });
        await using var deployment = await ExtractAsync("ethereum/mainnet", "mainnet", chain, First, First + 4, ("writer.bytes", "1000000000"), ("writer.segment_flush_interval_secs", "600"));

        await AssertSameAsync(deployment, "ethereum/mainnet");
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Rows_OfBlocks_AreThoseOfDuckDb()
    {
        foreach (var (blocks, condition) in new (AmpBlockRange[], string)[]
        {
            ([new(0)], "= 0"), ([new(77)], "= 77"), ([new(20, 99), new(90, 120)], "BETWEEN 20 AND 120"), ([new("140..")], ">= 140"), ([new("..3"), new(5)], "IN (0, 1, 2, 3, 5)"),
        })
        {
            foreach (var table in AllTables)
            {
                var expected = await DuckDb.QueryAsync(
                    $"SELECT * FROM {await TableRows.SourceAsync(_deployment, Dataset, table)} WHERE block_num {condition} ORDER BY {Order(table)}");

                AssertSame(expected.Select(row => row.GetRawText()), await ReadAsync(table, new RowSelection { Blocks = blocks }));
            }
        }
    }

    [ToolFact("postgres")]
    public async Task Rows_OfBlocksInOneFile_OpenNoOther()
    {
        var files = await _deployment.FilesAsync(Dataset, "logs");
        Assert.True(files.Count > 4);
        var wanted = files[2];
        foreach (var other in files.Where(file => file.FileId != wanted.FileId))
        {
            File.Delete(other.FullName);
        }

        var rows = await ReadAsync("logs", new RowSelection { Blocks = [new(wanted.StartBlock, wanted.EndBlock)] });

        Assert.Equal((await _deployment.Deployment.Tables.WithRowCountAsync(wanted, CancellationToken.None)).RowCount, rows.Count);
    }

    [ToolFact("postgres")]
    public async Task First_EndsBeforeTheNextFile()
    {
        var files = await _deployment.FilesAsync(Dataset, "blocks");
        foreach (var other in files.Skip(1))
        {
            await File.WriteAllTextAsync(other.FullName, "damaged");
        }

        var count = (int)(files[0].EndBlock - files[0].StartBlock) + 1;
        var rows = await ReadAsync("blocks", new RowSelection { First = count });
        Assert.Equal(Enumerable.Range(0, count).Select(number => (ulong)number), rows.Select(row => (ulong)row.Values[1]!));

        var error = await Assert.ThrowsAsync<AmpException>(() => ReadAsync("blocks", new RowSelection { First = count + 1 }));
        Assert.Equal("ParquetFileInvalid", error.ErrorCode);
        Assert.Equal(files[1].FullName, error.Target);
        Assert.Contains($"Repair-AmpTable {Dataset} blocks", error.RecommendedAction, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Last_GivesTheEnd_AndOpensNoEarlierFile()
    {
        var all = await ReadAsync("transactions", new RowSelection());
        foreach (var last in new[] { 1, 7, 100, all.Count, all.Count + 1 })
        {
            AssertSame(all.TakeLast(last).Select(Json), await ReadAsync("transactions", new RowSelection { Last = last }));
        }

        File.Delete((await _deployment.FilesAsync(Dataset, "transactions"))[0].FullName);
        AssertSame(all.TakeLast(9).Select(Json), await ReadAsync("transactions", new RowSelection { Last = 9 }));
    }

    [ToolFact("postgres")]
    public async Task Rows_AfterAReorg_AreTheCanonicalOnes()
    {
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 60 });
        await using var deployment = await ExtractAsync("test/reorg", "devnet", chain, 0, 59, ("writer.bytes", "2000"));
        await chain.ReorganizeAsync(depth: 20, replacements: 40);
        await using (await deployment.StartWorkerAsync())
        {
            await deployment.CompleteJobAsync("test/reorg", 79);
        }

        Assert.Contains(await deployment.FilesAsync("test/reorg", "blocks"), file => !file.IsCanonical);
        var rows = await deployment.Deployment.Tables.ReadRowsAsync(await deployment.TableAsync("test/reorg", "blocks"), new RowSelection(), CancellationToken.None).ToListAsync();

        Assert.Equal(Enumerable.Range(0, 80).Select(number => (ulong)number), rows.Select(row => (ulong)row.Values[1]!));
        using var client = new RpcClient(chain.Url);
        foreach (var row in rows)
        {
            var block = await client.CallAsync("eth_getBlockByNumber", RpcClient.Hex((ulong)row.Values[1]!), false);
            Assert.Equal(block.GetProperty("hash").GetString(), row.Values[3]);
        }
    }

    [ToolFact("postgres")]
    public async Task Columns_ThatAreNotThere_AreRefusedBeforeARow()
    {
        var error = await Assert.ThrowsAsync<AmpException>(() => ReadAsync("blocks", new RowSelection { RequiredColumns = ["hash", "tx_hash"] }));

        Assert.Equal(("ColumnNotFound", "tx_hash"), (error.ErrorCode, error.Target));
        Assert.Contains("parent_beacon_root", error.RecommendedAction, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Blocks_OutsideOfTheTable_AreNamedWithWhatThereIs()
    {
        var table = await _deployment.TableAsync(Dataset, "blocks");

        Assert.Null(Missing("0..149"));
        Assert.Null(Missing("100.."));
        Assert.Equal($"In {Dataset} blocks there are blocks 0 to 149, and not 150.", Missing("150"));
        Assert.Equal($"In {Dataset} blocks there are blocks 0 to 149, and not 150...", Missing("150.."));
        Assert.Equal($"In {Dataset} blocks there are blocks 0 to 149, and not 150..200.", Missing("100..200"));

        string? Missing(string range) => new RowSelection { Blocks = [new(range)] }.FindMissing(table)?.Message;
    }

    private async Task<TestDeployment> ExtractAsync(
        string dataset, string network, DevChain chain, ulong first, ulong last, params (string Key, string Value)[] settings)
    {
        var deployment = await TestDeployment.CreateAsync(postgres, settings);
        await deployment.RegisterProviderAsync(chain.Url, network);
        await deployment.RegisterDatasetAsync(dataset, network, first);
        await using (await deployment.StartWorkerAsync())
        {
            await deployment.CompleteJobAsync(dataset, last);
        }

        return deployment;
    }

    private static async Task AssertSameAsync(TestDeployment deployment, string dataset)
    {
        foreach (var table in AllTables)
        {
            var expected = await DuckDb.QueryAsync($"SELECT * FROM {await TableRows.SourceAsync(deployment, dataset, table)} ORDER BY {Order(table)}");
            var rows = await deployment.Deployment.Tables.ReadRowsAsync(
                await deployment.TableAsync(dataset, table), new RowSelection(), CancellationToken.None).ToListAsync();

            Assert.NotEmpty(rows);
            Assert.All(rows, row => Assert.Equal(table, row.Table));
            AssertSame(expected.Select(row => row.GetRawText()), rows);
        }
    }

    private async Task<List<TableRow>> ReadAsync(string table, RowSelection selection) =>
        await _deployment.Deployment.Tables.ReadRowsAsync(await _deployment.TableAsync(Dataset, table), selection, CancellationToken.None).ToListAsync();

    private static void AssertSame(IEnumerable<string> expected, List<TableRow> actual) =>
        Assert.Equal(expected.Select(row => JsonNode.Parse(row)!.ToJsonString()), actual.Select(Json));

    private static string Json(TableRow row) => RowJson.Of(row).ToJsonString();

    private static string Order(string table) => table switch
    {
        "transactions" => "_block_num, tx_index",
        "logs" => "_block_num, log_index",
        _ => "_block_num",
    };
}
