using System.Reflection;
using Amp.Internal;

namespace Amp.Hosting.Reports;

/// <summary>Lays a report out as a page: totals and what needs attention first, then one section for each kind of thing.</summary>
internal sealed partial class ReportPage(ReportModel report, HtmlWriter html)
{
    private static readonly string Css = ReadCss();

    private static readonly string Version =
        typeof(ReportPage).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    /// <summary>Writes the page.</summary>
    public void Write()
    {
        using (html.Element("html", null, ("lang", "en")))
        {
            WriteHead();
            using (html.Element("body"))
            {
                WriteHeader();
                using (html.Element("main"))
                {
                    WriteSummary();
                    WriteWorkers();
                    WriteJobs();
                    WriteTables();
                    WriteTimeline();
                    WriteSyncEvents();
                    WriteBackgroundJobs();
                    WriteNotes();
                }

                html.Leaf("footer", $"Written by Export-AmpReport, Amp {Version}. Times are UTC, sizes in units of 1,024.");
            }
        }
    }

    private void WriteHead()
    {
        using (html.Element("head"))
        {
            html.Void("meta", null, ("charset", "utf-8"));
            html.Void("meta", null, ("name", "viewport"), ("content", "width=device-width, initial-scale=1"));
            html.Void("meta", null, ("name", "color-scheme"), ("content", "light dark"));
            html.Void("meta", null, ("http-equiv", "Content-Security-Policy"), ("content", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"));
            html.Leaf("title", report.Request.Title);
            html.Style(Css);
        }
    }

    private void WriteHeader()
    {
        using (html.Element("header"))
        {
            html.Leaf("h1", report.Request.Title);
            using (html.Element("p", "lead"))
            {
                html.Leaf("span", report.Source, "source");
                html.Text(" · as of ");
                Time(report.CreatedAt);
            }

            if (report.Request.IsFiltered || report.Request.Since is not null)
            {
                using (html.Element("p", "lead"))
                {
                    html.Text("Only " + string.Join(", ", ((string?[])
                    [
                        report.Request.Datasets.Count > 0 ? $"datasets {string.Join(", ", report.Request.Datasets)}" : null,
                        report.Request.JobIds.Count > 0 ? $"jobs {string.Join(", ", report.Request.JobIds.Order())}" : null,
                    ]).OfType<string>().DefaultIfEmpty("what happened")));
                    if (report.Request.Since is { } since)
                    {
                        html.Text(" since ");
                        Time(since);
                    }
                }
            }

            using (html.Element("nav", null, ("aria-label", "Sections")))
            {
                Link("workers", "Workers");
                Link("jobs", "Jobs");
                Link("tables", "Tables");
                Link("timeline", "Timeline");
                if (report.SyncEvents is not null)
                {
                    Link("sync-events", "Sync events");
                }

                if (report.BackgroundJobs is not null)
                {
                    Link("background-jobs", "Background jobs");
                }
            }
        }
    }

    private void WriteSummary()
    {
        using (html.Element("section", null, ("aria-label", "Summary")))
        {
            using (html.Element("dl", "tiles"))
            {
                Tile("Workers", $"{ReportText.Number(report.ActiveWorkers)}", $"active of {ReportText.Number(report.Workers.Total)}");
                Tile("Jobs", ReportText.Number(report.Jobs.Total), $"{ReportText.Number(JobCount(AmpJobStatus.Running))} running");
                Tile("Failed jobs", ReportText.Number(FailedJobs), null, FailedJobs > 0 ? "bad" : null);
                Tile("Datasets", ReportText.Number(report.DatasetCount), ReportText.Count(report.Tables.Total, "table"));
                Tile("Blocks", ReportText.Number(report.Totals.Blocks), null);
                if (report.Totals.Rows is not null)
                {
                    Tile("Rows", ReportText.Rows(report.Totals.Rows, report.Totals.IsRowsEstimate), null);
                }

                Tile("Files", ReportText.Number(report.Totals.Files), _Format.Size(report.Totals.Bytes));
                if (report.BackgroundJobs is { } background)
                {
                    Tile(
                        "Background", ReportText.Number(background.Counts.Sum(count => count.Jobs)),
                        $"{ReportText.Number(background.Count(AmpBackgroundJobStatus.Queued) + background.Count(AmpBackgroundJobStatus.Retrying))} waiting");
                }
            }

            WriteAttention();
        }
    }

    private void WriteAttention()
    {
        (string Section, string Tone, string Text)[] items = [.. Attention()];
        if (items.Length == 0)
        {
            html.Leaf("p", "Nothing needs attention.", "calm");
            return;
        }

        using (html.Element("div", "attention"))
        {
            html.Leaf("h2", "Needs attention");
            using (html.Element("ul"))
            {
                foreach (var (section, tone, text) in items)
                {
                    using (html.Element("li", tone))
                    {
                        html.Leaf("a", text, null, ("href", "#" + section));
                    }
                }
            }
        }
    }

    private IEnumerable<(string Section, string Tone, string Text)> Attention()
    {
        if (FailedJobs > 0)
        {
            yield return ("jobs", "bad", $"{ReportText.Count(FailedJobs, "job")} failed");
        }

        if (report.Workers.Total > report.ActiveWorkers)
        {
            yield return ("workers", "warn", $"{ReportText.Count(report.Workers.Total - report.ActiveWorkers, "worker")} silent");
        }

        if (report.ActiveWorkers == 0 && ActiveJobs > 0)
        {
            yield return ("workers", "bad", $"{ReportText.Count(ActiveJobs, "job")} without any active worker");
        }

        foreach (var table in report.Tables.Items.Where(HasGap))
        {
            yield return ("tables", "warn", $"{table.Table.Dataset} {table.Table.Table} has a gap at block {ReportText.Blocks(table.Coverage.Gaps[0])}");
        }

        foreach (var table in report.Tables.Items.Where(table => table.UnreadableFiles > 0))
        {
            yield return ("tables", "bad", $"{table.Table.Dataset} {table.Table.Table} has {ReportText.Count(table.UnreadableFiles, "file")} that cannot be opened");
        }

        if (report.SyncEvents?.Counts.GetValueOrDefault("sync.failed") is > 0 and var failed)
        {
            yield return ("sync-events", "bad", ReportText.Count(failed, "sync.failed event"));
        }

        if (report.BackgroundJobs?.DeadLetters.Total is > 0 and var dead)
        {
            yield return ("background-jobs", "bad", ReportText.Count(dead, "dead letter"));
        }

        if (report.BackgroundJobs?.Workers.Items.Count(worker => !worker.IsActive) is > 0 and var silent)
        {
            yield return ("background-jobs", "warn", $"{ReportText.Count(silent, "background worker")} silent");
        }
    }

    private void WriteNotes()
    {
        string[] notes =
        [
            .. report.Notes,
            .. LeftOut(report.Workers.LeftOut, "worker"),
            .. LeftOut(report.Jobs.LeftOut, "job"),
            .. LeftOut(report.Events.LeftOut, "older event", "older events"),
            .. LeftOut(report.Tables.LeftOut, "table", "tables that were written to less lately"),
            .. LeftOut(report.SyncEvents?.Events.LeftOut ?? 0, "older sync event"),
            .. LeftOut(report.BackgroundJobs?.DeadLetters.LeftOut ?? 0, "older dead letter"),
            .. LeftOut(report.BackgroundJobs?.Workers.LeftOut ?? 0, "background worker"),
        ];
        if (notes.Length == 0)
        {
            return;
        }

        using (Section("notes", "Left out"))
        {
            using (html.Element("ul"))
            {
                foreach (var note in notes)
                {
                    html.Leaf("li", note);
                }
            }
        }
    }

    private static IEnumerable<string> LeftOut(long number, string one, string? many = null)
    {
        if (number > 0)
        {
            yield return $"{ReportText.Count(number, one, many)} {(number == 1 ? "is" : "are")} counted in the totals and not listed.";
        }
    }

    private long FailedJobs => JobCount(AmpJobStatus.Error) + JobCount(AmpJobStatus.Fatal);

    private long ActiveJobs => report.JobCounts.Where(count => count.Key is AmpJobStatus.Scheduled or AmpJobStatus.Running or AmpJobStatus.StopRequested or AmpJobStatus.Stopping).Sum(count => count.Value);

    private long JobCount(AmpJobStatus status) => report.JobCounts.GetValueOrDefault(status);

    private HtmlWriter.Scope Section(string id, string heading)
    {
        var section = html.Element("section", null, ("id", id), ("aria-labelledby", id + "-heading"));
        html.Leaf("h2", heading, null, ("id", id + "-heading"));
        return section;
    }

    /// <summary>A table that scrolls by itself where the page is narrow. A heading that begins with &gt; is of numbers.</summary>
    private void DataTable(string label, IReadOnlyList<string> headings, Action rows)
    {
        using (html.Element("div", "scroll", ("role", "region"), ("aria-label", label), ("tabindex", "0")))
        using (html.Element("table"))
        {
            using (html.Element("thead"))
            using (html.Element("tr"))
            {
                foreach (var heading in headings)
                {
                    html.Leaf("th", heading.TrimStart('>'), heading.StartsWith('>') ? "number" : null, ("scope", "col"));
                }
            }

            using (html.Element("tbody"))
            {
                rows();
            }
        }
    }

    private void Cell(string? text, string? @class = null) => html.Leaf("td", text, @class);

    private void NumberCell(string text) => html.Leaf("td", text, "number");

    private void TimeCell(DateTimeOffset? time)
    {
        using (html.Element("td", "time"))
        {
            if (time is { } known)
            {
                Time(known);
            }
        }
    }

    private void StateCell(string text, string tone)
    {
        using (html.Element("td"))
        {
            html.Leaf("span", text, $"badge {tone}");
        }
    }

    private void Time(DateTimeOffset time) => html.Leaf("time", _Format.Time(time), null, ("datetime", ReportText.Iso(time)), ("title", ReportText.Iso(time)));

    private void Link(string section, string text) => html.Leaf("a", text, null, ("href", "#" + section));

    private void Tile(string name, string value, string? note, string? tone = null)
    {
        using (html.Element("div", tone is null ? "tile" : $"tile {tone}"))
        {
            html.Leaf("dt", name);
            html.Leaf("dd", value, "value");
            if (note is not null)
            {
                html.Leaf("dd", note, "note");
            }
        }
    }

    private void Empty(string text) => html.Leaf("p", text, "empty");

    private static string ReadCss()
    {
        using var reader = new StreamReader(typeof(ReportPage).Assembly.GetManifestResourceStream("Amp.Hosting.Reports.report.css")!);
        return reader.ReadToEnd();
    }
}
