using System.Text;
using Microsoft.Extensions.Logging;

namespace Amp.BackgroundJobs;

/// <summary>Runs handlers: each in its time limit, cancellable, and never waited for in vain.</summary>
internal sealed class JobRunner(JobQueue queue, JobHandlers handlers, JobTally tally, TimeProvider time, ILogger logger)
{
    private const int LargestResult = 256 << 10;

    /// <summary>How long a handler may take to end once it is told to.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    /// <summary>A job that waits for longer has no time that every part of the system can write.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromDays(3_650);

    /// <summary>How long an attempt of a type may take, by the queue's clock; null when there is no handler.</summary>
    public TimeSpan? TimeLimitOf(string type) => handlers.Find(type) is { } entry ? entry.Options.TimeLimit + Grace + Grace : null;

    /// <summary>Does a job, and says what shall become of it; null when it is completed already.</summary>
    public async Task<AttemptEnd?> RunAsync(RunningAttempt attempt)
    {
        var job = attempt.Claimed.Job;
        var started = time.GetTimestamp();
        var entry = handlers.Find(job.Type);
        if (entry is null)
        {
            return End(JobVerdict.GiveBack);
        }

        var context = new JobContext(queue, job, attempt.Claimed.Lease);
        using var limit = new CancellationTokenSource(entry.Options.TimeLimit, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, attempt.Token);
        AttemptEnd? end;
        Task<AmpJobAnswer>? handling = null;
        try
        {
            handling = entry.Handler is IThreadedJobHandler
                ? entry.Handler.HandleAsync(context, stop.Token)
                : Task.Run(() => entry.Handler.HandleAsync(context, stop.Token), CancellationToken.None);
            var answer = await AwaitAsync(handling, job, stop.Token);
            end = context.IsCompleted ? null : FromAnswer(answer);
        }
        catch (OutOfMemoryException) when (handling is not { IsCompleted: true })
        {
            // A handler that wanted too much, or its result, has failed; this is not the handler's, but the worker's own.
            throw;
        }
        catch (Exception) when (context.IsCompleted)
        {
            end = null;
        }
        catch (AmpException e) when (e.ErrorCode == "JobLeaseLost")
        {
            Log.LostJob(logger, job.JobId, job.Type);
            tally.CountStale();
            return null;
        }
        catch (Exception) when (attempt.Token.IsCancellationRequested)
        {
            end = End(attempt.IsCancelledByUser ? JobVerdict.Cancel : JobVerdict.GiveBack, new JobFault("Cancelled", "its cancellation was asked for"));
        }
        catch (Exception) when (limit.IsCancellationRequested)
        {
            end = End(JobVerdict.Retry, new JobFault("Timeout", $"it did not end within {entry.Options.TimeLimit}")) with { Reason = "timeout" };
        }
        catch (AmpException e) when (!e.IsTransient)
        {
            end = End(JobVerdict.GiveUp, new JobFault(e.ErrorCode, e.Message, e.ErrorCode));
        }
        catch (Exception e)
        {
            end = End(JobVerdict.Retry, new JobFault(((e as AmpException)?.InnerException ?? e).GetType().Name, e.Message, (e as AmpException)?.ErrorCode));
        }

        tally.Count(job.Type, end?.Verdict ?? JobVerdict.Complete, time.GetElapsedTime(started));
        if (end is { Verdict: JobVerdict.Retry or JobVerdict.GiveUp })
        {
            Log.AttemptFailed(logger, job.Attempt, job.JobId, job.Type, end.Fault?.Message ?? "");
        }

        return end;

        AttemptEnd End(JobVerdict verdict, JobFault? fault = null) => new(job.JobId, attempt.Claimed.Lease, verdict)
        {
            Fault = fault,
            Reason = verdict is JobVerdict.GiveUp ? "non_retryable" : "error",
            Pause = verdict is JobVerdict.Retry ? PauseOf(entry?.Options.Backoff ?? [], job.Attempt) : null,
            ToDeadLetters = entry?.Options.UsesDeadLetters ?? true,
        };

        // It is part of an event, which a broker must be able to take.
        AttemptEnd Complete(string? result) => result is null || Encoding.UTF8.GetByteCount(result) <= LargestResult
            ? End(JobVerdict.Complete) with { Result = result }
            : End(JobVerdict.GiveUp, new JobFault("ResultTooLarge", $"its result has more than {LargestResult} bytes of JSON; give where it is instead"));

        AttemptEnd FromAnswer(AmpJobAnswer answer) => answer.Kind switch
        {
            AmpJobAnswerKind.Complete => Complete(JobJson.Write(answer.Result)),
            AmpJobAnswerKind.Fail => End(JobVerdict.GiveUp, new JobFault("Failed", answer.Reason ?? "")),
            AmpJobAnswerKind.Cancel => End(JobVerdict.Cancel, new JobFault("Cancelled", answer.Reason ?? "")),
            AmpJobAnswerKind.Snooze => End(JobVerdict.Snooze) with { Pause = Bounded(answer.After) },
            _ => Retry(answer),
        };

        AttemptEnd Retry(AmpJobAnswer answer)
        {
            var end = End(JobVerdict.Retry, new JobFault("Failed", answer.Reason ?? ""));
            return end with { Pause = Bounded(answer.After) ?? end.Pause };
        }
    }

    private static TimeSpan? Bounded(TimeSpan? pause) => pause is { } given ? TimeSpan.FromTicks(Math.Clamp(given.Ticks, 0, LongestPause.Ticks)) : null;

    private static TimeSpan? PauseOf(IReadOnlyList<TimeSpan> backoff, int attempt) =>
        backoff.Count == 0 ? null : backoff[Math.Min(attempt, backoff.Count) - 1];

    /// <summary>Waits for a handler, and after a while no more for one that does not heed its token.</summary>
    private async Task<AmpJobAnswer> AwaitAsync(Task<AmpJobAnswer> handling, AmpBackgroundJob job, CancellationToken stop)
    {
        if (handling.IsCompleted)
        {
            return await handling;
        }

        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = stop.Register(stopped.SetResult);
        if (await Task.WhenAny(handling, stopped.Task) != handling
            && await Task.WhenAny(handling, Task.Delay(Grace, time, CancellationToken.None)) != handling)
        {
            Log.AbandonedHandler(logger, job.JobId, job.Type, Grace.TotalSeconds);
            _ = handling.ContinueWith(static left => _ = left.Exception, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            throw new OperationCanceledException(stop);
        }

        return await handling;
    }
}

/// <summary>A job in the hands of a worker, and how to cancel it.</summary>
internal sealed class RunningAttempt(ClaimedJob claimed, FeedItem? item) : IDisposable
{
    private readonly CancellationTokenSource _cancel = new();

    public ClaimedJob Claimed => claimed;

    /// <summary>The message that brought it; null when it was found in the queue.</summary>
    public FeedItem? Item => item;

    public CancellationToken Token => _cancel.Token;

    /// <summary>Whether a user wants it cancelled, rather than the worker to stop.</summary>
    public bool IsCancelledByUser { get; private set; }

    public void Cancel(bool byUser)
    {
        try
        {
            // What handlers do about it is not for the caller's thread.
            IsCancelledByUser |= byUser && !_cancel.IsCancellationRequested;
            _ = _cancel.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // It has ended meanwhile.
        }
    }

    public void Dispose() => _cancel.Dispose();
}
