using Amp.MetadataDb;
using Npgsql;

namespace Amp.Support;

/// <summary>Lets everybody read <c>file_metadata</c> and nobody write it until it is disposed: commits wait.</summary>
internal sealed class CommitLock : IAsyncDisposable
{
    private readonly NpgsqlConnection _connection;

    private CommitLock(NpgsqlConnection connection) => _connection = connection;

    public static async Task<CommitLock> TakeAsync(TestDeployment deployment)
    {
        var taken = new CommitLock(await OpenAsync(deployment));
        await taken._connection.ExecuteAsync("BEGIN", [], CancellationToken.None);
        await taken._connection.ExecuteAsync("LOCK TABLE file_metadata IN SHARE MODE", [], CancellationToken.None);
        return taken;
    }

    /// <summary>Whether a commit waits for it.</summary>
    public static Task<bool> IsAwaitedAsync(TestDeployment deployment) => deployment.Database.RunAsync(
        "looking for a waiting commit",
        connection => connection.ScalarAsync<bool>(
            """
            SELECT EXISTS (SELECT 1 FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO file_metadata%')
            """, [], CancellationToken.None), null, CancellationToken.None);

    /// <summary>Ends every connection to the database but those that hold the lock.</summary>
    public static async Task DropOtherConnectionsAsync(TestDeployment deployment)
    {
        await using var connection = await OpenAsync(deployment);
        await connection.ExecuteAsync(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity a
            WHERE datname = current_database() AND pid <> pg_backend_pid()
              AND NOT EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.mode = 'ShareLock' AND l.relation = 'file_metadata'::regclass)
            """, [], CancellationToken.None);
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static async Task<NpgsqlConnection> OpenAsync(TestDeployment deployment)
    {
        var settings = PostgresUrl.Parse(deployment.Deployment.Configuration.MetadataDb.Url!.Reveal());
        settings.Pooling = false;
        var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }
}
