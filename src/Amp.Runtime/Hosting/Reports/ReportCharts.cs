using System.Globalization;
using Amp.Extraction;

namespace Amp.Hosting.Reports;

/// <summary>
/// Drawings as inline SVG. They stretch with the page, so all text stands beside them as HTML; each says in words what it shows. No drawing
/// has more than about a thousand shapes.
/// </summary>
internal static class ReportCharts
{
    /// <summary>Units across a drawing.</summary>
    private const double Width = 1000;

    /// <summary>The least that a shape is wide, so that it is seen.</summary>
    private const double LeastWidth = 3;

    /// <summary>A bar for a share that is told in words beside it.</summary>
    public static void Bar(HtmlWriter html, ulong part, ulong whole)
    {
        using (html.Element("svg", "bar", ("viewBox", "0 0 1000 10"), ("preserveAspectRatio", "none"), ("aria-hidden", "true")))
        {
            Rect(html, "track", 0, Width, 0, 10);
            Rect(html, "have", 0, Width * Math.Min(1, part / (double)whole), 0, 10);
        }
    }

    /// <summary>Which blocks of its range a table has.</summary>
    public static void Coverage(HtmlWriter html, AmpTable table, Coverage coverage, BlockRange range)
    {
        var percent = ReportText.Percent(table.BlocksCount, range.Count);
        var label = $"{ReportText.Number(table.BlocksCount)} of the {ReportText.Number(range.Count)} blocks {ReportText.Blocks(range)} are in files, {percent}";
        using (html.Element("figure", "coverage"))
        {
            using (html.Element("svg", null, ("viewBox", "0 0 1000 14"), ("preserveAspectRatio", "none"), ("role", "img"), ("aria-label", label)))
            {
                Rect(html, "track", 0, Width, 0, 14);
                Draw("have", coverage.Runs.Take(1), 0);
                Draw("behind", coverage.Runs.Skip(1), 0);
                if (coverage.IsExact)
                {
                    Draw("missing", coverage.Gaps, LeastWidth);
                }
            }

            Axis(html, ReportText.Number(range.Start), ReportText.Number(range.End));
            if (coverage.Runs.Count > 1)
            {
                Key(html, ("have", "in files"), ("missing", "missing"), ("behind", "in files, behind a gap"));
            }
        }

        // What touches is one shape.
        void Draw(string @class, IEnumerable<BlockRange> blocks, double least)
        {
            var (from, to) = (-1d, -1d);
            foreach (var run in blocks)
            {
                var (start, end) = (Math.Floor(At(run.Start)), Math.Ceiling(At(run.End + 1)));
                end = Math.Max(end, start + least);
                if (start > to)
                {
                    Finish();
                    (from, to) = (start, end);
                }

                to = Math.Max(to, end);
            }

            Finish();

            void Finish()
            {
                if (from >= 0)
                {
                    Rect(html, @class, from, to, 0, 14);
                }
            }
        }

        double At(ulong block) => Width * ((block - range.Start) / (double)range.Count);
    }

    /// <summary>How the number of blocks in files rose.</summary>
    /// <param name="html">Where it goes.</param>
    /// <param name="table">The table's name.</param>
    /// <param name="history">When blocks were written.</param>
    /// <param name="target">How many it is to have; drawn when it is near.</param>
    public static void Progress(HtmlWriter html, string table, CommitHistory history, ulong? target)
    {
        var isNear = target >= history.Total && target <= 2 * history.Total;
        var top = Math.Max(1, isNear ? target!.Value : history.Total);
        var label = $"Blocks of {table} in files: {ReportText.Number(history.Before)} at {ReportText.Time(history.Start)}, {ReportText.Number(history.Total)} at {ReportText.Time(history.End)}";
        Chart(html, "Blocks in files", ReportText.Number(top), label, history, () =>
        {
            var sum = history.Before;
            var step = Width / history.Blocks.Count;
            List<string> points = [Point(0, sum), .. history.Blocks.Select((blocks, i) => Point((i + 1) * step, sum += blocks))];
            html.Void("polygon", "area", ("points", $"0,100 {string.Join(' ', points)} 1000,100"));
            html.Void("polyline", "line", ("points", string.Join(' ', points)));
        });

        string Point(double x, ulong blocks) => $"{Unit(x)},{Unit(100 - (100.0 * blocks / top))}";
    }

    /// <summary>How many blocks came per second.</summary>
    public static void Rate(HtmlWriter html, string table, CommitHistory history)
    {
        var rates = history.Rates.ToList();
        var top = rates.Max();
        var label = $"Blocks of {table} per second, in steps of {Internal._Format.Age(history.Step)}: {ReportText.Rate(top)} at most";
        Chart(html, "Blocks per second", ReportText.Rate(top), label, history, () =>
        {
            var step = Width / rates.Count;
            for (var i = 0; i < rates.Count; i++)
            {
                if (rates[i] > 0)
                {
                    var height = Math.Max(1.5, 100 * rates[i] / top);
                    Rect(html, "rate", i * step + (step * 0.08), (i + 1) * step - (step * 0.08), 100 - height, height, $"{ReportText.Time(history.Start + (history.Step * i))}: {ReportText.Rate(rates[i])}");
                }
            }
        });
    }

