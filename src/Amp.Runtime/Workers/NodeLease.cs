using System.Diagnostics;
using System.Globalization;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Amp.Workers;

/// <summary>
/// A worker's claim to its name: lock, registration and heartbeat, on one connection of its own and a thread of its own
/// with synchronous calls, so that neither a busy thread pool nor a busy connection pool can starve the heartbeat.
/// A lost connection is made anew for ever; the claim ends only when another run of the name took over.
/// </summary>
internal sealed class NodeLease : IAsyncDisposable
{
    /// <summary>A worker without a heartbeat for so long is taken for one that is not active.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(5);

    private readonly MetadataDatabase _database;
    private readonly string _nodeId;
    private readonly AmpBuildInfo _build;
    private readonly TimeSpan _interval;
    private readonly Action _recovered;
    private readonly ILogger _logger;
    private readonly ManualResetEventSlim _stop = new();
    private readonly TaskCompletionSource<DateTimeOffset> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<AmpException?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Thread? _thread;
    private NpgsqlConnection? _connection;
    private (int Pid, DateTime StartedAt) _session;
    private volatile Exception? _fault;

    /// <param name="database">The metadata database.</param>
    /// <param name="nodeId">The worker's name.</param>
    /// <param name="build">What it registers with.</param>
    /// <param name="interval">How often the heartbeat is renewed.</param>
    /// <param name="recovered">Told, on the heartbeat's thread, when it goes on after a silence.</param>
    /// <param name="logger">Told of losses and recoveries.</param>
    public NodeLease(MetadataDatabase database, string nodeId, AmpBuildInfo build, TimeSpan interval, Action recovered, ILogger logger)
    {
        _database = database;
        _nodeId = nodeId;
        _build = build;
        _interval = interval;
        _recovered = recovered;
        _logger = logger;
    }

    /// <summary>Ends with the claim: null after <see cref="DisposeAsync"/>, an error when another run took the name.</summary>
    public Task<AmpException?> Ended => _ended.Task;

    /// <summary>Why there is no heartbeat just now; null while there is.</summary>
    public Exception? Fault => _fault;

