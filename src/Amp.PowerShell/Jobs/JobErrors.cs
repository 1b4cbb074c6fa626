namespace Amp.PowerShell.Jobs;

/// <summary>Errors that say how a job ended.</summary>
internal static class JobErrors
{
    /// <summary>The error for a job that failed; null for one that did not.</summary>
    public static AmpException? From(long jobId, AmpJobStatus status, string? message) =>
        !status.IsFailed()
            ? null
            : new AmpException("JobFailed", AmpErrorKind.InvalidState, $"Job {jobId} failed: {message ?? "it did not say why"}")
            {
                Target = jobId,
                RecommendedAction = status == AmpJobStatus.Error
                    ? $"A controller schedules it again after a while; 'Restart-AmpJob {jobId}' does so at once. It goes on where it stopped."
                    : $"See 'Get-AmpJob {jobId} | Format-List'; a retry without a change would fail the same way.",
            };
}
