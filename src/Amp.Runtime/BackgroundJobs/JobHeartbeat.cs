using Amp.MetadataDb;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>
/// Says every two seconds that a worker is alive, on a thread and a connection of its own: handlers that use up all others cannot make it
/// look dead. What the answer brings, and a silence that is too long, are told to the worker. The thread also ends a worker that failed, since
/// it needs nobody to run, and next to no memory.
/// </summary>
internal sealed class JobHeartbeat : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    /// <summary>Before others may take the worker's jobs, which is after 15 seconds.</summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(10);

    private readonly MetadataDatabase _database;
    private readonly Func<JobWorkerBeat> _describe;
    private readonly Action<IReadOnlyList<Guid>> _cancel;
    private readonly Action _silent;
    private readonly Action<Exception> _failed;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private NpgsqlConnection? _connection;
    private Exception? _failure;

    /// <summary>Sends the first heartbeat, and begins.</summary>
    /// <param name="database">Where the queue is.</param>
    /// <param name="describe">What to say.</param>
    /// <param name="cancel">Told which jobs shall be cancelled.</param>
    /// <param name="silent">Told, once for each silence, that no heartbeat arrived for 10 seconds.</param>
    /// <param name="failed">Told, once and after the last heartbeat, why the worker cannot go on.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where log lines go.</param>
    public JobHeartbeat(
        MetadataDatabase database, Func<JobWorkerBeat> describe, Action<IReadOnlyList<Guid>> cancel, Action silent, Action<Exception> failed, TimeProvider time,
        ILogger logger)
    {
        (_database, _describe, _cancel, _silent, _failed, _time, _logger) = (database, describe, cancel, silent, failed, time, logger);
        try
        {
            Beat();
        }
        catch (Exception e) when (DatabaseErrors.IsDatabase(e))
        {
            _connection?.Dispose();
            throw database.Translate(e, "registering a job worker");
        }

        _thread = new Thread(Run) { IsBackground = true, Name = "Amp job heartbeat", Priority = ThreadPriority.AboveNormal };
        _thread.Start();
    }

    /// <summary>Ends it.</summary>
    public void Dispose()
    {
        _stop.Set();
        _thread.Join();
        _connection?.Dispose();
        _stop.Dispose();
    }

    /// <summary>Whether the worker failed.</summary>
    public bool HasFailed => Volatile.Read(ref _failure) is not null;

    /// <summary>Ends it, since the worker cannot go on: others take its jobs when it has been silent for long enough. Any thread; allocates nothing.</summary>
    public void Fail(Exception cause)
    {
        if (Interlocked.CompareExchange(ref _failure, cause, null) is null)
        {
            _stop.Set();
        }
    }

    /// <summary>Says what the worker says last, without being alive; for <c>failed</c>.</summary>
    public void SayWhy()
    {
        try
        {
            _connection ??= _database.OpenDedicated();
            JobQueue.SetStatus(_connection, _describe());
        }
        catch (Exception)
        {
            // Its silence says enough.
        }
    }

    private void Run()
    {
        try
        {
            BeatOn();
        }
        catch (Exception e)
        {
            Fail(e);
        }

        if (_failure is not null)
        {
            // When there is no memory even for this, the process ends of it: the same, if less politely.
            _failed(_failure);
        }
    }

    private void BeatOn()
    {
        var last = _time.GetTimestamp();
        var isSilent = false;
        while (!_stop.Wait(Interval))
        {
            try
            {
                Beat();
                (last, isSilent) = (_time.GetTimestamp(), false);
            }
            catch (Exception e) when (JobWorkerFault.MayPass(e))
            {
                _connection?.Dispose();
                _connection = null;
                var silence = _time.GetElapsedTime(last);
                if (silence >= LongestSilence && !isSilent)
                {
                    isSilent = true;
                    Log.HeartbeatLost(_logger, silence.TotalSeconds);
                    _silent();
                }
            }
        }
    }

    private void Beat()
    {
        _connection ??= _database.OpenDedicated();
        if (JobQueue.Beat(_connection, _describe()) is { Count: > 0 } cancelled)
        {
            _cancel(cancelled);
        }
    }
}
