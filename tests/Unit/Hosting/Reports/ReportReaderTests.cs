using System.Text;
using System.Text.RegularExpressions;
using Amp.BackgroundJobs;
using Amp.EndToEnd;
using Amp.Events;
using Amp.Extraction;
using Amp.Extraction.DevChains;
using Amp.Hosting.AdminApi;
using Amp.MetadataDb;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Hosting.Reports;

/// <summary>What a report finds in a real deployment: a job of 30 blocks is done.</summary>
[Collection(EndToEndCollection.Name)]
public sealed partial class ReportReaderTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const string Dataset = "report/devnet";

    private static readonly CancellationToken None = CancellationToken.None;

    private DevBroker _broker = null!;
    private DevChain _chain = null!;
    private TestDeployment _deployment = null!;
    private WorkerHost _worker = null!;
    private AmpJob _job = null!;

    public async Task InitializeAsync()
    {
        _broker = await DevBroker.StartAsync(new DevBrokerOptions());
        _chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = 30, TransactionsPerBlock = 2 });
        _deployment = await TestDeployment.CreateAsync(
            postgres, ("admin_api_addr", $"127.0.0.1:{TestTools.FreePort()}"), ("worker_events.enabled", "true"), ("worker_events.kafka.brokers", _broker.BootstrapServers));
        await _deployment.RegisterProviderAsync(_chain.Url);
        await _deployment.RegisterDatasetAsync(Dataset);
        _worker = await _deployment.StartWorkerAsync();
        _job = await _deployment.CompleteJobAsync(Dataset, 29);
    }

    public async Task DisposeAsync()
    {
        await _worker.DisposeAsync();
        await _deployment.DisposeAsync();
        await _chain.DisposeAsync();
        await _broker.DisposeAsync();
    }

    [KafkaFact("postgres")]
    public async Task Report_SaysWhatTheDeploymentHas()
    {
        Assert.True(await _worker.FlushEventsAsync(TimeSpan.FromMinutes(1), None));

        var report = await ReadAsync(new ReportRequest { IncludeSyncEvents = true });

        Assert.Equal(("worker-01", 1), (Assert.Single(report.Workers.Items).NodeId, report.ActiveWorkers));
        var job = Assert.Single(report.Jobs.Items);
        Assert.Equal((_job.JobId, 30UL, 30UL), (job.Job.JobId, job.Done, job.Total));
        Assert.Equal([AmpJobStatus.Scheduled, AmpJobStatus.Running, AmpJobStatus.Completed], job.Events.Select(change => change.Status));
        Assert.Equal(["blocks", "logs", "transactions"], report.Tables.Items.Select(table => table.Table.Table));
        foreach (var table in report.Tables.Items)
        {
            var files = await _deployment.FilesAsync(Dataset, table.Table.Table);
            Assert.Equal((new BlockRange(0, 29), files.Count), (Assert.Single(table.Coverage.Runs), table.Table.FilesCount));
            Assert.Equal((0, 0, false), (table.UnreadableFiles, table.OrphanedFiles, table.IsRowsEstimate));
        }

        Assert.Equal(30, report.Tables.Items[0].Rows);
        Assert.Equal((30UL, report.Tables.Items.Sum(table => table.Rows)), (report.Totals.Blocks, report.Totals.Rows));
        Assert.Equal((3, 3), (report.SyncEvents!.Counts["sync.started"], report.SyncEvents.Counts["sync.completed"]));
        Assert.Empty(report.Notes);
        Assert.Null((await ReadAsync(new ReportRequest())).SyncEvents);
    }

    [ToolFact("postgres")]
    public async Task Report_NamesFailedJobs_AndStaysInertWhateverTheyAreCalled()
    {
        await InsertJobsAsync(1, "ERROR", """{"error_code":"RPC_FAILED","error_message":"the node said </td><script>alert(1)</script>"}""", "<script>alert(2)</script>");

        var report = await ReadAsync(new ReportRequest());
        var page = Encoding.UTF8.GetString(HtmlReport.Render(report).Span);

        Assert.Equal(("report/<script>alert(2)</script>", "RPC_FAILED"), (report.Jobs.Items[0].Job.Dataset, report.Jobs.Items[0].Job.ErrorCode));
        Assert.Contains("report/&lt;script&gt;alert(2)&lt;/script&gt;", page, StringComparison.Ordinal);
        Assert.Contains("the node said &lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
    }

    [ToolTheory("postgres")]
    [InlineData("18446744073709551615", null)]
    [InlineData("9223372036854775807", 9_223_372_036_854_775_808)]
    [InlineData("latest", null)]
    [InlineData("-10", null)]
    [InlineData(null, null)]
    public async Task Report_OfAJobWithAnyEnd_IsDrawn(string? endBlock, ulong? total)
    {
        await InsertJobsAsync(1, "RUNNING", null, "devnet", endBlock);

        var report = await ReadAsync(new ReportRequest());

        Assert.Equal(total, report.Jobs.Items.Single(job => job.Job.Status == AmpJobStatus.Running).Total);
        Assert.DoesNotContain("NaN", Encoding.UTF8.GetString(HtmlReport.Render(report).Span), StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Report_OfManyJobsAndFiles_IsBounded_AndCountsTheRest()
    {
        await InsertJobsAsync(10_000, "COMPLETED", null, "devnet");
        await InsertJobsAsync(300, "FATAL", """{"error_code":"X","error_message":"no"}""", "devnet");
        var table = await _deployment.TableAsync(Dataset, "logs");
        await ExecuteAsync(
            """
            INSERT INTO file_metadata (location_id, file_name, object_size, url, metadata)
            SELECT $1, 'f' || n, 1000, 'file:///f', jsonb_build_object(
                'created_at', jsonb_build_object('secs', 1700000000 + n * 60, 'nanos', 0),
                'ranges', jsonb_build_array(jsonb_build_object(
                    'numbers', jsonb_build_object('start', 100 + n * 4, 'end', 101 + n * 4), 'network', 'devnet', 'hash', '0x' || n, 'prev_hash', '0x' || (n - 1))))
            FROM generate_series(1, 100000) n
            """, table.LocationId);

        var report = await ReadAsync(new ReportRequest());
        var page = HtmlReport.Render(report);

        Assert.Equal((10_301, 10_001L, 300L), (report.Jobs.Total, report.JobCounts[AmpJobStatus.Completed], report.JobCounts[AmpJobStatus.Fatal]));
        Assert.InRange(report.Jobs.Items.Count, 100, 300);
        Assert.Equal(200_030UL, report.Totals.Blocks);
        var logs = report.Tables.Items.Single(shown => shown.Table.Table == "logs");
        Assert.Equal(100_001, logs.Coverage.Runs.Count);
        Assert.InRange(page.Length, 1, 500_000);
        Assert.Matches(@"[\d,]+ jobs are counted in the totals and not listed\.", Encoding.UTF8.GetString(page.Span));
        Assert.InRange(Shape().Count(Encoding.UTF8.GetString(page.Span)), 100, 5_000);
    }

    [ToolFact("postgres")]
    public async Task Report_OfAPart_LeavesTheRestOut()
    {
        await _deployment.RegisterDatasetAsync("report/other");
        var other = await _deployment.CompleteJobAsync("report/other", 9);

        var byDataset = await ReadAsync(new ReportRequest { Datasets = ["report/other"], IsWanted = name => name == "report/other" });
        Assert.Equal((other.JobId, 1), (Assert.Single(byDataset.Jobs.Items).Job.JobId, byDataset.DatasetCount));
        Assert.All(byDataset.Tables.Items, table => Assert.Equal("report/other", table.Table.Dataset));

        var byJob = await ReadAsync(new ReportRequest { JobIds = [_job.JobId] });
        Assert.Equal(_job.JobId, Assert.Single(byJob.Jobs.Items).Job.JobId);
        Assert.All(byJob.Tables.Items, table => Assert.Equal(Dataset, table.Table.Dataset));
        Assert.Equal(30UL, byJob.Totals.Blocks);

        var recent = await ReadAsync(new ReportRequest { Since = other.UpdatedAt });
        Assert.Equal(other.JobId, Assert.Single(recent.Jobs.Items).Job.JobId);
        Assert.Equal(AmpJobStatus.Completed, Assert.Single(recent.Events.Items).Status);
        Assert.Equal(6, recent.Tables.Total);

        var refused = await Assert.ThrowsAsync<AmpException>(() => ReadAsync(new ReportRequest { JobIds = [_job.JobId, 4_711] }));
        Assert.Equal("JobNotFound", refused.ErrorCode);
    }

    [ToolFact("postgres")]
    public async Task Report_OfTablesWithDamage_IsWrittenAllTheSame()
    {
        File.Delete((await _deployment.FilesAsync(Dataset, "logs"))[0].FullName);

        var logs = (await ReadAsync(new ReportRequest())).Tables.Items.Single(table => table.Table.Table == "logs");

        Assert.Equal((1, (long?)null), (logs.UnreadableFiles, logs.Rows));
    }

    [ToolFact("postgres")]
    public async Task Report_OverHttp_SaysWhatItCannotSee()
    {
        await using var server = AdminApiServer.Start(_deployment.Deployment, NullLogger.Instance);
        await using var remote = await AmpDeployment.OpenRemoteAsync(server.Url, token: null, None);

        var report = await new ReportReader(remote, new ReportRequest()).ReadAsync(None);

        Assert.Equal((_job.JobId, 30UL, 3), (Assert.Single(report.Jobs.Items).Job.JobId, report.Jobs.Items[0].Done, report.Jobs.Items[0].Events.Count));
        Assert.All(report.Tables.Items, table => Assert.Equal((30UL, (long?)null), (Assert.Single(table.Coverage.Runs).Count, table.Rows)));
        Assert.Contains("over HTTP", Assert.Single(report.Notes), StringComparison.Ordinal);
        Assert.Null(report.BackgroundJobs);
        var refused = await Assert.ThrowsAsync<AmpException>(() => new ReportReader(remote, new ReportRequest { IncludeSyncEvents = true }).ReadAsync(None));
        Assert.Equal("DatabaseConnectionRequired", refused.ErrorCode);
    }

    [ToolFact("postgres")]
    public async Task BackgroundJobs_AreThereWhereTheirTablesAre_AndNoneAreMade()
    {
        Assert.Null((await ReadAsync(new ReportRequest())).BackgroundJobs);
        Assert.Null(await _deployment.Deployment.FindBackgroundJobsAsync(None));

        var jobs = await _deployment.Deployment.OpenBackgroundJobsAsync(None);
        var tenant = Guid.NewGuid();
        var submitted = await jobs.SubmitAsync(
            [new BackgroundJobRequest(tenant, "job.a", "{}"), new BackgroundJobRequest(tenant, "job.a", "{}"), new BackgroundJobRequest(tenant, "job.b", """{"token":"s3cr3t"}""")], None);
        await jobs.CancelAsync(submitted[0].JobId, "no", None);

        var report = await ReadAsync(new ReportRequest());

        Assert.Equal([new("job.a", AmpBackgroundJobStatus.Cancelled, 1), new("job.a", AmpBackgroundJobStatus.Queued, 1), new("job.b", AmpBackgroundJobStatus.Queued, 1)], report.BackgroundJobs!.Counts);
        Assert.Equal(0, report.BackgroundJobs.DeadLetters.Total);
        Assert.DoesNotContain("s3cr3t", Encoding.UTF8.GetString(HtmlReport.Render(report).Span), StringComparison.Ordinal);
        Assert.Null((await ReadAsync(new ReportRequest { JobIds = [_job.JobId] })).BackgroundJobs);
    }

    private Task<ReportModel> ReadAsync(ReportRequest request) => new ReportReader(_deployment.Deployment, request).ReadAsync(None);

    private Task<int> InsertJobsAsync(int count, string status, string? detail, string dataset, string? endBlock = "29") => ExecuteAsync(
        """
        WITH new AS (INSERT INTO jobs (node_id, idempotency_key) SELECT 'worker-01', gen_random_uuid()::text FROM generate_series(1, $1) RETURNING id, node_id),
        scheduled AS (INSERT INTO job_events (job_id, node_id, event_type, detail) SELECT id, node_id, 'SCHEDULED', $4::jsonb FROM new)
        INSERT INTO jobs_status (job_id, node_id, status, detail) SELECT id, node_id, $2, $3::jsonb FROM new
        """,
        count, status, Sql.Text(detail), JobDescriptorJson.Write(_job.Descriptor! with { DatasetName = dataset, EndBlock = endBlock }));

    private Task<int> ExecuteAsync(string sql, params object?[] parameters) =>
        _deployment.Database.RunAsync("filling the database", connection => connection.ExecuteAsync(sql, parameters, None), null, None);

    [GeneratedRegex("<(rect|line|polygon|polyline) ")]
    private static partial Regex Shape();
}
