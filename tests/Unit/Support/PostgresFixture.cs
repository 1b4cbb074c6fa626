using Amp.MetadataDb;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Amp.Support;

/// <summary>One PostgreSQL server for all tests of the collection <see cref="Collection"/>; each test makes databases of its own.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    public const string Collection = "postgres";
    private const string Template = "amp_template";

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"amp-tests-{Guid.NewGuid():N}");
    private ManagedPostgres? _server;
    private int _databases;

    public async Task InitializeAsync()
    {
        if (TestTools.Find("postgres") is null)
        {
            return;
        }

        _server = await ManagedPostgres.StartAsync(_folder, NullLoggerFactory.Instance, new Dictionary<string, string>
        {
            ["fsync"] = "off",
            ["synchronous_commit"] = "off",
            ["max_connections"] = "200",
            ["max_prepared_transactions"] = "2",
        }, CancellationToken.None);
        await ExecuteAsync($"CREATE DATABASE {Template}");
        await using var template = await MetadataDatabase.ConnectAsync(UrlOf(Template), 1, NullLoggerFactory.Instance);
        await template.InitializeAsync(autoMigrate: true);
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
        }
    }

    /// <summary>Makes a database with Amp's tables and connects to it; dispose the result to drop it.</summary>
    internal async Task<TestDatabase> CreateAsync(int poolSize = 10)
    {
        var url = await CreateUrlAsync(Template);
        return new TestDatabase(url, await MetadataDatabase.ConnectAsync(url, poolSize, NullLoggerFactory.Instance));
    }

    /// <summary>Makes an empty database and returns its URL.</summary>
    internal Task<string> CreateEmptyAsync() => CreateUrlAsync("template0");

    private async Task<string> CreateUrlAsync(string template)
    {
        var name = $"test_{Interlocked.Increment(ref _databases)}";
        await ExecuteAsync($"CREATE DATABASE {name} TEMPLATE {template}");
        return UrlOf(name);
    }

    private string UrlOf(string database) => _server!.ConnectionUrl[..(_server.ConnectionUrl.LastIndexOf('/') + 1)] + database;

    private async Task ExecuteAsync(string sql)
    {
        var settings = PostgresUrl.Parse(_server!.ConnectionUrl);
        settings.Pooling = false;
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync();
        await connection.ExecuteAsync(sql, [], CancellationToken.None);
    }
}

/// <summary>A database of one test's own.</summary>
internal sealed record TestDatabase(string Url, MetadataDatabase Database) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Database.DisposeAsync();

    /// <summary>Runs any statement.</summary>
    public Task<int> ExecuteAsync(string sql, params object?[] parameters) =>
        Database.RunAsync("running a test's statement", c => c.ExecuteAsync(sql, parameters, CancellationToken.None), null, CancellationToken.None);

    /// <summary>Reads one value.</summary>
    public Task<T?> ScalarAsync<T>(string sql, params object?[] parameters) =>
        Database.RunAsync("running a test's query", c => c.ScalarAsync<T>(sql, parameters, CancellationToken.None), null, CancellationToken.None);
}

[CollectionDefinition(PostgresFixture.Collection)]
public sealed class PostgresCollectionDefinition : ICollectionFixture<PostgresFixture>;
