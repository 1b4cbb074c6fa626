using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.MetadataDb;

[Collection(PostgresFixture.Collection)]
public sealed class MigratorTests(PostgresFixture postgres)
{
    [ToolFact("postgres")]
    public async Task Initialize_OnAnEmptyDatabase_MakesEveryColumnWeUse_AndTwiceChangesNothing()
    {
        await using var database = await ConnectAsync(await postgres.CreateEmptyAsync());

        var first = await database.InitializeAsync(autoMigrate: true);
        var second = await database.InitializeAsync(autoMigrate: true);

        Assert.Equal(["0001_initial"], first);
        Assert.Empty(second);
        var columns = await database.RunAsync("", c => c.QueryAsync(
            "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'", [], r => r.GetString(0), default), null, default);
        Assert.Empty(RequiredColumns.All.Except(columns));
    }

    [ToolFact("postgres")]
    public async Task Initialize_ByTenAtOnce_AppliesEachMigrationOnce()
    {
        var url = await postgres.CreateEmptyAsync();
        await using var database = await ConnectAsync(url);

        var applied = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => database.InitializeAsync(autoMigrate: true)));

        Assert.Single(applied.SelectMany(names => names));
    }

    [ToolFact("postgres")]
    public async Task Initialize_WithoutAutoMigrate_SaysWhatToRun()
    {
        await using var database = await ConnectAsync(await postgres.CreateEmptyAsync());

        var e = await Assert.ThrowsAsync<AmpException>(() => database.InitializeAsync(autoMigrate: false));

        Assert.Equal("DatabaseNotInitialized", e.ErrorCode);
        Assert.Contains("Initialize-AmpDatabase", e.RecommendedAction, StringComparison.Ordinal);
        Assert.Contains("ampd migrate", e.RecommendedAction, StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Initialize_OnANewerSchema_IsRefused()
    {
        await using var test = await postgres.CreateAsync();
        await test.ExecuteAsync("INSERT INTO amp_migrations (version, name, checksum) VALUES (9000, '9000_future', 'x')");

        var e = await Assert.ThrowsAsync<AmpException>(() => test.Database.InitializeAsync(autoMigrate: true));

        Assert.Equal("DatabaseNewerThanModule", e.ErrorCode);
    }

    [ToolFact("postgres")]
    public async Task Initialize_OnAMigrationWithAnotherContent_IsRefused()
    {
        await using var test = await postgres.CreateAsync();
        await test.ExecuteAsync("UPDATE amp_migrations SET checksum = 'x'");

        var e = await Assert.ThrowsAsync<AmpException>(() => test.Database.InitializeAsync(autoMigrate: true));

        Assert.Equal("DatabaseMigrationChanged", e.ErrorCode);
    }

    [ToolFact("postgres")]
    public async Task Initialize_OnSomebodyElsesTables_IsRefusedAndLeavesNothing()
    {
        var url = await postgres.CreateEmptyAsync();
        await using var test = new TestDatabase(url, await ConnectAsync(url));
        await test.ExecuteAsync("CREATE TABLE tags (id int)");

        var e = await Assert.ThrowsAsync<AmpException>(() => test.Database.InitializeAsync(autoMigrate: true));

        Assert.Equal("DatabaseNotEmpty", e.ErrorCode);
        Assert.Equal(1L, await test.ScalarAsync<long>("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"));
    }

    [ToolFact("postgres")]
    public async Task Initialize_OnADatabaseOfAmpd_ChecksAndChangesNothing()
    {
        await using var test = await postgres.CreateAsync();
        await test.ExecuteAsync("DROP TABLE amp_migrations");
        await test.ExecuteAsync("CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY)");

        Assert.Empty(await test.Database.InitializeAsync(autoMigrate: false));
        Assert.Null(await test.ScalarAsync<string>("SELECT to_regclass('amp_migrations')::text"));

        await test.ExecuteAsync("ALTER TABLE jobs_status DROP COLUMN detail");
        await test.ExecuteAsync("DROP TABLE footer_cache");
        var e = await Assert.ThrowsAsync<AmpException>(() => test.Database.InitializeAsync(autoMigrate: true));
        Assert.Equal("DatabaseSchemaMismatch", e.ErrorCode);
        Assert.Contains("lack footer_cache.file_id, footer_cache.footer, jobs_status.detail.", e.Message, StringComparison.Ordinal);
    }

    private static Task<MetadataDatabase> ConnectAsync(string url) =>
        MetadataDatabase.ConnectAsync(url, 10, NullLoggerFactory.Instance);
}
