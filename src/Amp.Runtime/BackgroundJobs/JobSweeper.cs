using Microsoft.Extensions.Logging;

namespace Amp.BackgroundJobs;

/// <summary>Does every second what has to happen when time passes, and every minute what may wait. Any number may run.</summary>
internal sealed class JobSweeper : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private const int SweepsBetweenRetiring = 60;

    private readonly JobQueue _queue;
    private readonly TenantsTable _tenants;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    /// <summary>Begins.</summary>
    public JobSweeper(JobQueue queue, TenantsTable tenants, TimeProvider time, ILogger logger)
    {
        (_queue, _tenants, _time, _logger) = (queue, tenants, time, logger);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Ends after what is under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var isFaulty = false;
        for (var round = 0; !_stop.IsCancellationRequested; round++)
        {
            try
            {
                await _queue.SweepAsync(_stop.Token);
                if (round % SweepsBetweenRetiring == 0)
                {
                    await _tenants.BeginDayAsync(_stop.Token);
                    await _queue.RetireAsync(_stop.Token);
                }

                isFaulty = false;
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Whatever it was, as when memory is short for a while: the next round does the same.
                if (!isFaulty)
                {
                    Log.QueueUnavailable(_logger, e.Message);
                }

                isFaulty = true;
            }

            await Task.Delay(Interval, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
