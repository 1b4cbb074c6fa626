using System.Diagnostics;
using System.Threading.Channels;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging;

namespace Amp.Workers;

/// <summary>
/// A worker: claims its name, hears what controllers say, and runs its jobs, one task each. Every change of a job's state
/// goes through one loop; what the loop could not write because the database was away, it writes when that is back.
/// </summary>
public sealed class WorkerService : IAsyncDisposable
{
    private readonly MetadataDatabase _database;
    private readonly AmpBuildInfo _build;
    private readonly IJobExecutor _executor;
    private readonly WorkerOptions _options;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<Wake> _wakes = Channel.CreateUnbounded<Wake>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Dictionary<long, RunningJob> _jobs = [];
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _startEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private NodeLease? _lease;
    private JobNotificationListener? _listener;
    private DateTimeOffset _registeredAt;
    private Task _loop = Task.CompletedTask;
    private Task? _stopped;
    private volatile Exception? _error;
    private volatile WorkerState _state;
    private int _runningJobs;

    internal WorkerService(
        MetadataDatabase database, string nodeId, AmpBuildInfo build, IJobExecutor executor, ILoggerFactory loggerFactory,
        WorkerOptions? options = null)
    {
        Configuration.NodeId.Validate(nodeId);
        _database = database;
        NodeId = nodeId;
        _build = build;
        _executor = executor;
        _options = options ?? new WorkerOptions();
        _logger = loggerFactory.CreateLogger<WorkerService>();
    }

    /// <summary>The worker's name.</summary>
    public string NodeId { get; }

    /// <summary>What it is doing.</summary>
    public WorkerState State =>
        _state is WorkerState.Running && (_error ?? _lease?.Fault ?? _listener?.Fault) is not null ? WorkerState.Degraded : _state;

    /// <summary>Why it is degraded or failed; null otherwise.</summary>
    public Exception? LastError => _error ?? _lease?.Fault ?? _listener?.Fault;

    /// <summary>How many jobs it runs.</summary>
    public int RunningJobs => Volatile.Read(ref _runningJobs);

    /// <summary>Ends when the worker does: on request, or by itself when another run took its name. Never faulted.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Claims the name, registers, and listens; returns when all that is proven. Jobs start afterwards.</summary>
    /// <exception cref="AmpException"><c>NodeIdInUse</c>; errors of the database.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (_state is not WorkerState.Created || _stopped is not null)
            {
                throw new AmpException("WorkerAlreadyStarted", AmpErrorKind.InvalidState, $"Worker {NodeId} was started before.") { Target = NodeId };
            }

