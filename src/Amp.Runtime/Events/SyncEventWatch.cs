using System.Runtime.CompilerServices;

namespace Amp.Events;

/// <summary>Follows a job by the events of its tables alone, without its database.</summary>
public static class SyncEventWatch
{
    // Clocks of workers and of this machine differ a little.
    private static readonly TimeSpan Overlap = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Each table's progress as its latest events tell it, then again with every event, until each table has told its end. Rates are
    /// measured from the first look on. A job that has told nothing yet is waited for.
    /// </summary>
    /// <param name="reader">Reads the topic.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the watching.</param>
    /// <exception cref="AmpException">Errors of <see cref="SyncEventReader.ReadAsync"/>.</exception>
    public static async IAsyncEnumerable<AmpTableProgress> FollowAsync(
        SyncEventReader reader, long jobId, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var tables = new SortedDictionary<string, TableWatch>(StringComparer.Ordinal);
        var options = new SyncEventReadOptions { JobIds = [jobId] };
        var since = time.GetUtcNow() - Overlap;
        while (true)
        {
            // Only at the end of all partitions is it known which tables there are and how each of them stands.
            await foreach (var read in reader.ReadAsync(options, cancellationToken))
            {
                if (read.Event is { } told)
                {
                    Take(tables, told, time);
                    since = Later(since, told.Timestamp - Overlap);
                }
            }

            foreach (var table in tables.Values.Where(table => table.IsNews))
            {
                yield return table.Show(time);
            }

            if (HasEnded(tables))
            {
                yield break;
            }

            await foreach (var read in reader.ReadAsync(options with { Since = since, Follow = true }, cancellationToken))
            {
                if (read.Event is { } told && Take(tables, told, time) is { IsNews: true } table)
                {
                    yield return table.Show(time);
                    if (HasEnded(tables))
                    {
                        break;
                    }
                }
            }
        }
    }

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private static bool HasEnded(SortedDictionary<string, TableWatch> tables) => tables.Count > 0 && tables.Values.All(table => table.HasEnded);

    private static TableWatch Take(SortedDictionary<string, TableWatch> tables, AmpSyncEvent told, TimeProvider time)
    {
        if (!tables.TryGetValue(told.Table, out var table))
        {
            tables[told.Table] = table = new TableWatch(told, time);
        }

        table.Take(told);
        return table;
    }

    private sealed class TableWatch(AmpSyncEvent first, TimeProvider time)
    {
        private readonly long _began = time.GetTimestamp();
        private ulong? _blocksAtFirst;
        private string _lastId = "";
        private AmpTableProgress _progress = new() { JobId = first.JobId, Status = AmpJobStatus.Running, Table = first.Table, FilesCount = 0, TotalSizeBytes = 0 };

        /// <summary>Whether it was told something that <see cref="Show"/> has not given yet.</summary>
        public bool IsNews { get; private set; }

        public bool HasEnded => _progress.Status is not AmpJobStatus.Running;

        /// <summary>Takes an event, unless it is known: the ids of a worker's events rise.</summary>
        public void Take(AmpSyncEvent told)
        {
            if (string.CompareOrdinal(told.EventId, _lastId) <= 0)
            {
                return;
            }

            _lastId = told.EventId;
            IsNews = true;
            _progress = told.EventType switch
            {
                "sync.started" => _progress with { Status = AmpJobStatus.Running, EndBlock = told.EndBlock },
                "sync.completed" => With(_progress with { Status = AmpJobStatus.Completed, EndBlock = told.CurrentBlock }, _progress.StartBlock, told.CurrentBlock),
                "sync.failed" => _progress with { Status = AmpJobStatus.Error, ErrorMessage = told.ErrorMessage },
                _ => With(
                    _progress with { EndBlock = told.EndBlock, FilesCount = (long)(told.FilesCount ?? 0), TotalSizeBytes = (long)(told.TotalSizeBytes ?? 0) },
                    told.StartBlock, told.CurrentBlock),
            };
        }

        public AmpTableProgress Show(TimeProvider clock)
        {
            IsNews = false;
            var seconds = clock.GetElapsedTime(_began).TotalSeconds;
            var done = _progress.BlocksCount;
            _blocksAtFirst ??= done;
            return _progress with { BlocksPerSecond = seconds > 0 && done > _blocksAtFirst ? (done - _blocksAtFirst) / seconds : null };
        }

        private static AmpTableProgress With(AmpTableProgress progress, ulong? start, ulong? current)
        {
            var blocks = start is { } from && current is { } to && to >= from ? to - from + 1 : 0;
            return progress with
            {
                StartBlock = start,
                CurrentBlock = current,
                BlocksCount = blocks,
                PercentComplete = progress.EndBlock is { } end && start is { } first && end >= first ? Math.Min(100.0, 100.0 * blocks / (end - first + 1)) : null,
            };
        }
    }
}
