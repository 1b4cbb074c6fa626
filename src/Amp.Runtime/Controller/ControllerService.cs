using Amp.MetadataDb;
using Microsoft.Extensions.Logging;

namespace Amp.Controller;

/// <summary>
/// A controller: schedules failed jobs again and moves the jobs of workers that are silent. Several may run on one
/// database; one leads, the others wait to take over. It changes states of jobs only, so it may end at any moment.
/// </summary>
public sealed class ControllerService : IAsyncDisposable
{
    private readonly MetadataDatabase _database;
    private readonly ControllerOptions _options;
    private readonly JobScheduler _scheduler;
    private readonly LeaderLock _lock;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private Task _loop = Task.CompletedTask;
    private Task? _stopped;
    private volatile ControllerState _state;
    private volatile Exception? _error;
    private bool _isWithoutWorkers;

    internal ControllerService(MetadataDatabase database, ControllerOptions options, ILogger logger)
    {
        _database = database;
        _options = options;
        _scheduler = new JobScheduler(database);
        _lock = new LeaderLock(database, options.LeaderPatience);
        _logger = logger;
    }

    /// <summary>What it is doing.</summary>
    public ControllerState State => _state;

    /// <summary>Why it is degraded; null otherwise.</summary>
    public Exception? LastError => _error;

    /// <summary>Tries to lead once, which proves that the database answers, and goes on from there.</summary>
    /// <exception cref="AmpException">Errors of the database; <c>ControllerAlreadyStarted</c>.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (_state is not ControllerState.Created || _stopped is not null)
        {
            throw new AmpException("ControllerAlreadyStarted", AmpErrorKind.InvalidState, "The controller was started before.");
        }

        await StandAsync(cancellationToken);
        lock (_gate)
        {
            if (_stopped is null)
            {
                _loop = RunAsync();
            }
        }
    }

    /// <summary>Stops, and lets another controller lead. May be called at any time and again.</summary>
    public Task StopAsync()
    {
        lock (_gate)
        {
            return _stopped ??= StopOnceAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task StopOnceAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        await _lock.DisposeAsync();
        _state = ControllerState.Stopped;
    }

    private async Task RunAsync()
    {
        await Task.Yield();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (await StandAsync(_stop.Token))
                {
                    await LeadAsync(_stop.Token);
                }

                _error = null;
            }
            catch (Exception e) when (!_stop.IsCancellationRequested)
            {
                // Whatever it was: without the lock nothing is done, and the next look begins with it.
                if (_error is null)
                {
                    Log.LostDatabase(_logger, e.Message);
                }

                _error = e;
                _state = ControllerState.Degraded;
                await _lock.DisposeAsync();
            }
            catch (Exception)
            {
                // Stopping.
            }

            await Task.Delay(_options.Interval, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Stands for the lead; true when it has it.</summary>
    private async Task<bool> StandAsync(CancellationToken cancellationToken)
    {
        bool leads;
        try
        {
            leads = await _lock.TryTakeAsync(cancellationToken);
        }
        catch (Exception e) when (DatabaseErrors.IsDatabase(e))
        {
            throw _database.Translate(e, "trying to lead");
        }

        var state = leads ? ControllerState.Leading : ControllerState.Waiting;
        if (_state != state)
        {
            _state = state;
            (leads ? (Action<ILogger, string>)Log.TookLead : Log.Waits)(_logger, _database.Description);
        }

        return leads;
    }

    /// <summary>One look at the jobs, and what follows from it.</summary>
    private async Task LeadAsync(CancellationToken cancellationToken)
    {
        var waiting = 0;
        foreach (var job in await _lock.RunAsync(t => _database.Jobs.ListAbandonedAsync(_options.FailoverAfter, t, cancellationToken), cancellationToken))
        {
            waiting += await FailOverAsync(job, cancellationToken) ? 0 : 1;
        }

        foreach (var job in await _lock.RunAsync(t => _database.Jobs.ListRetryableAsync(_options.MaxRetryDelay, t, cancellationToken), cancellationToken))
        {
            waiting += await RetryAsync(job, cancellationToken) ? 0 : 1;
        }

        if (waiting > 0 && !_isWithoutWorkers)
        {
            Log.NoWorker(_logger, waiting);
        }

        _isWithoutWorkers = waiting > 0;
    }

    /// <summary>False when there is no worker to move the job to.</summary>
    private async Task<bool> FailOverAsync(PlacedJob job, CancellationToken cancellationToken)
    {
        if (job.IsStopping)
        {
            if (await _lock.RunAsync(t => _database.Jobs.StopAbandonedAsync(job, _options.FailoverAfter, t, cancellationToken), cancellationToken))
            {
                Log.StoppedJob(_logger, job.JobId, job.NodeId);
            }

            return true;
        }

        if (await ChooseAsync(worker: null, cancellationToken) is not { } nodeId)
        {
            return false;
        }

        if (await _lock.RunAsync(t => _database.Jobs.MoveAbandonedAsync(job, nodeId, _options.FailoverAfter, t, cancellationToken), cancellationToken))
        {
            Log.MovedJob(_logger, job.JobId, job.NodeId, nodeId);
        }

        return true;
    }

    /// <summary>False when there is no worker to run the job.</summary>
    private async Task<bool> RetryAsync(PlacedJob job, CancellationToken cancellationToken)
    {
        var nodeId = await ChooseAsync(job.NodeId, cancellationToken) ?? await ChooseAsync(worker: null, cancellationToken);
        if (nodeId is null)
        {
            return false;
        }

        try
        {
            await _lock.RunAsync(
                async t =>
                {
                    await _database.Jobs.RescheduleAsync(job.JobId, nodeId, [AmpJobStatus.Error], t, cancellationToken);
                    return true;
                },
                cancellationToken);
            Log.RetriedJob(_logger, job.JobId, nodeId);
        }
        catch (AmpException e) when (e is JobStateException or { ErrorCode: "JobNotFound" })
        {
            // Somebody else started or removed it meanwhile.
        }

        return true;
    }

    private async Task<string?> ChooseAsync(string? worker, CancellationToken cancellationToken)
    {
        try
        {
            return await _scheduler.ChooseAsync(worker, cancellationToken);
        }
        catch (AmpException e) when (e.ErrorCode is "NoActiveWorker" or "WorkerNotFound")
        {
            return null;
        }
    }
}
