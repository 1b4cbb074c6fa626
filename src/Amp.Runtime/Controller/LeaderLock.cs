using Amp.MetadataDb;
using Npgsql;

namespace Amp.Controller;

/// <summary>
/// The lock that makes one of several controllers the leader. It lasts as long as the connection that took it, and a leader
/// writes through that connection only: one that lost it can do nothing. A leader that is frozen, and so keeps its connection
/// without using it, is put out by the others.
/// </summary>
/// <param name="database">The metadata database.</param>
/// <param name="patience">How long a leader may be silent.</param>
internal sealed class LeaderLock(MetadataDatabase database, TimeSpan patience) : IAsyncDisposable
{
    // Two numbers: a key space of its own, apart from the one that workers' names are hashed into.
    private const int LockSpace = 0x00616d70;
    private const int LeaderKey = 1;

    private NpgsqlConnection? _connection;
    private bool _isHeld;

    /// <summary>Takes the lock, or proves that it is still held; false when another controller leads.</summary>
    public async Task<bool> TryTakeAsync(CancellationToken cancellationToken)
    {
        _connection ??= await database.OpenDedicatedAsync("trying to lead", cancellationToken);
        if (_isHeld)
        {
            await _connection.ExecuteAsync("SELECT 1", [], cancellationToken);
            return true;
        }

        _isHeld = await _connection.ScalarAsync<bool>("SELECT pg_try_advisory_lock($1, $2)", [LockSpace, LeaderKey], cancellationToken);
        if (!_isHeld)
        {
            await _connection.ExecuteAsync(
                """
                SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND l.classid = $1 AND l.objid = $2 AND l.objsubid = 2 AND l.granted AND a.state_change < clock_timestamp() - $3
                """, [LockSpace, LeaderKey, patience], cancellationToken);
        }

        return _isHeld;
    }

    /// <summary>Runs statements of the leader in a transaction.</summary>
    public async Task<T> RunAsync<T>(Func<NpgsqlTransaction, Task<T>> work, CancellationToken cancellationToken)
    {
        await using var transaction = await _connection!.BeginTransactionAsync(cancellationToken);
        var result = await work(transaction);
        await transaction.CommitAsync(cancellationToken);
        return result;
    }

    /// <summary>Gives the lock and the connection back.</summary>
    public async ValueTask DisposeAsync()
    {
        _isHeld = false;
        if (_connection is { } connection)
        {
            _connection = null;
            await connection.DisposeAsync();
        }
    }
}