            _state = WorkerState.Starting;
        }

        try
        {
            _lease = new NodeLease(
                _database, NodeId, _build, _options.HeartbeatInterval, () => _wakes.Writer.TryWrite(Wake.Reconcile), _logger);
            _registeredAt = await _lease.AcquireAsync().WaitAsync(cancellationToken);
            _listener = new JobNotificationListener(_database, NodeId,
                (jobId, action) => _wakes.Writer.TryWrite(new Wake(jobId, action)),
                () => _wakes.Writer.TryWrite(Wake.Reconcile), _logger);
            await _listener.StartAsync(cancellationToken);
            _state = WorkerState.Running;
            Log.StartedWorker(_logger, NodeId, _database.Description);
            _loop = RunAsync(_lease);
            Completion = _loop;
        }
        catch (Exception e)
        {
            _error = e;
            await ReleaseAsync();
            _state = WorkerState.Failed;
            throw;
        }
        finally
        {
            _startEnded.SetResult();
        }
    }

    /// <summary>
    /// Stops: running jobs are asked to end and get a time limit; they stay RUNNING in the database and are resumed at the
    /// next start. Then the name is free. May be called at any time and again.
    /// </summary>
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
        if (_state is WorkerState.Created)
        {
            _state = WorkerState.Stopped;
            return;
        }

        await _startEnded.Task;
        await _loop;
    }

    /// <summary>The loop: the only one that touches <see cref="_jobs"/> and the states of jobs.</summary>
    private async Task RunAsync(NodeLease lease)
    {
        await Task.Yield();
        var pending = true;
        var sinceReconciled = Stopwatch.StartNew();
        _ = lease.Ended.ContinueWith(
            _ => _wakes.Writer.TryWrite(Wake.Reconcile), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        while (!_stop.IsCancellationRequested && !lease.Ended.IsCompleted)
        {
            try
            {
                if (pending)
                {
                    await ReconcileAsync(_stop.Token);
                    pending = false;
                    _error = null;
                    sinceReconciled.Restart();
                }

                var limit = _options.ReconcileInterval - sinceReconciled.Elapsed;
                pending = limit <= TimeSpan.Zero || await ServeAsync(limit, _stop.Token);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                // Whatever it was, the database knows better than we do now: look there again, after a pause.
                _error = e;
                pending = true;
                Log.FailedToReconcile(_logger, NodeId, e.Message);
                await Task.Delay(_options.RetryDelay, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        _state = WorkerState.Stopping;
        var lost = lease.Ended.IsCompletedSuccessfully ? await lease.Ended : null;
        await EndJobsAsync(lost is null ? StopReason.Shutdown : StopReason.LeaseLost);
        await ReleaseAsync();
        if (lost is null)
        {
            _state = WorkerState.Stopped;
            Log.StoppedWorker(_logger, NodeId);
        }
        else
        {
            _error = lost;
            _state = WorkerState.Failed;
            Log.FailedWorker(_logger, NodeId, lost.Message);
        }
    }

    /// <summary>Waits for one thing to do and does it; true when a reconciliation is due.</summary>
    private async Task<bool> ServeAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(limit);
        Wake wake;
        try
        {
            wake = await _wakes.Reader.ReadAsync(timer.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return true;
        }

        if (wake == Wake.Reconcile)
        {
            return true;
        }

        if (wake.Action is null)
        {
            return _jobs.GetValueOrDefault(wake.JobId) is { HasEnded: true } ended && await FinishAsync(ended, cancellationToken);
        }

        // A notification says where to look; what to do is in the database.
        if (await _database.Jobs.FindAsync(wake.JobId, cancellationToken) is { } job && job.NodeId == NodeId)
        {
            await HandleAsync(job, cancellationToken);
        }

        return false;
    }

    /// <summary>Brings the jobs of this process and the database into line.</summary>
    private async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        foreach (var ended in _jobs.Values.Where(j => j.HasEnded).ToArray())
        {
            await FinishAsync(ended, cancellationToken);
        }

        var active = await _database.Jobs.ListAsync(
            new JobFilter { NodeId = NodeId, Statuses = JobStatusText.Active }, cancellationToken);
        var mine = active.Select(j => j.JobId).ToHashSet();
        foreach (var foreign in _jobs.Values.Where(j => !mine.Contains(j.Assignment.JobId)).ToArray())
        {
            foreign.Stop(StopReason.LeaseLost);
        }

        foreach (var job in active.OrderBy(j => j.JobId))
        {
            await HandleAsync(job, cancellationToken);
        }
    }

    private async Task HandleAsync(AmpJob job, CancellationToken cancellationToken)
    {
        var running = _jobs.GetValueOrDefault(job.JobId);
        try
        {
            switch (job.Status)
            {
                case AmpJobStatus.Scheduled when running is { HasEnded: false }:
                    // The job was scheduled anew while an earlier run of it still ends here: that one has to be gone first.
                    running.Stop(StopReason.LeaseLost);
                    break;
                case AmpJobStatus.Scheduled or AmpJobStatus.Running when running is null:
                    await StartJobAsync(job, cancellationToken);
                    break;
                case AmpJobStatus.StopRequested:
                    await _database.Jobs.MarkStoppingAsync(job.JobId, NodeId, cancellationToken);
                    await StopJobAsync(job.JobId, running, cancellationToken);
                    break;
                case AmpJobStatus.Stopping:
                    await StopJobAsync(job.JobId, running, cancellationToken);
                    break;
            }
        }
        catch (AmpException e) when (e is JobStateException or { ErrorCode: "JobLeaseLost" or "JobNotFound" })
        {
            // Its state changed since we read it; that change notifies us too, or the next reconciliation sees it.
            _wakes.Writer.TryWrite(Wake.Reconcile);
            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);
        }
    }

    private async Task StartJobAsync(AmpJob job, CancellationToken cancellationToken)
    {
        if (job.Descriptor is null)
        {
            var invalid = new AmpException("JobDescriptorInvalid", AmpErrorKind.InvalidData,
                $"Job {job.JobId} cannot be run: its descriptor is missing or cannot be read.") { Target = job.JobId };
            await _database.Jobs.FailAsync(
                job.JobId, NodeId, fatal: true, JobFailure.Describe(invalid, null, job.Attempts), cancellationToken);
            Log.FailedJob(_logger, invalid, job.JobId, NodeId, isTransient: false);
            return;
        }

        if (job.Status is AmpJobStatus.Scheduled)
        {
            await _database.Jobs.MarkRunningAsync(job.JobId, NodeId, cancellationToken);
        }

        var running = new RunningJob(new JobAssignment
        {
            JobId = job.JobId,
            NodeId = NodeId,
            RegisteredAt = _registeredAt,
            Descriptor = job.Descriptor,
            Attempt = job.Attempts,
        });
        _jobs.Add(job.JobId, running);
        Volatile.Write(ref _runningJobs, _jobs.Count);
        Log.StartedJob(_logger, job.JobId, NodeId, job.Attempts);
        running.Execution = ExecuteAsync(running);
    }

    private async Task ExecuteAsync(RunningJob job)
    {
        await Task.Yield();
        try
        {
            await _executor.ExecuteAsync(job.Assignment, job.StopToken);
            job.End(null);
        }
        catch (Exception e)
        {
            job.End(e);
        }

        _wakes.Writer.TryWrite(new Wake(job.Assignment.JobId, null));
    }

    private async Task StopJobAsync(long jobId, RunningJob? running, CancellationToken cancellationToken)
    {
        if (running is null)
        {
            // It does not run here (any more): a worker that died while stopping it.
            await _database.Jobs.MarkStoppedAsync(jobId, NodeId, cancellationToken);
            Log.StoppedJob(_logger, jobId, NodeId, StopReason.Requested);
            return;
        }

        running.Stop(StopReason.Requested);
    }

    /// <summary>Writes how a job ended; true when the database has to be looked at afterwards.</summary>
    private async Task<bool> FinishAsync(RunningJob job, CancellationToken cancellationToken)
    {
        var jobId = job.Assignment.JobId;
        var again = false;
        try
        {
            again = await WriteEndAsync(job, cancellationToken);
        }
        catch (JobStateException e) when (e.Actual is AmpJobStatus.StopRequested or AmpJobStatus.Stopping)
        {
            // It ended by itself just when somebody asked for its end.
            if (e.Actual is AmpJobStatus.StopRequested)
            {
                await _database.Jobs.MarkStoppingAsync(jobId, NodeId, cancellationToken);
            }

            await _database.Jobs.MarkStoppedAsync(jobId, NodeId, cancellationToken);
            Log.StoppedJob(_logger, jobId, NodeId, StopReason.Requested);
        }
        catch (AmpException e) when (e is JobStateException or { ErrorCode: "JobLeaseLost" or "JobNotFound" })
        {
            Log.GaveUpJob(_logger, jobId, NodeId);
            again = true;
        }

        _jobs.Remove(jobId);
        Volatile.Write(ref _runningJobs, _jobs.Count);
        job.Dispose();
        return again;
    }

    private async Task<bool> WriteEndAsync(RunningJob job, CancellationToken cancellationToken)
    {
        var jobId = job.Assignment.JobId;
        switch (job)
        {
            case { Reason: StopReason.LeaseLost } or { Error: AmpException { ErrorCode: "JobLeaseLost" } }:
                Log.GaveUpJob(_logger, jobId, NodeId);
                return true;
            case { Error: null }:
                await _database.Jobs.CompleteAsync(jobId, NodeId, cancellationToken);
                Log.CompletedJob(_logger, jobId, NodeId);
                return false;
            case { Reason: StopReason.Requested }:
                await _database.Jobs.MarkStoppedAsync(jobId, NodeId, cancellationToken);
                Log.StoppedJob(_logger, jobId, NodeId, job.Reason);
                return false;
            case { Reason: StopReason.Shutdown }:
                Log.StoppedJob(_logger, jobId, NodeId, job.Reason);
                return false;
            default:
                var fatal = JobFailure.IsFatal(job.Error);
                var detail = JobFailure.Describe(job.Error, job.Assignment.Descriptor, job.Assignment.Attempt);
                await _database.Jobs.FailAsync(jobId, NodeId, fatal, detail, cancellationToken);
                Log.FailedJob(_logger, job.Error, jobId, NodeId, isTransient: !fatal);
                return false;
        }
    }

    private async Task EndJobsAsync(StopReason reason)
    {
        foreach (var job in _jobs.Values)
        {
            job.Stop(reason);
        }

        using var limit = new CancellationTokenSource(_options.StopTimeout);
        foreach (var job in _jobs.Values.ToArray())
        {
            try
            {
                await job.Execution.WaitAsync(limit.Token);
                await FinishAsync(job, limit.Token);
            }
            catch (OperationCanceledException)
            {
                Log.AbandonedJob(_logger, job.Assignment.JobId, NodeId, _options.StopTimeout);
            }
            catch (AmpException e)
            {
                // Its state in the database stays as it was; whoever starts this worker next resumes it.
                Log.FailedToReconcile(_logger, NodeId, e.Message);
            }
        }
    }

    private async Task ReleaseAsync()
    {
        if (_listener is not null)
        {
            await _listener.DisposeAsync();
        }

        if (_lease is not null)
        {
            await _lease.DisposeAsync();
        }
    }

    /// <summary>A reason for the loop to look: an action of a controller, the end of a job (no action), or no job: reconcile.</summary>
    private readonly record struct Wake(long JobId, JobAction? Action)
    {
        public static readonly Wake Reconcile = new(0, null);
    }
}
