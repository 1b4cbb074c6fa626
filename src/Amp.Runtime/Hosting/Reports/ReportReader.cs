using System.Globalization;
using Amp.BackgroundJobs;
using Amp.Events;
using Amp.Extraction;

namespace Amp.Hosting.Reports;

/// <summary>
/// Collects what a report shows, through what cmdlets use as well. The limits bound the page and the memory; what they cut off is counted.
/// </summary>
internal sealed class ReportReader(AmpDeployment deployment, ReportRequest request)
{
    private const int MostWorkers = 300;
    private const int MostFailedJobs = 100;
    private const int MostActiveJobs = 100;
    private const int MostEndedJobs = 100;
    private const int MostEvents = 300;
    private const int MostTables = 60;
    private const int MostSyncEvents = 200;
    private const int MostDeadLetters = 50;

    /// <summary>Most files of a table that are opened to count their rows.</summary>
    private const int MostFilesOpened = 500;

    private readonly IAmpClient _client = deployment.Client;
    private readonly List<string> _notes = [];

    // Of all jobs the report is about, by dataset and manifest: the last block that one of them is to extract, where one has an end.
    private readonly Dictionary<(string Dataset, string Hash), ulong?> _ends = [];

    private Dictionary<(string Dataset, string Hash), ulong?> _starts = [];

    public async Task<ReportModel> ReadAsync(CancellationToken cancellationToken)
    {
        // Checkpoint: what was asked for and is not there is refused before the long part.
        var kafka = request.IncludeSyncEvents ? deployment.RequireKafka() : null;
        foreach (var jobId in request.JobIds)
        {
            await _client.GetJobAsync(jobId, cancellationToken);
        }

        var createdAt = DateTimeOffset.UtcNow;
        var workers = await _client.GetWorkersAsync(cancellationToken).ToListAsync(cancellationToken);
        var datasets = await _client.GetDatasetsAsync(cancellationToken).Where(dataset => request.IsWanted(dataset.Dataset)).ToListAsync(cancellationToken);
        _starts = datasets.GroupBy(dataset => (dataset.Dataset, dataset.ManifestHash)).ToDictionary(dataset => dataset.Key, dataset => dataset.First().StartBlock);
        var (jobs, counts) = await ReadJobsAsync(cancellationToken);
        var (tables, totals) = await ReadTablesAsync(cancellationToken);
        var listed = new List<JobReport>();
        foreach (var job in jobs.Items)
        {
            listed.Add(Describe(job, tables.Items, await ReadEventsAsync(job.JobId, cancellationToken)));
        }

        var events = listed.SelectMany(job => job.Events).Where(IsRecent).OrderByDescending(change => change.CreatedAt).ThenByDescending(change => change.EventId).ToList();
        if (deployment.IsRemote)
        {
            _notes.Add("The session is connected over HTTP: files, and so rows and charts over time, and background jobs were not looked at.");
        }

        return new ReportModel
        {
            Request = request,
            Source = deployment.Connection.MetadataDb ?? $"{deployment.Connection.Uri}",
            CreatedAt = createdAt,
            Workers = Bounded<AmpWorker>.FirstOf([.. workers.OrderBy(worker => worker.IsActive).ThenBy(worker => worker.NodeId, StringComparer.Ordinal)], MostWorkers),
            ActiveWorkers = workers.Count(worker => worker.IsActive),
            DatasetCount = datasets.Select(dataset => dataset.Dataset).Distinct().Count(),
            JobCounts = counts,
            Jobs = new Bounded<JobReport>(listed, jobs.Total),
            Events = Bounded<AmpJobEvent>.FirstOf(events, MostEvents),
            Tables = tables,
            Totals = totals,
            SyncEvents = kafka is null ? null : await ReadSyncEventsAsync(new SyncEventReader(kafka), cancellationToken),
            BackgroundJobs = request.IsFiltered ? null : await ReadBackgroundJobsAsync(cancellationToken),
            Notes = _notes,
        };
    }

