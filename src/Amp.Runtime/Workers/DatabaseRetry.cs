using Microsoft.Extensions.Logging;

namespace Amp.Workers;

/// <summary>Repeats what a job asks of the database while that is away.</summary>
internal sealed class DatabaseRetry(long jobId, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(1);

    /// <summary>Runs something that is safe to repeat until the database answers.</summary>
    public async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await work(cancellationToken);
            }
            catch (AmpException e) when (e is { Kind: AmpErrorKind.Unavailable, IsTransient: true })
            {
                Log.WaitedForDatabase(logger, jobId, e.Message);
                await Task.Delay(Delay, time, cancellationToken);
            }
        }
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public Task RunAsync(Func<CancellationToken, Task> work, CancellationToken cancellationToken) => RunAsync(
        async token =>
        {
            await work(token);
            return true;
        },
        cancellationToken);
}
