using Amp.Internal;

namespace Amp.Hosting.Reports;

/// <summary>Workers, jobs, and what happened to them.</summary>
internal sealed partial class ReportPage
{
    /// <summary>Most jobs that the drawing of the timeline shows.</summary>
    private const int MostDrawnJobs = 24;

    private void WriteWorkers()
    {
        using (Section("workers", "Workers"))
        {
            if (report.Workers.Total == 0)
            {
                Empty("No worker has ever registered.");
                return;
            }

            var versions = report.Workers.Items.GroupBy(worker => worker.Version ?? "unknown").OrderByDescending(version => version.Count()).ToList();
            if (versions.Count > 1)
            {
                html.Leaf("p", "Versions: " + string.Join(", ", versions.Select(version => $"{version.Key} ({ReportText.Number(version.Count())})")), "lead");
            }

            DataTable("Workers", ["Worker", "State", ">Last heartbeat", ">Active jobs", "Version", "Commit", "Started"], () =>
            {
                foreach (var worker in report.Workers.Items)
                {
                    using (html.Element("tr", worker.IsActive ? null : "stale"))
                    {
                        html.Leaf("th", worker.NodeId, null, ("scope", "row"));
                        StateCell(worker.IsActive ? "Active" : "Silent", worker.IsActive ? "ok" : "warn");
                        html.Leaf("td", $"{_Format.Age(worker.HeartbeatAge)} ago", "number", ("title", ReportText.Iso(worker.HeartbeatAt)));
                        NumberCell(ReportText.Number(worker.ActiveJobs));
                        Cell(worker.Version ?? "–");
                        html.Leaf("td", _Format.ShortHash(worker.CommitSha), "hash", ("title", worker.CommitSha));
                        TimeCell(worker.RegisteredAt);
                    }
                }
            });
        }
    }

    private void WriteJobs()
    {
        using (Section("jobs", "Jobs"))
        {
            if (report.Jobs.Total == 0)
            {
                Empty("There are no jobs.");
                return;
            }

            using (html.Element("p", "lead"))
            {
                foreach (var (status, count) in report.JobCounts.OrderBy(count => count.Key))
                {
                    html.Leaf("span", $"{ReportText.Number(count)} {status}", $"badge {ReportText.Tone(status)}");
                    html.Text(" ");
                }
            }

            DataTable("Jobs", [">Job", "Dataset", "State", "Worker", ">Attempts", ">Blocks", "Created", "Updated", ">Took"], () =>
            {
                foreach (var job in report.Jobs.Items)
                {
                    WriteJob(job);
                }
            });
        }
    }

    private void WriteJob(JobReport shown)
    {
        var job = shown.Job;
        var hasFailed = job.Status.IsFailed();
        using (html.Element("tr", hasFailed ? "failed" : null))
        {
            html.Leaf("th", $"{job.JobId}", "number", ("scope", "row"));
            using (html.Element("td"))
            {
                html.Text(job.Dataset.Length > 0 ? job.Dataset : "unknown");
                if (job.PartOf is { } whole)
                {
                    html.Leaf("span", $" part of {whole}", "aside");
                }
            }

            StateCell($"{job.Status}", ReportText.Tone(job.Status));
            Cell(job.NodeId);
            NumberCell(ReportText.Number(job.Attempts));
            using (html.Element("td", "number"))
            {
                html.Text(ReportText.Number(shown.Done));
                if (shown.Total is { } total)
                {
                    html.Text($" of {ReportText.Number(total)}");
                    ReportCharts.Bar(html, shown.Done ?? 0, total);
                }
            }

            TimeCell(job.CreatedAt);
            TimeCell(job.UpdatedAt);
            NumberCell(_Format.Age((job.IsTerminal ? job.UpdatedAt : report.CreatedAt) - job.CreatedAt));
        }

        if (hasFailed)
        {
            using (html.Element("tr", "failed error"))
            {
                html.Leaf("td", null);
                using (html.Element("td", null, ("colspan", "8")))
                {
                    html.Leaf("strong", job.ErrorCode ?? $"{job.Status}");
                    html.Text(" " + (job.ErrorMessage ?? "It did not say why."));
                }
            }
        }
    }

    private void WriteTimeline()
    {
        using (Section("timeline", "Timeline"))
        {
            var drawn = report.Jobs.Items.Where(job => job.Events.Count > 0).OrderByDescending(job => job.Job.UpdatedAt).Take(MostDrawnJobs)
                .OrderByDescending(job => job.Job.JobId).ToList();
            if (report.Events.Total == 0 || drawn.Count == 0)
            {
                Empty("Nothing happened to jobs.");
                return;
            }

            ReportCharts.Timeline(html, drawn, report.Request.Since, report.CreatedAt);
            var datasets = report.Jobs.Items.ToDictionary(job => job.Job.JobId, job => job.Job.Dataset);
            DataTable("Events of jobs, newest first", ["Time", ">Job", "Dataset", "State", "Worker", "Detail"], () =>
            {
                foreach (var change in report.Events.Items)
                {
                    using (html.Element("tr"))
                    {
                        TimeCell(change.CreatedAt);
                        NumberCell($"{change.JobId}");
                        Cell(datasets[change.JobId]);
                        StateCell($"{change.Status}", ReportText.Tone(change.Status));
                        Cell(change.NodeId);
                        Cell(ReportText.Detail(change), "wide");
                    }
                }
            });
        }
    }
}