    private async Task<(Bounded<AmpJob> Jobs, IReadOnlyDictionary<AmpJobStatus, long> Counts)> ReadJobsAsync(CancellationToken cancellationToken)
    {
        var counts = new Dictionary<AmpJobStatus, long>();
        var (failed, active, ended) = (new List<AmpJob>(), new List<AmpJob>(), new List<AmpJob>());
        await foreach (var job in _client.GetJobsAsync(new JobQuery(), cancellationToken))
        {
            if (!request.IsWanted(job.Dataset) || !job.IsAmong(request.JobIds))
            {
                continue;
            }

            if (job.Descriptor is { } descriptor)
            {
                var key = (job.Dataset, descriptor.ManifestHash);
                var (known, end) = (_ends.GetValueOrDefault(key), EndOf(job));
                _ends[key] = known > end ? known : end ?? known;
            }

            if (job.IsTerminal && job.UpdatedAt < request.Since)
            {
                continue;
            }

            counts[job.Status] = counts.GetValueOrDefault(job.Status) + 1;
            var (list, most) = job.Status.IsFailed() ? (failed, MostFailedJobs)
                : job.IsTerminal ? (ended, MostEndedJobs)
                : (active, MostActiveJobs);
            if (list.Count < most)
            {
                list.Add(job);
            }
        }

        return (new Bounded<AmpJob>([.. failed, .. active, .. ended], counts.Values.Sum()), counts);
    }

    private async Task<IReadOnlyList<AmpJobEvent>> ReadEventsAsync(long jobId, CancellationToken cancellationToken)
    {
        try
        {
            return await _client.GetJobEventsAsync(jobId, cancellationToken).ToListAsync(cancellationToken);
        }
        catch (AmpException e) when (e.ErrorCode == "JobNotFound")
        {
            // It was removed since it was listed.
            return [];
        }
    }

    private bool IsRecent(AmpJobEvent change) => request.Since is null || change.CreatedAt >= request.Since;

    private async Task<(Bounded<TableReport> Tables, TableTotals Totals)> ReadTablesAsync(CancellationToken cancellationToken)
    {
        var all = await _client.GetTablesAsync(cancellationToken)
            .Where(table => request.IsWanted(table.Dataset) && (request.JobIds.Count == 0 || _ends.ContainsKey((table.Dataset, table.ManifestHash))))
            .ToListAsync(cancellationToken);

        // Those that were written to last; then as they came.
        var shown = all.OrderByDescending(table => table.JobId).Take(MostTables).ToHashSet();
        var tables = new List<TableReport>();
        foreach (var table in all.Where(shown.Contains).OrderBy(table => table.Dataset, StringComparer.Ordinal))
        {
            tables.Add(await ReadTableAsync(table, cancellationToken));
        }

        var totals = new TableTotals(
            all.GroupBy(table => (table.Dataset, table.ManifestHash)).Aggregate(0UL, (sum, tables) => sum + tables.Max(table => table.BlocksCount)),
            all.Sum(table => table.FilesCount),
            all.Sum(table => table.TotalSizeBytes),
            tables.Count == all.Count && tables.TrueForAll(table => table.Rows is not null) ? tables.Sum(table => table.Rows) : null,
            tables.Exists(table => table.IsRowsEstimate));
        return (new Bounded<TableReport>(tables, all.Count), totals);
    }

    private async Task<TableReport> ReadTableAsync(AmpTable table, CancellationToken cancellationToken)
    {
        var key = (table.Dataset, table.ManifestHash);
        var (start, end) = (_starts.GetValueOrDefault(key), _ends.GetValueOrDefault(key));
        if (deployment.IsRemote)
        {
            return new TableReport { Table = table, Coverage = Coverage.Of(table, start, end) };
        }

        var files = await deployment.Tables.GetFilesAsync(table, cancellationToken).ToListAsync(cancellationToken);
        var canonical = files.FindAll(file => file.IsCanonical);
        var counted = files.FindAll(file => file.IsCanonical || file.EndBlock > canonical[^1].EndBlock);
        var (rows, unreadable) = await CountRowsAsync(canonical, cancellationToken);
        return new TableReport
        {
            Table = table,
            Coverage = Coverage.Of(files, start, end),
            Rows = rows,
            IsRowsEstimate = canonical.Count > MostFilesOpened,
            UnreadableFiles = unreadable,
            OrphanedFiles = files.Count - counted.Count,
            History = CommitHistory.Of(counted, request.Since),
        };
    }

