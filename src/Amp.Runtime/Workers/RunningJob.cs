namespace Amp.Workers;

/// <summary>Why a running job was asked to stop; each has its own ending.</summary>
internal enum StopReason
{
    /// <summary>It was not.</summary>
    None,

    /// <summary>Somebody asked for it: it ends as STOPPED.</summary>
    Requested,

    /// <summary>The worker ends: the job stays RUNNING and is resumed at the next start.</summary>
    Shutdown,

    /// <summary>The job is no longer this worker's: whoever has it writes its state.</summary>
    LeaseLost,
}

/// <summary>A job that runs in this process, or has ended with its end not yet written to the database.</summary>
internal sealed class RunningJob(JobAssignment assignment) : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private volatile bool _hasEnded;

    public JobAssignment Assignment { get; } = assignment;

    public CancellationToken StopToken => _stop.Token;

    public StopReason Reason { get; private set; }

    /// <summary>The execution; ends without an exception of its own.</summary>
    public Task Execution { get; set; } = Task.CompletedTask;

    /// <summary>Whether the execution ended; <see cref="Error"/> is settled then.</summary>
    public bool HasEnded => _hasEnded;

    /// <summary>How the execution ended: null when it completed.</summary>
    public Exception? Error { get; private set; }

    /// <summary>Notes the end of the execution.</summary>
    public void End(Exception? error)
    {
        Error = error;
        _hasEnded = true;
    }

    /// <summary>Asks the job to stop; the first reason stays, but losing the lease outweighs a request.</summary>
    public void Stop(StopReason reason)
    {
        if (Reason is StopReason.None || reason is StopReason.LeaseLost)
        {
            Reason = reason;
        }

        _stop.Cancel();
    }

    public void Dispose() => _stop.Dispose();
}
