using System.Globalization;
using Amp.BackgroundJobs;
using Amp.MetadataDb;

namespace Amp.Hosting.Reports;

/// <summary>A report with one of everything.</summary>
internal static class ReportSamples
{
    public static readonly DateTimeOffset Now = DateTimeOffset.Parse("2026-01-15T17:20:15Z", CultureInfo.InvariantCulture);

    public static ReportModel Everything => new()
    {
        Request = new ReportRequest { Title = "Everything at once" },
        Source = "db.example:5432/amp",
        CreatedAt = Now,
        Workers = Bounded<AmpWorker>.FirstOf([Worker("eu-west-1c", TimeSpan.FromHours(2.5)), Worker("eu-west-1a", TimeSpan.FromSeconds(0.7)), Worker("eu-west-1b", TimeSpan.FromSeconds(1.1), "0.2.0")], 10),
        ActiveWorkers = 2,
        DatasetCount = 2,
        JobCounts = new Dictionary<AmpJobStatus, long> { [AmpJobStatus.Fatal] = 1, [AmpJobStatus.Running] = 2, [AmpJobStatus.Completed] = 1_204, [AmpJobStatus.Stopped] = 1 },
        Jobs = new Bounded<JobReport>(
            [
                Job(4, AmpJobStatus.Fatal, 412, 20_000, 90, "VerificationFailed", "Block 15,000,412: the receipts root that the node gave is not the one that follows from its receipts."),
                Job(9, AmpJobStatus.Running, 61_800, 100_000, 60),
                Job(8, AmpJobStatus.Running, 4_100, null, 45),
                Job(7, AmpJobStatus.Completed, 50_000, 50_000, 30),
                Job(6, AmpJobStatus.Stopped, 1_000, 50_000, 20),
            ],
            1_208),
        Events = Bounded<AmpJobEvent>.FirstOf([.. Enumerable.Range(0, 12).Select(i => Event(100 + i, 9, i % 2 == 0 ? AmpJobStatus.Scheduled : AmpJobStatus.Running, 60 - i)).Reverse()], 10),
        Tables = Bounded<TableReport>.FirstOf([Table("blocks", 0), Table("logs", 4_000), Table("transactions", 0, isHuge: true)], 10),
        Totals = new TableTotals(100_000, 1_210, 48L << 30, 81_234_567, IsRowsEstimate: true),
        SyncEvents = new SyncEventsReport(
            Bounded<AmpSyncEvent>.FirstOf([Told("sync.failed", "the node said no"), Told("sync.progress", null), Told("sync.started", null)], 10),
            new Dictionary<string, long> { ["sync.failed"] = 1, ["sync.progress"] = 1, ["sync.started"] = 1 }, 0),
        BackgroundJobs = new BackgroundJobsReport(
            [
                new("job.email.welcome", AmpBackgroundJobStatus.Completed, 120_431), new("job.email.welcome", AmpBackgroundJobStatus.Queued, 18),
                new("job.reward.deliver", AmpBackgroundJobStatus.DeadLettered, 2), new("job.reward.deliver", AmpBackgroundJobStatus.Retrying, 7),
            ],
            new Bounded<AmpBackgroundJob>([Letter("the wallet refused the transfer")], 2),
            Bounded<AmpBackgroundWorker>.FirstOf([BackgroundWorker()], 10)),
        Notes = ["A remark of the reader."],
    };

    public static AmpWorker Worker(string nodeId, TimeSpan age, string version = "0.1.0") => new()
    {
        NodeId = nodeId,
        HeartbeatAt = Now - age,
        HeartbeatAge = age,
        CreatedAt = Now.AddDays(-30),
        RegisteredAt = Now.AddDays(-2),
        ActiveJobs = 1,
        Version = version,
        CommitSha = "8b065bde8b065bde8b065bde",
    };

    public static JobReport Job(long id, AmpJobStatus status, ulong? done, ulong? total, int minutes, string? code = null, string? message = null)
    {
        var job = new AmpJob
        {
            JobId = id,
            Status = status,
            NodeId = "eu-west-1a",
            CreatedAt = Now.AddMinutes(-minutes),
            UpdatedAt = Now.AddMinutes(-minutes / 2.0),
            Attempts = 2,
            Descriptor = TestData.Descriptor(endBlock: total?.ToString(CultureInfo.InvariantCulture)),
            ErrorCode = code,
            ErrorMessage = message,
        };
        List<AmpJobEvent> events = [Event(id * 10, id, AmpJobStatus.Scheduled, minutes), Event((id * 10) + 1, id, AmpJobStatus.Running, minutes - 2)];
        if (job.IsTerminal)
        {
            events.Add(Event((id * 10) + 2, id, status, minutes / 2.0));
        }

        return new JobReport(job, done, total, events);
    }

