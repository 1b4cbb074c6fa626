using Npgsql;

namespace Amp.BackgroundJobs;

/// <summary>Does the work of a type of jobs. Called for several jobs at once; a job may come again, after a failure of any kind.</summary>
public interface IJobHandler
{
    /// <summary>Does a job.</summary>
    /// <param name="context">The job, and what can be done with it.</param>
    /// <param name="cancellationToken">
    /// Cancelled at the time limit, when the job's cancellation is asked for, and when the worker stops; the attempt is over then.
    /// </param>
    /// <returns>What shall become of the job. An exception is a retry, but an <see cref="AmpException"/> that is no transient one gives the job up.</returns>
    Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken);
}

/// <summary>
/// A handler that works on threads of its own: it returns at once, and so is called without a detour over the thread pool. The worker may
/// go on, and call it again, on the thread that completes the task.
/// </summary>
public interface IThreadedJobHandler : IJobHandler;

/// <summary>A job in the hands of a handler.</summary>
public sealed class JobContext
{
    private readonly JobQueue _queue;
    private readonly long _lease;

    internal JobContext(JobQueue queue, AmpBackgroundJob job, long lease) => (_queue, Job, _lease) = (queue, job, lease);

    /// <summary>The job.</summary>
    public AmpBackgroundJob Job { get; }

    /// <summary>The same at each attempt, for services that recognise what they have done already.</summary>
    public string IdempotencyKey => Job.JobId.ToString();

    /// <summary>Whether it was completed by <see cref="CompleteInTransactionAsync"/>.</summary>
    internal bool IsCompleted { get; private set; }

    /// <summary>
    /// Completes the job together with the handler's own rows: both are there, or neither. When the job is not this worker's any more,
    /// nothing is.
    /// </summary>
    /// <param name="work">Writes the rows on the connection given, in its transaction, and gives the job's result or null.</param>
    /// <param name="cancellationToken">Gives up; then nothing was written, or all of it.</param>
    /// <returns>The handler's answer.</returns>
    /// <exception cref="AmpException"><c>JobLeaseLost</c>: another worker has the job.</exception>
    public async Task<AmpJobAnswer> CompleteInTransactionAsync(Func<NpgsqlConnection, Task<object?>> work, CancellationToken cancellationToken)
    {
        var result = await _queue.CompleteInTransactionAsync(Job.JobId, _lease, work, cancellationToken);
        IsCompleted = true;
        return AmpJobAnswer.Complete(result);
    }
}
