using System.Text;
using System.Xml;
using System.Xml.Linq;
using Amp.Support;

namespace Amp.Hosting.Reports;

public sealed class ReportPageTests
{
    private const string Hostile = "\"><script>alert('x')</script><img src=x onerror=alert(1)>&amp;\u0000\u001b[31m\ud800 ]]>--></style>";

    [Fact]
    public void Page_IsWellFormed_AndNeedsNothingElse()
    {
        var page = Parse(ReportSamples.Everything);

        Assert.Equal("html", page.Root!.Name.LocalName);
        Assert.DoesNotContain(page.Descendants(), element => element.Name.LocalName is "script" or "link" or "img" or "iframe" or "object" or "base" or "form");
        Assert.All(page.Descendants().Attributes("href"), link => Assert.StartsWith("#", link.Value, StringComparison.Ordinal));
        Assert.DoesNotContain(page.Descendants().Attributes(), attribute => attribute.Name.LocalName.StartsWith("on", StringComparison.Ordinal) || attribute.Name.LocalName is "src" or "style");
        var css = page.Descendants("style").Single().Value;
        Assert.DoesNotContain("url(", css, StringComparison.Ordinal);
        Assert.DoesNotContain("@import", css, StringComparison.Ordinal);
    }

    [Fact]
    public void Page_IsAccessible()
    {
        var page = Parse(ReportSamples.Everything);

        var drawings = page.Descendants("svg").ToList();
        Assert.NotEmpty(drawings);
        Assert.All(drawings, drawing => Assert.True(drawing.Attribute("aria-hidden") is not null || ((string?)drawing.Attribute("role") == "img" && drawing.Attribute("aria-label")?.Value.Length > 10)));
        Assert.All(page.Descendants("table"), table => Assert.All(table.Element("thead")!.Descendants("th"), heading => Assert.Equal("col", (string?)heading.Attribute("scope"))));
        Assert.All(page.Descendants("time"), time => Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string?)time.Attribute("title")));
        Assert.Equal("en", (string?)page.Root!.Attribute("lang"));
        Assert.Single(page.Descendants("h1"));
        var ids = page.Descendants().Attributes("id").Select(id => id.Value).ToList();
        Assert.Equal(ids.Distinct(), ids);
        Assert.All(page.Descendants().Attributes("href"), link => Assert.Contains(link.Value[1..], ids));
        Assert.All(page.Descendants("tr").Where(row => row.Parent!.Name.LocalName == "tbody"), row => Assert.Equal(
            row.Ancestors("table").Single().Element("thead")!.Descendants("th").Count(), row.Elements().Sum(cell => (int?)cell.Attribute("colspan") ?? 1)));
    }

    [Fact]
    public void Text_OfTheDeployment_StaysText()
    {
        var sample = ReportSamples.Everything;
        var job = ReportSamples.Job(1, AmpJobStatus.Fatal, 1, 2, 9, Hostile, Hostile);
        var table = ReportSamples.Table(Hostile, 4_000);
        var hostile = sample with
        {
            Request = new ReportRequest { Title = Hostile, Datasets = [Hostile], JobIds = [1] },
            Source = Hostile,
            Workers = Bounded<AmpWorker>.FirstOf([ReportSamples.Worker(Hostile, TimeSpan.FromDays(1), Hostile) with { CommitSha = Hostile }], 9),
            Jobs = Bounded<JobReport>.FirstOf([job with { Job = job.Job with { NodeId = Hostile, Descriptor = job.Job.Descriptor! with { DatasetName = Hostile } } }], 9),
            Events = Bounded<AmpJobEvent>.FirstOf([ReportSamples.Event(1, 1, AmpJobStatus.Fatal, 1) with { NodeId = Hostile, Detail = """{"error_message":"<script>alert(2)</script>"}""" }], 9),
            Tables = Bounded<TableReport>.FirstOf([table with { Table = table.Table with { Dataset = Hostile, ManifestHash = Hostile } }], 9),
            SyncEvents = new SyncEventsReport(Bounded<AmpSyncEvent>.FirstOf([ReportSamples.Told(Hostile, Hostile)], 9), new Dictionary<string, long> { [Hostile] = 1 }, 1),
            BackgroundJobs = sample.BackgroundJobs! with
            {
                Counts = [new(Hostile, AmpBackgroundJobStatus.Queued, 1)],
                DeadLetters = Bounded<AmpBackgroundJob>.FirstOf([ReportSamples.Letter(Hostile)], 9),
                Workers = Bounded<AmpBackgroundWorker>.FirstOf([sample.BackgroundJobs.Workers.Items[0] with { Host = Hostile, Types = [Hostile], LastError = Hostile }], 9),
            },
            Notes = [Hostile],
        };

        var text = Encoding.UTF8.GetString(HtmlReport.Render(hostile).Span);
        var page = XDocument.Parse(text);

        Assert.DoesNotContain("<script", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<img", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("alert('x')\"", text, StringComparison.Ordinal);
        var shown = Hostile.Replace('\u0000', '\uFFFD').Replace('\u001b', '\uFFFD').Replace('\ud800', '\uFFFD');
        Assert.Equal(shown, page.Descendants("h1").Single().Value);
        Assert.Equal(shown, page.Descendants("title").First().Value);
        Assert.True(page.Descendants().Count(element => !element.HasElements && element.Value.Contains(shown, StringComparison.Ordinal)) > 15);
    }

    [Fact]
    public void Failures_AreAtTheTop_WithTheirReason()
    {
        var page = Parse(ReportSamples.Everything);

        string[] attention = [.. page.Descendants("div").Single(div => (string?)div.Attribute("class") == "attention").Descendants("a").Select(item => item.Value)];
        Assert.Equal(
            [
                "1 job failed", "1 worker silent", "ethereum/mainnet logs has a gap at block 20,400–23,999", "ethereum/mainnet logs has 1 file that cannot be opened",
                "1 sync.failed event", "2 dead letters",
            ], attention);
        var rows = page.Descendants("section").Single(section => (string?)section.Attribute("id") == "jobs").Descendants("tbody").Single().Elements("tr").ToList();
        Assert.Equal(("failed", "4"), ((string?)rows[0].Attribute("class"), rows[0].Elements().First().Value));
        Assert.StartsWith("VerificationFailed Block 15,000,412: ", rows[1].Value, StringComparison.Ordinal);
        Assert.Contains("61,800 of 100,000", rows[2].Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Numbers_AreReadable()
    {
        var text = Parse(ReportSamples.Everything).Root!.Value;

        foreach (var expected in (string[])
            [
                "≈ 81,200,000", "48.0 GiB", "2h 30m ago", "3 more files of blocks that are no longer on the chain", "1,203 jobs are counted in the totals and not listed.",
                "61.8 %", "58.2 %", "Missing: 20,400–23,999. To come: 61,800–99,999.", "up to block 100,000", "0.1.0 (2), 0.2.0 (1)",
            ])
        {
            Assert.Contains(expected, text, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("never shown", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Page_OfAnEmptyDeployment_SaysSo()
    {
        var page = Parse(new ReportModel
        {
            Request = new ReportRequest(),
            Source = "db",
            CreatedAt = ReportSamples.Now,
            Workers = new Bounded<AmpWorker>([], 0),
            ActiveWorkers = 0,
            DatasetCount = 0,
            JobCounts = new Dictionary<AmpJobStatus, long>(),
            Jobs = new Bounded<JobReport>([], 0),
            Events = new Bounded<AmpJobEvent>([], 0),
            Tables = new Bounded<TableReport>([], 0),
            Totals = new TableTotals(0, 0, 0, 0, false),
        });

        Assert.Contains("Nothing needs attention.", page.Root!.Value, StringComparison.Ordinal);
        Assert.Equal(4, page.Descendants("p").Count(text => (string?)text.Attribute("class") == "empty"));
    }

    [Fact]
    public void Text_ThatIsEndless_IsCut()
    {
        var sample = ReportSamples.Everything;

        var page = HtmlReport.Render(sample with { Notes = [new string('x', 10_000_000)] });

        Assert.InRange(page.Length, 1, HtmlReport.Render(sample).Length + HtmlWriter.MostText + 100);
    }

    [ToolTheory(TestTools.Browser)]
    [InlineData("desktop-light", 1_200, 3_200, false)]
    [InlineData("desktop-dark", 1_200, 3_200, true)]
    [InlineData("phone-light", 420, 4_400, false)]
    public async Task Page_InABrowser_IsDrawnWithoutComplaint(string name, int width, int height, bool isDark)
    {
        var folder = Directory.CreateDirectory(Path.Combine(TestTools.RepositoryRoot, "artifacts", "TestResults", "report")).FullName;
        var file = Path.Combine(folder, $"{name}.html");
        await File.WriteAllBytesAsync(file, HtmlReport.Render(ReportSamples.Everything).ToArray());
        using var browser = new HeadlessBrowser();

        var (dom, console) = await browser.OpenAsync(file);
        var colours = await browser.CaptureAsync(file, Path.ChangeExtension(file, "png"), width, height, isDark);

        Assert.Empty(console);
        Assert.Contains("<h1>Everything at once</h1>", dom, StringComparison.Ordinal);
        Assert.Contains("VerificationFailed", dom, StringComparison.Ordinal);
        Assert.Contains("<dd class=\"value\">≈ 81,200,000</dd>", dom, StringComparison.Ordinal);
        Assert.True(colours > 64, $"the picture has only {colours} values: it is blank");
    }

    [ToolFact(TestTools.Browser)]
    public async Task BlankPage_InABrowser_IsToldFromAReport()
    {
        var folder = Directory.CreateTempSubdirectory("amp-report-").FullName;
        try
        {
            var file = Path.Combine(folder, "blank.html");
            await File.WriteAllTextAsync(file, "<!DOCTYPE html><html><body><script>console.error('heard')</script></body></html>");
            using var browser = new HeadlessBrowser();

            Assert.Contains("heard", Assert.Single((await browser.OpenAsync(file)).Console), StringComparison.Ordinal);
            Assert.InRange(await browser.CaptureAsync(file, Path.Combine(folder, "blank.png"), 1_200, 800, isDark: false), 1, 16);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static XDocument Parse(ReportModel report)
    {
        using var reader = XmlReader.Create(
            new MemoryStream(HtmlReport.Render(report).ToArray()), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XDocument.Load(reader);
    }
}
