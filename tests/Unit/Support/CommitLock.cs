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
        var settings = PostgresUrl.Parse(deployment.Deployment.Configuration.MetadataDb.Url!.Reveal());
        settings.Pooling = false;
        var taken = new CommitLock(new NpgsqlConnection(settings.ConnectionString));
        await taken._connection.OpenAsync();
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

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
