using System.Diagnostics;
using Amp.MetadataDb;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.BackgroundJobs;

/// <summary>A PostgreSQL server of its own, whose disk is full under load and has space again.</summary>
[Collection(BackgroundJobsCollection.Name)]
public sealed class DiskFullTests : IJobHandler
{
    private const int Enough = 512 << 10;

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Guid Tenant = Guid.NewGuid();

    [VolumeFact("postgres")]
    public async Task TablesThatCannotGrow_RefuseWithTheReason_AndGoOnOnceThereIsSpace()
    {
        using var volume = TmpfsVolume.Mount(Enough);
        await using var server = await ManagedPostgres.StartAsync(Path.Combine(volume.Folder, "server"), NullLoggerFactory.Instance);

        await RunAsync(
            server.ConnectionUrl, volume, spareKibibytes: 2 << 10,
            e =>
            {
                Assert.Equal(("DatabaseOutOfResources", true), (e.ErrorCode, e.IsTransient));
                Assert.Contains("No space left on device", e.Message, StringComparison.Ordinal);
            },
            () => Task.CompletedTask);
    }

    [VolumeFact("postgres")]
    public async Task LogThatCannotGrow_EndsTheServer_AndNothingAcknowledgedIsLost()
    {
        using var volume = TmpfsVolume.Mount(Enough);
        var folder = Path.Combine(Path.GetTempPath(), $"amp-full-{Guid.NewGuid():N}");
        var server = await ManagedPostgres.StartAsync(folder, NullLoggerFactory.Instance);
        try
        {
            // It writes its log to the volume from the second start on.
            await server.StopAsync();
            var log = Path.Combine(server.DataFolder, "pg_wal");
            await RunAsync("cp", "-a", log, volume.Folder);
            Directory.Delete(log, recursive: true);
            File.CreateSymbolicLink(log, Path.Combine(volume.Folder, "pg_wal"));
            server = await ManagedPostgres.StartAsync(folder, NullLoggerFactory.Instance);

            await RunAsync(
                server.ConnectionUrl, volume, spareKibibytes: 4 << 10,
                e => Assert.True(e is { ErrorCode: "DatabaseOutOfResources" or "DatabaseUnavailable", IsTransient: true }, $"{e}"),
                async () =>
                {
                    await server.StopAsync();
                    server = await ManagedPostgres.StartAsync(folder, NullLoggerFactory.Instance);
                });
        }
        finally
        {
            await server.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    public Task<AmpJobAnswer> HandleAsync(JobContext context, CancellationToken cancellationToken) => Task.FromResult(AmpJobAnswer.Complete());

    /// <summary>Submits jobs, which a worker does, until the volume is full; gives it space, and submits again.</summary>
    private async Task RunAsync(string url, TmpfsVolume volume, int spareKibibytes, Action<AmpException> assertRefusal, Func<Task> recover)
    {
        await using var test = new TestDatabase(url, await MetadataDatabase.ConnectAsync(url, 10, NullLoggerFactory.Instance));
        var queue = new JobQueue(test.Database, JobTopics.Work);
        await queue.InitializeAsync(autoMigrate: true, None);
        var logger = new RecordingLogger();
        var handlers = new JobHandlers();
        handlers.Set("job.*", this, new JobHandlerOptions { Backoff = [TimeSpan.FromSeconds(0.1)] });
        await using var sweeper = new JobSweeper(queue, new TenantsTable(test.Database, JobTopics.Work), TimeProvider.System, logger);
        await using var worker = new JobWorker(test.Database, queue, null, JobTopics.Work, handlers, new JobWorkerOptions(), TimeProvider.System, logger);
        var drive = new DriveInfo(volume.Folder);
        volume.Resize((int)((drive.TotalSize - drive.AvailableFreeSpace) >> 10) + spareKibibytes);

        // Whether those that were refused are there is not known; submitting them again is safe.
        var (accepted, refused) = (new HashSet<Guid>(), (AmpException?)null);
        JobSubmission[] batch = [];
        while (refused is null && accepted.Count < 50_000)
        {
            batch = [.. Enumerable.Range(0, 100).Select(_ => new JobSubmission(Tenant, "job.test", $$"""{"text":"{{new string('x', 500)}}"}"""))];
            try
            {
                await queue.SubmitAsync(batch, None);
                accepted.UnionWith(batch.Select(job => job.Id));
            }
            catch (AmpException e)
            {
                refused = e;
            }
        }

        Assert.NotNull(refused);
        assertRefusal(refused);
        await Eventually.TrueAsync(() => logger.Entries.Any(entry => entry.Event == nameof(Log.QueueUnavailable)), "the worker's failure", Patience);

        volume.Resize(Enough);
        await recover();
        await queue.SubmitAsync(batch, None);
        accepted.UnionWith(batch.Select(job => job.Id));
        await Eventually.TrueAsync(async () => await test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE finished_at IS NULL") == 0, "the end of all jobs", Patience);
        Assert.Equal(accepted.Count, await test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job WHERE id = ANY($1) AND state = 'completed'", accepted.ToArray()));
        Assert.Equal(accepted.Count, await test.ScalarAsync<long>("SELECT count(*) FROM amp_jobs.job"));
        await Eventually.TrueAsync(() => logger.Entries.Any(entry => entry.Event == nameof(Log.QueueAvailable)), "the worker's recovery", Patience);
        await JobInvariants.AssertAsync(test);
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }
}