    public static AmpJobEvent Event(long id, long jobId, AmpJobStatus status, double minutes) => new()
    {
        EventId = id,
        JobId = jobId,
        Status = status,
        NodeId = "eu-west-1a",
        CreatedAt = Now.AddMinutes(-minutes),
        Detail = status == AmpJobStatus.Scheduled ? """{"end_block":"100000"}""" : null,
    };

    /// <summary>A table of 100,000 blocks of which the last 38,200 are to come, and <paramref name="gap"/> lack before.</summary>
    public static TableReport Table(string name, ulong gap, bool isHuge = false)
    {
        var files = Enumerable.Range(0, 103).Select(i => (ulong)i * 600).Where(start => start < 20_000 || start >= 20_000 + gap)
            .Select(start => File(start, start + 599, Now.AddMinutes(-60 + (start / 1_200.0)), isCanonical: gap == 0 || start < 20_000)).ToList();
        var blocks = (ulong)files.Count * 600;
        return new TableReport
        {
            Table = new AmpTable
            {
                Dataset = "ethereum/mainnet",
                Table = name,
                ManifestHash = TestData.ManifestHash,
                LocationId = 1,
                StartBlock = 0,
                CurrentBlock = files.Last(file => file.IsCanonical).EndBlock,
                BlocksCount = blocks,
                FilesCount = files.Count,
                TotalSizeBytes = isHuge ? 47L << 30 : 120 << 20,
                JobId = 9,
            },
            Coverage = Coverage.Of(files, 0, 99_999),
            Rows = isHuge ? 81_000_000 : 61_800,
            IsRowsEstimate = isHuge,
            UnreadableFiles = gap > 0 ? 1 : 0,
            OrphanedFiles = isHuge ? 3 : 0,
            History = CommitHistory.Of(files, null),
        };
    }

    public static AmpFile File(ulong start, ulong end, DateTimeOffset at, bool isCanonical = true) => new()
    {
        Dataset = "ethereum/mainnet",
        Table = "logs",
        Name = $"{start:d9}.parquet",
        FullName = $"/data/{start:d9}.parquet",
        StartBlock = start,
        EndBlock = end,
        Size = 1_000,
        CreatedAt = at,
        IsCanonical = isCanonical,
    };

    public static AmpSyncEvent Told(string type, string? error) => new()
    {
        EventId = "0198",
        EventType = type,
        EventVersion = "1.0",
        Timestamp = Now.AddMinutes(-3),
        WorkerId = "eu-west-1a",
        JobId = 9,
        Dataset = "ethereum/mainnet",
        ManifestHash = TestData.ManifestHash,
        Table = "logs",
        CurrentBlock = 61_799,
        FilesCount = 103,
        TotalSizeBytes = 120 << 20,
        ErrorMessage = error,
    };

    public static AmpBackgroundJob Letter(string error) => new()
    {
        JobId = Guid.Parse("0198f0a0-0000-7000-8000-000000000001"),
        TenantId = Guid.Parse("0198f0a0-0000-7000-8000-000000000002"),
        Type = "job.reward.deliver",
        Status = AmpBackgroundJobStatus.DeadLettered,
        Priority = 0,
        Attempt = 5,
        MaxAttempts = 5,
        FinishedAt = Now.AddHours(-1),
        LastError = error,
        LastErrorKind = "error",
        PayloadJson = """{"password":"never shown"}""",
    };

    private static AmpBackgroundWorker BackgroundWorker() => new()
    {
        WorkerId = Guid.Parse("0198f0a0-0000-7000-8000-000000000003"),
        Host = "jobs-1.example",
        ProcessId = 4_711,
        PoolSize = 10,
        Types = ["job.email.*", "job.reward.*"],
        StartedAt = Now.AddDays(-1),
        HeartbeatAt = Now.AddSeconds(-2),
        HeartbeatAge = TimeSpan.FromSeconds(2),
        Running = 4,
        Completed = 120_431,
        Failed = 12,
        JobsPerSecond = 41.5,
    };
}
