namespace Amp.Extraction.EvmRpc;

/// <summary>Waiting for work that is of no use any more once a part of it failed.</summary>
internal static class FailFast
{
    /// <summary>
    /// Waits for all tasks. When one fails, cancels the others, waits until they ended, and throws the first failure.
    /// </summary>
    /// <param name="tasks">Tasks that end when <paramref name="stop"/> is cancelled.</param>
    /// <param name="stop">What cancels them.</param>
    public static async Task WhenAllAsync(Task[] tasks, CancellationTokenSource stop)
    {
        Exception? first = null;
        await foreach (var task in Task.WhenEach(tasks))
        {
            if (task.IsCompletedSuccessfully)
            {
                continue;
            }

            stop.Cancel();
            first ??= task.Exception?.InnerException ?? new OperationCanceledException(stop.Token);
        }

        if (first is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
        }
    }
}
