using Amp.Internal;

namespace Amp.Hosting.Reports;

/// <summary>Tables, each with what it has and how fast that came.</summary>
internal sealed partial class ReportPage
{
    private const int MostNamedGaps = 4;

    private void WriteTables()
    {
        using (Section("tables", "Tables"))
        {
            if (report.Tables.Total == 0)
            {
                Empty("No job has begun to write a table.");
                return;
            }

            foreach (var dataset in report.Tables.Items.GroupBy(table => (table.Table.Dataset, table.Table.ManifestHash)))
            {
                using (html.Element("h3"))
                {
                    html.Text(dataset.Key.Dataset + " ");
                    html.Leaf("span", _Format.ShortHash(dataset.Key.ManifestHash), "hash", ("title", $"manifest {dataset.Key.ManifestHash}"));
                }

                foreach (var table in dataset)
                {
                    WriteTable(table);
                }
            }
        }
    }

    private void WriteTable(TableReport shown)
    {
        var (table, coverage) = (shown.Table, shown.Coverage);
        using (html.Element("article", "card", ("aria-label", $"{table.Dataset} {table.Table}")))
        {
            using (html.Element("div", "card-head"))
            {
                html.Leaf("h4", table.Table);
                html.Leaf("span", coverage.Range is { } all ? ReportText.Percent(table.BlocksCount, all.Count) : "empty", "percent");
            }

            if (coverage.Range is { } range)
            {
                ReportCharts.Coverage(html, table, coverage, range);
                html.Leaf("p", GapText(shown), HasGap(shown) ? "gaps warn" : "gaps");
            }

            using (html.Element("dl", "figures"))
            {
                Figure("Blocks", ReportText.Number(table.BlocksCount));
                Figure("Rows", ReportText.Rows(shown.Rows, shown.IsRowsEstimate));
                Figure("Files", ReportText.Number(table.FilesCount));
                Figure("Size", _Format.Size(table.TotalSizeBytes));
                if (shown.History is { } history)
                {
                    Figure("Average", ReportText.Rate((history.Total - history.Before) / (history.End - history.Start).TotalSeconds));
                    Figure("Peak", ReportText.Rate(history.Rates.Max()));
                }

                if (table.JobId is { } jobId)
                {
                    Figure("Written by", $"job {jobId}");
                }
            }

            if (shown.History is { } commits)
            {
                using (html.Element("div", "charts"))
                {
                    ReportCharts.Progress(html, table.Table, commits, coverage.Range?.Count);
                    ReportCharts.Rate(html, table.Table, commits);
                }
            }

            foreach (var remark in Remarks(shown))
            {
                html.Leaf("p", remark, "remark");
            }
        }
    }

    private static string GapText(TableReport shown)
    {
        if (!shown.Coverage.IsExact)
        {
            return $"More blocks are in files behind block {ReportText.Number(shown.Table.CurrentBlock)}; which ones, only a session with the database can tell.";
        }

        var gaps = shown.Coverage.Gaps;
        var missing = gaps.Count == 0 ? "No block is missing."
            : $"Missing: {string.Join(", ", gaps.Take(MostNamedGaps).Select(ReportText.Blocks))}"
                + (gaps.Count > MostNamedGaps ? $" and {ReportText.Count(gaps.Count - MostNamedGaps, "more range")}." : ".");
        return shown.Coverage.Rest is { } rest ? $"{missing} To come: {ReportText.Blocks(rest)}." : missing;
    }

    private static IEnumerable<string> Remarks(TableReport shown)
    {
        if (shown.IsRowsEstimate)
        {
            yield return "Rows are estimated from a part of the files.";
        }

        if (shown.UnreadableFiles > 0)
        {
            yield return $"{ReportText.Count(shown.UnreadableFiles, "file")} could not be opened; Test-AmpTable {shown.Table.Dataset} {shown.Table.Table} says what is wrong.";
        }

        if (shown.OrphanedFiles > 0)
        {
            yield return $"{ReportText.Count(shown.OrphanedFiles, "more file")} of blocks that are no longer on the chain.";
        }
    }

    private static bool HasGap(TableReport shown) => shown.Coverage is { IsExact: true, Gaps.Count: > 0 };

    private void Figure(string name, string value)
    {
        using (html.Element("div"))
        {
            html.Leaf("dt", name);
            html.Leaf("dd", value);
        }
    }
}