    /// <summary>Takes the lock, then registers, then sends the first heartbeat.</summary>
    /// <returns>The time of registration, which names this run of the worker.</returns>
    /// <exception cref="AmpException"><c>NodeIdInUse</c>, before anything is changed; errors of the database.</exception>
    public Task<DateTimeOffset> AcquireAsync()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = $"amp-heartbeat-{_nodeId}", Priority = ThreadPriority.AboveNormal };
        _thread.Start();
        return _started.Task;
    }

    /// <summary>Gives the name back; from then on the worker is not active.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_thread is not null)
        {
            _stop.Set();
            await _ended.Task;
        }
    }

    // Heartbeat thread from here on: no awaits, nothing of the thread pool.
    private void Run()
    {
        AmpException? error = null;
        try
        {
            var registeredAt = Start();
            _started.SetResult(registeredAt);
            Beat(registeredAt);
        }
        catch (Exception e)
        {
            error = e as AmpException ?? (DatabaseErrors.IsDatabase(e)
                ? _database.Translate(e, $"starting worker {_nodeId}")
                : new AmpException("HeartbeatFailed", AmpErrorKind.Internal, $"The heartbeat of worker {_nodeId} ended: {e.Message}", e));
            _started.TrySetException(error);
        }
        finally
        {
            Disconnect();
            _ended.SetResult(error);
        }
    }

    private DateTimeOffset Start()
    {
        Connect();
        TakeLock(limit: TimeSpan.FromSeconds(1), NodeLock.InUse(_nodeId));
        using var register = WorkersTable.RegisterCommand(_connection!, _nodeId, _build);
        using var reader = register.ExecuteReader();
        reader.Read();
        return reader.Time(0);
    }

    private void Beat(DateTimeOffset registeredAt)
    {
        var clock = Stopwatch.StartNew();
        var next = TimeSpan.Zero;
        var last = TimeSpan.Zero;
        while (true)
        {
            next += _interval;
            var pause = next - clock.Elapsed;
            if (pause < TimeSpan.Zero)
            {
                next = clock.Elapsed;
                pause = TimeSpan.Zero;
            }

            if (_stop.Wait(pause))
            {
                Resign(registeredAt);
                return;
            }

            try
            {
                if (_connection is null)
                {
                    Connect();
                    Retake(registeredAt);
                    Log.RecoveredHeartbeat(_logger, _nodeId);
                }

                using var heartbeat = WorkersTable.HeartbeatCommand(_connection!, _nodeId, registeredAt);
                heartbeat.CommandTimeout = 5;
                if (heartbeat.ExecuteNonQuery() == 0)
                {
                    throw NodeLock.InUse(_nodeId);
                }

                _fault = null;
                if (clock.Elapsed - last > Silence)
                {
                    // A frozen process, or a long outage: its jobs may be another's by now.
                    _recovered();
                }

                last = clock.Elapsed;
            }
            catch (Exception e) when (DatabaseErrors.IsDatabase(e) || e is InvalidOperationException or IOException)
            {
                if (_fault is null)
                {
                    Log.LostHeartbeat(_logger, _nodeId, e.Message);
                }

                _fault = _database.Translate(e, $"sending the heartbeat of worker {_nodeId}");
                Disconnect();
            }
        }
    }

    private void Resign(DateTimeOffset registeredAt)
    {
        if (_connection is null)
        {
            return;
        }

        try
        {
            using var resign = WorkersTable.ResignCommand(_connection, _nodeId, registeredAt);
            resign.CommandTimeout = 5;
            resign.ExecuteNonQuery();
        }
        catch (Exception e) when (DatabaseErrors.IsDatabase(e) || e is InvalidOperationException or IOException)
        {
            // Then it shows in a few seconds by itself, like the end of a worker that is killed.
            Log.LostHeartbeat(_logger, _nodeId, e.Message);
        }
    }

    private void Connect()
    {
        var connection = _database.OpenDedicated();
        try
        {
            // The server notices a cut network within seconds, and gives the lock free.
            using var settings = connection.Command(
                """
                SELECT set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),
                       set_config('tcp_keepalives_count', '3', false)
                """);
            settings.ExecuteNonQuery();
            _connection = connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }

        if (_session == default)
        {
            _session = Session(connection);
        }
    }

    /// <summary>Takes the lock again after a break. Our own old session may still hold it: that one is ended.</summary>
    private void Retake(DateTimeOffset registeredAt)
    {
        using (var check = _connection!.Command("SELECT count(*) FROM workers WHERE node_id = $1 AND registered_at = $2", _nodeId, Sql.Time(registeredAt)))
        {
            if (Convert.ToInt64(check.ExecuteScalar(), CultureInfo.InvariantCulture) == 0)
            {
                throw NodeLock.InUse(_nodeId);
            }
        }

        using (var end = _connection!.Command(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2", _session.Pid, _session.StartedAt))
        {
            end.ExecuteNonQuery();
        }

        TakeLock(limit: TimeSpan.FromSeconds(1), new TimeoutException("the lock on the worker's name is still held"));
        _session = Session(_connection!);
    }

    /// <summary>Takes the lock. The session of a process that just died may hold it for a moment: that is waited for.</summary>
    private void TakeLock(TimeSpan limit, Exception refusal)
    {
        var patience = Stopwatch.StartNew();
        while (!NodeLock.TryTake(_connection!, _nodeId))
        {
            if (patience.Elapsed > limit || _stop.Wait(TimeSpan.FromMilliseconds(50)))
            {
                throw refusal;
            }
        }
    }

    private static (int Pid, DateTime StartedAt) Session(NpgsqlConnection connection)
    {
        using var command = connection.Command("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()");
        using var reader = command.ExecuteReader();
        return reader.Read() ? (reader.GetInt32(0), reader.GetDateTime(1)) : default;
    }

    private void Disconnect()
    {
        _connection?.Dispose();
        _connection = null;
    }
}