    /// <summary>The rows of files; of many, as many as a part of them, evenly chosen, lets expect.</summary>
    private async Task<(long? Rows, int Unreadable)> CountRowsAsync(List<AmpFile> files, CancellationToken cancellationToken)
    {
        var (rows, counted, unreadable) = (0L, 0d, 0);
        var opened = Math.Min(files.Count, MostFilesOpened);
        for (var i = 0; i < opened; i++)
        {
            var file = files[(int)((long)i * files.Count / opened)];
            try
            {
                rows += (await deployment.Tables.WithRowCountAsync(file, cancellationToken)).RowCount ?? 0;
                counted += Blocks(file);
            }
            catch (AmpException)
            {
                unreadable++;
            }
        }

        if (opened == files.Count)
        {
            return (unreadable == 0 ? rows : null, unreadable);
        }

        return (counted > 0 ? (long)(rows * (files.Sum(Blocks) / counted)) : null, unreadable);

        static double Blocks(AmpFile file) => new BlockRange(file.StartBlock, file.EndBlock).Count;
    }

    private JobReport Describe(AmpJob job, IReadOnlyList<TableReport> all, IReadOnlyList<AmpJobEvent> events)
    {
        var tables = all.Where(table => table.Table.Dataset == job.Dataset && table.Table.ManifestHash == job.Descriptor?.ManifestHash).ToList();
        var start = job.Descriptor is not { } descriptor ? null
            : descriptor.StartBlock ?? _starts.GetValueOrDefault((job.Dataset, descriptor.ManifestHash)) ?? tables.Min(table => table.Table.StartBlock);
        if (start is not { } first || EndOf(job) is not { } last || last < first)
        {
            return new JobReport(job, tables.Count == 0 ? null : tables.Min(table => table.Table.BlocksCount), null, events);
        }

        var range = new BlockRange(first, last);
        return new JobReport(
            job, tables.Count == 0 ? null : tables.Min(table => table.Coverage.IsExact ? table.Coverage.CountIn(range) : Math.Min(table.Table.BlocksCount, range.Count)),
            range.Count, events);
    }

    private async Task<SyncEventsReport> ReadSyncEventsAsync(SyncEventReader reader, CancellationToken cancellationToken)
    {
        var newest = new Queue<AmpSyncEvent>();
        var counts = new SortedDictionary<string, long>(StringComparer.Ordinal);
        var unreadable = 0;
        var options = new SyncEventReadOptions { Since = request.Since, JobIds = request.JobIds };
        await foreach (var (syncEvent, error) in reader.ReadAsync(options, cancellationToken))
        {
            if (error is not null)
            {
                unreadable++;
            }
            else if (request.IsWanted(syncEvent!.Dataset))
            {
                counts[syncEvent.EventType] = counts.GetValueOrDefault(syncEvent.EventType) + 1;
                newest.Enqueue(syncEvent);
                if (newest.Count > MostSyncEvents)
                {
                    newest.Dequeue();
                }
            }
        }

        return new SyncEventsReport(new Bounded<AmpSyncEvent>([.. newest.OrderByDescending(syncEvent => syncEvent.Timestamp)], counts.Values.Sum()), counts, unreadable);
    }

    private async Task<BackgroundJobsReport?> ReadBackgroundJobsAsync(CancellationToken cancellationToken)
    {
        if (await deployment.FindBackgroundJobsAsync(cancellationToken) is not { } jobs)
        {
            return null;
        }

        var counts = await jobs.CountAsync(cancellationToken);
        var dead = await jobs.GetJobsAsync(new BackgroundJobQuery { Status = [AmpBackgroundJobStatus.DeadLettered] }, cancellationToken).Take(MostDeadLetters).ToListAsync(cancellationToken);
        var workers = await jobs.GetWorkersAsync(cancellationToken);
        return new BackgroundJobsReport(
            counts,
            new Bounded<AmpBackgroundJob>(dead, Math.Max(dead.Count, counts.Where(count => count.Status == AmpBackgroundJobStatus.DeadLettered).Sum(count => count.Jobs))),
            Bounded<AmpBackgroundWorker>.FirstOf([.. workers.OrderBy(worker => worker.IsActive).ThenBy(worker => worker.Host, StringComparer.Ordinal)], MostWorkers));
    }

    /// <summary>The block that a job ends at, when it is a number that a table can reach: the database's go up to 2^63.</summary>
    private static ulong? EndOf(AmpJob job) => long.TryParse(job.Descriptor?.EndBlock, NumberStyles.None, CultureInfo.InvariantCulture, out var end) ? (ulong)end : null;
}
