using Amp.Internal;

namespace Amp.Hosting.Reports;

/// <summary>Sync events and background jobs, where there are any to tell of.</summary>
internal sealed partial class ReportPage
{
    private const int MostTypes = 50;

    private static readonly AmpBackgroundJobStatus[] States = Enum.GetValues<AmpBackgroundJobStatus>();

    private void WriteSyncEvents()
    {
        if (report.SyncEvents is not { } sync)
        {
            return;
        }

        using (Section("sync-events", "Sync events"))
        {
            using (html.Element("p", "lead"))
            {
                foreach (var (type, count) in sync.Counts)
                {
                    html.Leaf("span", $"{ReportText.Number(count)} {type}", $"badge {ReportText.Tone(type)}");
                    html.Text(" ");
                }
            }

            if (sync.Unreadable > 0)
            {
                html.Leaf("p", $"{ReportText.Count(sync.Unreadable, "message")} of the topic could not be read as events.", "remark");
            }

            if (sync.Events.Total == 0)
            {
                Empty("The topic has no events of these.");
                return;
            }

            DataTable("Sync events, newest first", ["Time", "Event", "Dataset", "Table", ">Job", "Worker", ">Block", ">Files", ">Size", "Detail"], () =>
            {
                foreach (var told in sync.Events.Items)
                {
                    using (html.Element("tr"))
                    {
                        TimeCell(told.Timestamp);
                        StateCell(told.EventType, ReportText.Tone(told.EventType));
                        Cell(told.Dataset);
                        Cell(told.Table);
                        NumberCell($"{told.JobId}");
                        Cell(told.WorkerId);
                        NumberCell(ReportText.Number(told.CurrentBlock));
                        NumberCell(ReportText.Number(told.FilesCount));
                        NumberCell(told.TotalSizeBytes is null ? "–" : _Format.Size(told.TotalSizeBytes));
                        Cell(told.ErrorMessage ?? (told.Duration is null ? "" : $"took {_Format.Age(told.Duration)}"), "wide");
                    }
                }
            });
        }
    }

    private void WriteBackgroundJobs()
    {
        if (report.BackgroundJobs is not { } background)
        {
            return;
        }

        using (Section("background-jobs", "Background jobs"))
        {
            if (background.Counts.Count == 0)
            {
                Empty("No background job has been submitted.");
            }
            else
            {
                WriteQueue(background);
            }

            WriteDeadLetters(background.DeadLetters);
            WriteBackgroundWorkers(background.Workers);
        }
    }

    private void WriteQueue(BackgroundJobsReport background)
    {
        var types = background.Counts.GroupBy(count => count.Type).OrderByDescending(type => type.Sum(count => count.Jobs)).ToList();
        DataTable("Background jobs by type and state", ["Type", .. States.Select(state => $">{state}")], () =>
        {
            foreach (var type in types.Take(MostTypes))
            {
                Row(type.Key, [.. type], null);
            }

            if (types.Count > MostTypes)
            {
                Row(ReportText.Count(types.Count - MostTypes, "other type"), [.. types.Skip(MostTypes).SelectMany(type => type)], null);
            }

            Row("All", background.Counts, "total");
        });

        void Row(string name, IReadOnlyList<BackgroundJobs.BackgroundJobCount> counts, string? @class)
        {
            using (html.Element("tr", @class))
            {
                html.Leaf("th", name, null, ("scope", "row"));
                foreach (var state in States)
                {
                    var jobs = counts.Where(count => count.Status == state).Sum(count => count.Jobs);
                    html.Leaf("td", ReportText.Number(jobs), jobs == 0 ? "number zero" : $"number {ReportText.Tone(state)}");
                }
            }
        }
    }

    private void WriteDeadLetters(Bounded<AmpBackgroundJob> letters)
    {
        if (letters.Total == 0)
        {
            return;
        }

        html.Leaf("h3", "Dead letters");
        DataTable("Dead letters", ["Job", "Type", "Tenant", ">Attempts", "Given up", "Error"], () =>
        {
            foreach (var letter in letters.Items)
            {
                using (html.Element("tr"))
                {
                    html.Leaf("th", $"{letter.JobId}", "hash", ("scope", "row"));
                    Cell(letter.Type);
                    Cell($"{letter.TenantId}", "hash");
                    NumberCell($"{letter.Attempt} of {letter.MaxAttempts}");
                    TimeCell(letter.FinishedAt);
                    Cell(letter.LastErrorKind is null ? letter.LastError : $"{letter.LastErrorKind}: {letter.LastError}", "wide");
                }
            }
        });
    }

    private void WriteBackgroundWorkers(Bounded<AmpBackgroundWorker> workers)
    {
        if (workers.Total == 0)
        {
            return;
        }

        html.Leaf("h3", "Background workers");
        DataTable("Background workers", ["Host", ">Process", "State", ">Last heartbeat", ">Running", ">Completed", ">Failed", ">Jobs/s", "Types", "Trouble"], () =>
        {
            foreach (var worker in workers.Items)
            {
                using (html.Element("tr", worker.IsActive ? null : "stale"))
                {
                    html.Leaf("th", worker.Host, null, ("scope", "row"), ("title", $"{worker.WorkerId}"));
                    NumberCell($"{worker.ProcessId}");
                    StateCell(worker.IsActive ? "Active" : "Silent", worker.IsActive ? "ok" : "warn");
                    html.Leaf("td", $"{_Format.Age(worker.HeartbeatAge)} ago", "number", ("title", ReportText.Iso(worker.HeartbeatAt)));
                    NumberCell($"{ReportText.Number(worker.Running)} of {ReportText.Number(worker.PoolSize)}");
                    NumberCell(ReportText.Number(worker.Completed));
                    NumberCell(ReportText.Number(worker.Failed));
                    NumberCell(_Format.Rate(worker.JobsPerSecond).Replace("/s", "", StringComparison.Ordinal));
                    Cell(string.Join(", ", worker.Types), "wide");
                    Cell(worker.LastError, "wide");
                }
            }
        });
    }
}
