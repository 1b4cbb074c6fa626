using Amp.Datasets;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Amp.MetadataDb;
using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>Tables whose files or rows were lost or damaged: found, mended, and restored from the files alone.</summary>
[Collection(EndToEndCollection.Name)]
public sealed class TableConsistencyTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Dataset = "test/consistent";
    private const string Untouched = "test/untouched";
    private const ulong LastBlock = 119;
    private static readonly string[] AllTables = ["blocks", "transactions", "logs"];

    private DevChain _chain = null!;
    private TestDeployment _deployment = null!;
    private WorkerHost _worker = null!;

    public async Task InitializeAsync()
    {
        _chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = (int)LastBlock + 1, TransactionsPerBlock = 4 });
        _deployment = await TestDeployment.CreateAsync(postgres);
        await _deployment.RegisterProviderAsync(_chain.Url);
        await _deployment.RegisterDatasetAsync(Dataset);
        _worker = await _deployment.StartWorkerAsync();
        await _deployment.CompleteJobAsync(Dataset, LastBlock);
    }

    public async Task DisposeAsync()
    {
        await _worker.DisposeAsync();
        await _deployment.DisposeAsync();
        await _chain.DisposeAsync();
    }

    [ToolFact("postgres")]
    public async Task TestTable_OfWhatAJobWrote_FindsNothing()
    {
        foreach (var test in await TestAllAsync())
        {
            Assert.True(test.Success, string.Join("; ", test.Problems));
            Assert.Equal((0UL, LastBlock, LastBlock), (test.StartBlock, test.CurrentBlock, test.HighestBlock));
            Assert.True(test.FilesCount > 3);
            Assert.Equal(0, test.OrphanedFilesCount);
        }
    }

    [ToolFact("postgres", "duckdb")]
    public async Task TestAndRepair_OfEveryKindOfDamage_NameItAndMendIt()
    {
        var blocks = await _deployment.FilesAsync(Dataset, "blocks");
        var transactions = await _deployment.FilesAsync(Dataset, "transactions");
        var logs = await _deployment.FilesAsync(Dataset, "logs");
        File.Delete(blocks[1].FullName);
        Append(transactions[2].FullName, 1);
        Overwrite(logs[0].FullName, fromEnd: 5);
        File.Copy(logs[1].FullName, logs[2].FullName, overwrite: true);
        await SetSizeAsync(logs[2], new FileInfo(logs[1].FullName).Length);
        await _deployment.Database.Files.RemoveAsync([blocks[^2].FileId], CancellationToken.None);

        var tests = (await TestAllAsync()).ToDictionary(test => test.Table);

        Assert.Equal(
            [(AmpTableProblemKind.FileMissing, blocks[1].Name), (AmpTableProblemKind.Gap, null), (AmpTableProblemKind.FileUnnamed, blocks[^2].Name)],
            tests["blocks"].Problems.Select(problem => (problem.Kind, problem.File)));
        Assert.Equal((blocks[^2].StartBlock, blocks[^2].EndBlock), (tests["blocks"].Problems[1].StartBlock, tests["blocks"].Problems[1].EndBlock));
        Assert.Equal([(AmpTableProblemKind.FileSize, transactions[2].Name)], tests["transactions"].Problems.Select(problem => (problem.Kind, problem.File)));
        Assert.Equal(
            [(AmpTableProblemKind.FileInvalid, logs[0].Name), (AmpTableProblemKind.FileInvalid, logs[2].Name)],
            tests["logs"].Problems.Select(problem => (problem.Kind, problem.File)));
        var sound = await AllFilesAsync();
        sound.ExceptWith([blocks[1].FullName, blocks[^2].FullName, transactions[2].FullName, logs[0].FullName, logs[2].FullName]);

        var job = await _deployment.Deployment.Tables.RepairAsync([.. tests.Values], worker: null, CancellationToken.None);
        await _deployment.CompletedAsync(job);

        Assert.All(await TestAllAsync(), test => Assert.True(test.Success, string.Join("; ", test.Problems)));
        await TableChecks.AssertConsistentAsync(_deployment.Deployment);
        Assert.Subset(await AllFilesAsync(), sound);
        await AssertLikeUntouchedAsync(_deployment);
    }

    [ToolFact("postgres")]
    public async Task Repair_WhileAJobWrites_IsRefusedAndChangesNothing()
    {
        var files = await _deployment.FilesAsync(Dataset, "blocks");
        File.Delete(files[0].FullName);
        var running = await _deployment.Client.StartJobAsync(new StartJobRequest(DatasetReference.Parse(Dataset), null), CancellationToken.None);

        var error = await Assert.ThrowsAsync<AmpException>(
            async () => await _deployment.Deployment.Tables.RepairAsync(await TestAllAsync(), worker: null, CancellationToken.None));

        Assert.Equal("TableInUse", error.ErrorCode);
        Assert.Contains($"Stop-AmpJob {running.JobId}", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Contains(await _deployment.FilesAsync(Dataset, "blocks"), file => file.FileId == files[0].FileId);
    }

    [ToolFact("postgres")]
    public async Task Repair_WithoutAWorker_IsRefusedAndChangesNothing()
    {
        var files = await _deployment.FilesAsync(Dataset, "blocks");
        File.Delete(files[0].FullName);

        var error = await Assert.ThrowsAsync<AmpException>(
            async () => await _deployment.Deployment.Tables.RepairAsync(await TestAllAsync(), worker: "nobody", CancellationToken.None));

        Assert.Equal("WorkerNotFound", error.ErrorCode);
        Assert.Contains(await _deployment.FilesAsync(Dataset, "blocks"), file => file.FileId == files[0].FileId);
    }

    [ToolFact("postgres", "duckdb")]
    public async Task Restore_IntoAnEmptyDatabase_GivesTheSameRowsFootersAndFiles()
    {
        var footers = await FootersAsync(_deployment);
        await using var restored = await SecondDeploymentAsync();
        await restored.RegisterDatasetAsync(Dataset);

        var tables = await RestoreAsync(restored);

        Assert.Equal(AllTables.Order(), tables.Select(table => table.Table).Order());
        Assert.All(tables, table => Assert.Equal((0UL, LastBlock), (table.StartBlock, table.CurrentBlock)));
        Assert.Equal(footers, await FootersAsync(restored));
        await TableChecks.AssertConsistentAsync(restored.Deployment);

        // Again: nothing is there twice.
        await RestoreAsync(restored);
        Assert.Equal(footers, await FootersAsync(restored));

        await restored.RegisterProviderAsync(_chain.Url);
        await _chain.ExtendAsync(10);
        await using (await restored.StartWorkerAsync())
        {
            await restored.CompleteJobAsync(Dataset, LastBlock + 10);
        }

        await TableChecks.AssertConsistentAsync(restored.Deployment);
        await AssertLikeUntouchedAsync(restored, LastBlock + 10);
    }

    [ToolFact("postgres")]
    public async Task Restore_OfFilesThatAreNoSegments_LeavesThemOutAndSaysWhy()
    {
        var logs = await _deployment.FilesAsync(Dataset, "logs");
        var folder = Path.GetDirectoryName(logs[0].FullName)!;
        Overwrite(logs[0].FullName, fromEnd: 5);
        File.Move(logs[1].FullName, Path.Combine(folder, "000000999-0000000000000000.parquet"));
        File.Copy((await _deployment.FilesAsync(Dataset, "blocks"))[0].FullName, logs[2].FullName, overwrite: true);
        File.WriteAllText(Path.Combine(folder, "notes.txt"), "not a table's");
        await using var restored = await SecondDeploymentAsync();
        await restored.RegisterDatasetAsync(Dataset);
        var found = await restored.Deployment.Tables.FindRestorableAsync(DatasetReference.Parse(Dataset), name => name == "logs", null, CancellationToken.None);

        var (table, refused) = await restored.Deployment.Tables.RestoreAsync(DatasetReference.Parse(Dataset), Assert.Single(found), overwrite: false, CancellationToken.None);

        Assert.Equal(["ParquetFileInvalid", "FileNotRestorable", "FileNotRestorable"], refused.Select(error => error.ErrorCode).OrderDescending());
        Assert.Contains(refused, error => error.Message.Contains($"it was written as {logs[1].Name}", StringComparison.Ordinal));
        Assert.Contains(refused, error => error.Message.Contains("it is of table blocks", StringComparison.Ordinal));
        Assert.Equal(logs[3].StartBlock, table.StartBlock);
        Assert.Equal(logs.Count - 3, (await restored.FilesAsync(Dataset, "logs")).Count);
    }

    [ToolFact("postgres")]
    public async Task Restore_IsRefused_WhereItCannotBeMeant()
    {
        await using var restored = await SecondDeploymentAsync();
        var dataset = DatasetReference.Parse(Dataset);
        Assert.Equal("DatasetNotFound", await CodeAsync(() => RestoreAsync(restored)));
        await restored.RegisterDatasetAsync(Dataset);
        Assert.Equal("TableRequired", await CodeAsync(() => FindAsync("consistent/blocks")));
        Assert.Equal("StoragePathInvalid", await CodeAsync(() => FindAsync("/etc", "blocks")));
        Assert.Equal("TableFolderNotFound", await CodeAsync(() => FindAsync("consistent/nothing", "blocks")));

        // A second folder with files: which one is meant?
        var one = Path.GetDirectoryName((await _deployment.FilesAsync(Dataset, "blocks"))[0].FullName)!;
        var other = Path.Combine(Path.GetDirectoryName(one)!, Guid.CreateVersion7().ToString());
        Directory.CreateDirectory(other);
        foreach (var file in Directory.EnumerateFiles(one))
        {
            File.Copy(file, Path.Combine(other, Path.GetFileName(file)));
        }

        Assert.Equal("TableFolderAmbiguous", await CodeAsync(() => RestoreAsync(restored)));
        var first = (await FindAsync(one, "blocks"))[0];
        await restored.Deployment.Tables.RestoreAsync(dataset, first, overwrite: false, CancellationToken.None);
        var second = (await FindAsync(other, "blocks"))[0];
        Assert.Equal(
            "TableAlreadyRegistered",
            await CodeAsync(() => restored.Deployment.Tables.RestoreAsync(dataset, second, overwrite: false, CancellationToken.None)));
        Assert.Equal(first.Path, (await restored.TableAsync(Dataset, "blocks")).Path);
        await restored.Deployment.Tables.RestoreAsync(dataset, second, overwrite: true, CancellationToken.None);
        Assert.Equal(second.Path, (await restored.TableAsync(Dataset, "blocks")).Path);

        Task<IReadOnlyList<Extraction.Consistency.RestorableTable>> FindAsync(string path, string? table = null) =>
            restored.Deployment.Tables.FindRestorableAsync(dataset, name => table is null || name == table, path, CancellationToken.None);
    }

    private static async Task<string> CodeAsync(Func<Task> action) => (await Assert.ThrowsAsync<AmpException>(action)).ErrorCode;

    private static async Task<List<AmpTable>> RestoreAsync(TestDeployment deployment)
    {
        var dataset = DatasetReference.Parse(Dataset);
        var tables = new List<AmpTable>();
        foreach (var folder in await deployment.Deployment.Tables.FindRestorableAsync(dataset, _ => true, null, CancellationToken.None))
        {
            var (table, refused) = await deployment.Deployment.Tables.RestoreAsync(dataset, folder, overwrite: false, CancellationToken.None);
            Assert.Empty(refused);
            tables.Add(table);
        }

        return tables;
    }

    /// <summary>Another deployment with an empty database and the same data folder.</summary>
    private Task<TestDeployment> SecondDeploymentAsync() => TestDeployment.CreateAsync(postgres, ("data_dir", _deployment.DataDir));

    private async Task<AmpTableTest[]> TestAllAsync()
    {
        var tests = new List<AmpTableTest>();
        foreach (var table in AllTables)
        {
            tests.Add(await _deployment.Deployment.Tables.TestAsync(await _deployment.TableAsync(Dataset, table), CancellationToken.None));
        }

        return [.. tests];
    }

    private async Task<HashSet<string>> AllFilesAsync()
    {
        var files = new HashSet<string>(StringComparer.Ordinal);
        foreach (var table in AllTables)
        {
            files.UnionWith((await _deployment.FilesAsync(Dataset, table)).Select(file => file.FullName));
        }

        return files;
    }

    /// <summary>Each file's cached footer, by table and name.</summary>
    private static Task<List<string>> FootersAsync(TestDeployment deployment) => deployment.Database.RunAsync(
        "reading footers", connection => connection.QueryAsync(
            """
            SELECT f.file_name || ' ' || f.url || ' ' || f.object_size || ' ' || f.metadata::text || ' ' || encode(c.footer, 'hex')
            FROM file_metadata f JOIN footer_cache c ON c.file_id = f.id ORDER BY 1
            """, [], reader => reader.GetString(0), CancellationToken.None), null, CancellationToken.None);

    /// <summary>Asserts that the tables have the rows of a dataset that nothing happened to.</summary>
    private static async Task AssertLikeUntouchedAsync(TestDeployment deployment, ulong lastBlock = LastBlock)
    {
        await deployment.RegisterDatasetAsync(Untouched);
        await using (await deployment.StartWorkerAsync("worker-untouched"))
        {
            await deployment.CompleteJobAsync(Untouched, lastBlock, "worker-untouched");
        }

        foreach (var table in AllTables)
        {
            Assert.True(await TableRows.AssertSameAsync(deployment, Untouched, Dataset, table) > 0);
        }
    }

    private Task<int> SetSizeAsync(AmpFile file, long size) => _deployment.Database.RunAsync(
        "setting a size", connection => connection.ExecuteAsync(
            "UPDATE file_metadata SET object_size = $1 WHERE id = $2", [size, file.FileId], CancellationToken.None), null, CancellationToken.None);

    private static void Append(string path, int bytes)
    {
        using var file = new FileStream(path, FileMode.Append);
        file.Write(new byte[bytes]);
    }

    private static void Overwrite(string path, int fromEnd)
    {
        using var file = new FileStream(path, FileMode.Open);
        file.Seek(-fromEnd, SeekOrigin.End);
        file.Write([0xff, 0xff, 0xff, 0xff, 0xff]);
    }
}
