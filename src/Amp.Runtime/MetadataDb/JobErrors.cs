namespace Amp.MetadataDb;

/// <summary>The errors about jobs.</summary>
internal static class JobErrors
{
    public static AmpException NotFound(long jobId) =>
        new("JobNotFound", AmpErrorKind.NotFound, $"There is no job {jobId}.")
        {
            Target = jobId,
            RecommendedAction = "List the jobs with Get-AmpJob.",
        };

    public static AmpException NotTerminal(AmpJob job) =>
        new("JobNotTerminal", AmpErrorKind.InvalidState, $"Job {job.JobId} cannot be deleted: it is {job.Status.ToText()}.")
        {
            Target = job.JobId,
            RecommendedAction = $"Stop it first: Stop-AmpJob {job.JobId}.",
        };

    public static AmpException AlreadyTerminal(long jobId, AmpJobStatus actual) =>
        new("JobAlreadyTerminated", AmpErrorKind.InvalidState, $"Job {jobId} cannot be stopped: it has ended ({actual.ToText()}).")
        {
            Target = jobId,
            RecommendedAction = $"See how it ended with Get-AmpJob {jobId}.",
        };

    public static AmpException StateConflict(long jobId, AmpJobStatus wanted, AmpJobStatus actual) =>
        new JobStateException(actual, $"Job {jobId} cannot become {wanted.ToText()}: it is {actual.ToText()}.")
        {
            Target = jobId,
            RecommendedAction = $"Wait for its end with Wait-AmpJob {jobId}, or ask for it with Stop-AmpJob {jobId}.",
        };

    public static AmpException ActiveConflict(long jobId) =>
        new("ActiveJobConflict", AmpErrorKind.Conflict,
            $"Job {jobId} is already extracting this dataset with other settings.")
        {
            Target = jobId,
            RecommendedAction = $"Wait for it (Wait-AmpJob {jobId}) or stop it (Stop-AmpJob {jobId}).",
        };

    public static AmpException TableInUse(long jobId) =>
        new("TableInUse", AmpErrorKind.InvalidState, $"Job {jobId} is writing the table; nothing was changed.")
        {
            Target = jobId,
            RecommendedAction = StopFirst(jobId),
        };

    public static AmpException DatasetNotFound(string dataset) =>
        new("DatasetNotFound", AmpErrorKind.NotFound, $"There is no dataset {dataset}.")
        {
            Target = dataset,
            RecommendedAction = "List the datasets with Get-AmpDataset, or register it with Register-AmpDataset.",
        };

    public static AmpException DatasetInUse(string dataset, long jobId) =>
        new("DatasetInUse", AmpErrorKind.InvalidState, $"{dataset} cannot be removed: job {jobId} extracts it.")
        {
            Target = dataset,
            RecommendedAction = StopFirst(jobId),
        };

    public static AmpException WorkerNotFound(string nodeId) =>
        new("WorkerNotFound", AmpErrorKind.NotFound, $"There is no worker '{nodeId}'.")
        {
            Target = nodeId,
            RecommendedAction = "List the workers with Get-AmpWorker.",
        };

    public static AmpException LeaseLost(long jobId, string nodeId) =>
        new("JobLeaseLost", AmpErrorKind.Conflict,
            $"Job {jobId} is no longer assigned to this run of worker {nodeId}, or is not running: nothing was committed.")
        {
            Target = jobId,
        };

    private static string StopFirst(long jobId) => $"Stop it and wait for its end first: Stop-AmpJob {jobId} -PassThru | Wait-AmpJob";
}

/// <summary>A transition that the job's present state does not allow.</summary>
internal sealed class JobStateException(AmpJobStatus actual, string message)
    : AmpException("JobStateConflict", AmpErrorKind.InvalidState, message)
{
    /// <summary>The state it is in.</summary>
    public AmpJobStatus Actual { get; } = actual;
}
