using System.Globalization;
using Amp.Extraction;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging;

namespace Amp.Workers;

/// <summary>
/// The parts of a job that several workers share: each is a job of its own, on a worker of its own, and disappears when it has ended.
/// A part is nothing more than help: whatever becomes of it, the job itself looks afterwards what is lacking.
/// </summary>
internal sealed class JobParts(MetadataDatabase database, JobAssignment job, TimeProvider time, ILogger logger)
{
    /// <summary>Failed parts in a row after which sharing is given up.</summary>
    private const int MaxFailures = 8;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>After the database was away, all workers look silent for a moment.</summary>
    private static readonly TimeSpan WorkerPatience = TimeSpan.FromSeconds(15);

    private readonly DatabaseRetry _retry = new(job.JobId, time, logger);
    private readonly JobScheduler _scheduler = new(database);
    private readonly Dictionary<long, AmpJob> _active = [];

    /// <summary>Blocks that parts are extracting.</summary>
    public IEnumerable<BlockRange> Taken => _active.Values.Select(Blocks);

    /// <summary>Takes over the parts that an earlier run of the job left, and removes those that have ended.</summary>
    public async Task AdoptAsync(CancellationToken stop)
    {
        foreach (var part in await _retry.RunAsync(token => database.Jobs.ListAsync(new JobFilter { PartOf = job.JobId }, token), stop))
        {
            _active.Add(part.JobId, part);
        }

        await LookAsync(stop);
    }

    /// <summary>Hands out parts, one for each worker at a time, until all have been extracted or sharing is of no use.</summary>
    /// <param name="blocks">The blocks of each part.</param>
    /// <param name="looked">Called after each look at the parts.</param>
    /// <param name="stop">Ends the waiting; the parts go on.</param>
    public async Task RunAsync(IEnumerable<BlockRange> blocks, Func<CancellationToken, Task> looked, CancellationToken stop)
    {
        var waiting = new Queue<BlockRange>(blocks);
        var failures = 0;
        var lastActive = time.GetTimestamp();
        while (true)
        {
            while (waiting.Count > 0 && _active.Count < job.Descriptor.Workers && await ScheduleAsync(waiting.Peek(), stop))
            {
                waiting.Dequeue();
            }

            if (_active.Count > 0)
            {
                lastActive = time.GetTimestamp();
            }
            else if (waiting.Count == 0 || time.GetElapsedTime(lastActive) >= WorkerPatience)
            {
                // What no worker was there for is done by this one.
                return;
            }

            await Task.Delay(Interval, time, stop);
            foreach (var ended in await LookAsync(stop))
            {
                failures = ended.Status is AmpJobStatus.Completed ? 0 : failures + 1;
                if (ended.Status is AmpJobStatus.Fatal || failures > MaxFailures)
                {
                    // What is wrong shows when this worker comes to these blocks.
                    waiting.Clear();
                }
                else if (failures > 0)
                {
                    waiting.Enqueue(Blocks(ended));
                }
            }

            await _retry.RunAsync(looked, stop);
        }
    }

    private static BlockRange Blocks(AmpJob part) =>
        new(part.Descriptor!.StartBlock!.Value, ulong.Parse(part.Descriptor.EndBlock!, CultureInfo.InvariantCulture));

    /// <summary>Schedules a part on a worker that has none; false when there is no such worker, or the whole job is to be stopped.</summary>
    private async Task<bool> ScheduleAsync(BlockRange blocks, CancellationToken stop)
    {
        string[] busy = [.. _active.Values.Select(part => part.NodeId)];
        if (await _retry.RunAsync(token => _scheduler.FindAsync(job.Descriptor.WorkerPattern, busy, token), stop) is not { } nodeId)
        {
            return false;
        }

        var descriptor = job.Descriptor with
        {
            Kind = JobKinds.MaterializeRawPart,
            PartOf = job.JobId,
            StartBlock = blocks.Start,
            EndBlock = blocks.End.ToString(CultureInfo.InvariantCulture),
            Workers = 1,
            WorkerPattern = null,
        };
        if (await _retry.RunAsync(
            token => database.Jobs.SchedulePartAsync(
                job.JobId, job.NodeId, job.RegisteredAt, nodeId, descriptor, JobScheduler.IdempotencyKey(descriptor), token),
            stop) is not { } part)
        {
            return false;
        }

        _active.Add(part.JobId, await _retry.RunAsync(token => database.Jobs.GetAsync(part.JobId, token), stop));
        Log.StartedPart(logger, job.JobId, part.JobId, blocks.Start, blocks.End, nodeId);
        return true;
    }

    /// <summary>Looks at all parts and removes those that have ended, so that no controller starts them again.</summary>
    private async Task<IReadOnlyList<AmpJob>> LookAsync(CancellationToken stop)
    {
        var ended = new List<AmpJob>();
        foreach (var part in _active.Values.ToArray())
        {
            var now = await _retry.RunAsync(token => database.Jobs.FindAsync(part.JobId, token), stop);
            if (now is { IsTerminal: false })
            {
                _active[part.JobId] = now;
            }
            else if (now is null || await TryDeleteAsync(now, stop))
            {
                // Somebody else may have removed it; then nobody knows how it ended.
                now ??= part with { Status = AmpJobStatus.Stopped };
                _active.Remove(part.JobId);
                ended.Add(now);
                Log.EndedPart(logger, job.JobId, now.JobId, now.NodeId, now.Status, now.ErrorMessage);
            }
        }

        return ended;
    }

    /// <summary>False when it was scheduled again meanwhile.</summary>
    private async Task<bool> TryDeleteAsync(AmpJob part, CancellationToken stop)
    {
        try
        {
            await _retry.RunAsync(token => database.Jobs.DeleteAsync(part.JobId, token), stop);
            return true;
        }
        catch (AmpException e) when (e.ErrorCode is "JobNotTerminal" or "JobNotFound")
        {
            return e.ErrorCode is "JobNotFound";
        }
    }
}