    /// <summary>What state jobs were in when, one lane for each.</summary>
    /// <param name="html">Where it goes.</param>
    /// <param name="jobs">Jobs with their events.</param>
    /// <param name="since">Leaves out what was before; null for no limit.</param>
    /// <param name="now">When jobs that have not ended were looked at.</param>
    public static void Timeline(HtmlWriter html, IReadOnlyList<JobReport> jobs, DateTimeOffset? since, DateTimeOffset now)
    {
        var first = jobs.Min(job => job.Events[0].CreatedAt);
        var start = since > first ? since.Value : first;
        var end = jobs.Max(job => job.Job.IsTerminal ? job.Events[^1].CreatedAt : now);
        end = end > start ? end : start.AddSeconds(1);
        using (html.Element("figure", "timeline"))
        {
            foreach (var (job, _, _, events) in jobs)
            {
                using (html.Element("div", "lane"))
                {
                    html.Leaf("span", $"{job.JobId} {job.Dataset}", "lane-name");
                    var label = $"Job {job.JobId}: " + string.Join(", ", events.TakeLast(10).Select(change => $"{change.Status} {ReportText.Time(change.CreatedAt, start)}"));
                    using (html.Element("svg", null, ("viewBox", "0 0 1000 14"), ("preserveAspectRatio", "none"), ("role", "img"), ("aria-label", label)))
                    {
                        Rect(html, "track", 0, Width, 6.5, 1);
                        Lane(job, events);
                    }
                }
            }

            using (html.Element("div", "lane"))
            {
                html.Leaf("span", null, "lane-name");
                Axis(html, ReportText.Time(start), ReportText.Time(end, start));
            }

            Key(html, ("idle", "waits"), ("busy", "runs"), ("ok", "completed"), ("warn", "stops or stopped"), ("bad", "failed"));
        }

        void Lane(AmpJob job, IReadOnlyList<AmpJobEvent> events)
        {
            // Jobs that were restarted for ever: the newest of it is enough.
            foreach (var (change, next) in events.Zip(events.Skip(1).Append(null)).TakeLast(40))
            {
                var isLast = next is null;
                var until = next?.CreatedAt ?? (job.IsTerminal ? change.CreatedAt : now);
                if (until < start)
                {
                    continue;
                }

                var isEnd = change.Status.IsTerminal();
                var from = Math.Clamp(At(change.CreatedAt), 0, Width - (2 * LeastWidth));
                var title = $"{change.Status} {ReportText.Time(change.CreatedAt)}";
                if (isEnd)
                {
                    Rect(html, ReportText.Tone(change.Status), from, from + (2 * LeastWidth), 0, 14, title);
                }
                else
                {
                    Rect(html, ReportText.Tone(change.Status), from, Math.Max(At(until), from + LeastWidth), 3, 8, isLast ? $"{title}, still" : title);
                }
            }
        }

        double At(DateTimeOffset time) => Width * Math.Clamp((time - start) / (end - start), 0, 1);
    }

    private static void Chart(HtmlWriter html, string caption, string top, string label, CommitHistory history, Action draw)
    {
        using (html.Element("figure", "chart"))
        {
            using (html.Element("figcaption"))
            {
                html.Leaf("span", caption);
                html.Leaf("span", top, "top");
            }

            using (html.Element("svg", null, ("viewBox", "0 0 1000 100"), ("preserveAspectRatio", "none"), ("role", "img"), ("aria-label", label)))
            {
                foreach (var y in (int[])[0, 50, 100])
                {
                    html.Void("line", "grid", ("x1", "0"), ("x2", "1000"), ("y1", $"{y}"), ("y2", $"{y}"));
                }

                draw();
            }

            Axis(html, ReportText.Time(history.Start), ReportText.Time(history.End, history.Start));
        }
    }

    private static void Axis(HtmlWriter html, string start, string end)
    {
        using (html.Element("div", "axis"))
        {
            html.Leaf("span", start);
            html.Leaf("span", end);
        }
    }

    private static void Key(HtmlWriter html, params ReadOnlySpan<(string Class, string Meaning)> entries)
    {
        using (html.Element("p", "key"))
        {
            foreach (var (@class, meaning) in entries)
            {
                html.Leaf("span", meaning, @class);
            }
        }
    }

    private static void Rect(HtmlWriter html, string @class, double from, double to, double top, double height, string? title = null)
    {
        (string, string?)[] place = [("x", Unit(from)), ("y", Unit(top)), ("width", Unit(to - from)), ("height", Unit(height))];
        if (title is null)
        {
            html.Void("rect", @class, place);
            return;
        }

        using (html.Element("rect", @class, place))
        {
            html.Leaf("title", title);
        }
    }

    private static string Unit(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
