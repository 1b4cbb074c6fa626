namespace Amp.Workers;

/// <summary>A job that a worker is to run.</summary>
internal sealed record JobAssignment
{
    /// <summary>The job.</summary>
    public required long JobId { get; init; }

    /// <summary>The worker that runs it.</summary>
    public required string NodeId { get; init; }

    /// <summary>When this run of the worker registered: with job and worker, the fence of every commit.</summary>
    public required DateTimeOffset RegisteredAt { get; init; }

    /// <summary>What to do.</summary>
    public required AmpJobDescriptor Descriptor { get; init; }

    /// <summary>How often the job was scheduled, this time included; 1 or more.</summary>
    public required int Attempt { get; init; }
}

/// <summary>Does the work of jobs.</summary>
internal interface IJobExecutor
{
    /// <summary>
    /// Runs a job to its end. Returning means completed. Ends with <see cref="OperationCanceledException"/> soon after
    /// <paramref name="stop"/>, what is committed until then stays. Any other exception is a failure: one that a retry may
    /// cure if it is an <see cref="AmpException"/> that is transient, final otherwise.
    /// </summary>
    /// <param name="job">The job.</param>
    /// <param name="stop">Asks it to stop: on request, at shutdown, or because the job is another worker's now.</param>
    Task ExecuteAsync(JobAssignment job, CancellationToken stop);
}
