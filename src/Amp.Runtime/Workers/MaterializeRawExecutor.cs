using Amp.Configuration;
using Amp.Datasets;
using Amp.Events;
using Amp.Extraction;
using Amp.Extraction.Consistency;
using Amp.Extraction.EvmRpc;
using Amp.Extraction.Verification;
using Amp.MetadataDb;
using Amp.Parquet;
using Amp.Storage;
using Microsoft.Extensions.Logging;

namespace Amp.Workers;

/// <summary>
/// Runs jobs of kind <c>materialize-raw</c>: brings the dataset's tables up to the end block, or follows the chain until it
/// is stopped. Running a finished job again does nothing. A job that several workers share hands out parts first; those are jobs of kind
/// <c>materialize-raw-part</c>, which write their blocks and nothing else: events, leftover files and the last look at the chain are the
/// whole job's.
/// </summary>
internal sealed class MaterializeRawExecutor(
    AmpConfiguration configuration,
    MetadataDatabase database,
    ISyncEventSink events,
    TimeProvider time,
    ILoggerFactory loggers) : IJobExecutor
{
    /// <summary>A chain that is being reorganized gets a moment to settle.</summary>
    private static readonly TimeSpan ReorgPause = TimeSpan.FromMilliseconds(200);

    private readonly ILogger _logger = loggers.CreateLogger<MaterializeRawExecutor>();
    private readonly ProgressThrottle _throttle = new(configuration.WorkerEvents.ProgressInterval, time);
    private readonly SegmentStore _store = new(configuration.DataDir);

    /// <inheritdoc/>
    public async Task ExecuteAsync(JobAssignment job, CancellationToken stop)
    {
        var started = time.GetTimestamp();
        var descriptor = job.Descriptor;
        if (descriptor.Kind is not (JobKinds.MaterializeRaw or JobKinds.MaterializeRawPart))
        {
            throw new AmpException("JobKindUnknown", AmpErrorKind.InvalidInput, $"Job {job.JobId} is of kind '{descriptor.Kind}', which this worker cannot run.")
            {
                Target = job.JobId,
                RecommendedAction = "Run it on a worker of the version that made it: Restart-AmpJob -Worker …",
            };
        }

        var manifest = await ReadManifestAsync(descriptor.ManifestHash, stop);
        SyncTable[] tables = descriptor.PartOf is not null ? [] : [.. manifest.Tables.Select(
            table => new SyncTable(descriptor.DatasetNamespace, descriptor.DatasetName, descriptor.ManifestHash, table.Name))];
        try
        {
            var finalBlock = await ExtractAsync(job, manifest, tables, stop);
            foreach (var table in tables)
            {
                events.Emit(new SyncCompleted(job.JobId, table, finalBlock, time.GetElapsedTime(started)));
            }
        }
        catch (Exception e) when (!stop.IsCancellationRequested)
        {
            foreach (var table in tables)
            {
                events.Emit(new SyncFailed(job.JobId, table, e.Message, (e as AmpException)?.ApiErrorCode));
            }

            throw;
        }
        finally
        {
            foreach (var table in tables)
            {
                _throttle.Forget(table);
            }
        }
    }

    /// <summary>Extracts what is missing and gives the job's last block; a job without end returns only when it is stopped.</summary>
    private async Task<ulong> ExtractAsync(
        JobAssignment job, RawManifest manifest, IReadOnlyList<SyncTable> syncTables, CancellationToken stop)
    {
        var descriptor = job.Descriptor;
        if (descriptor.Verify)
        {
            VerificationError.RequireTables(
                manifest.Tables.Select(table => table.Name), $"{descriptor.DatasetNamespace}/{descriptor.DatasetName}");
        }

        await _store.EnsureWritableAsync(stop);
        TableSchema[] schemas = [.. manifest.Tables.Select(table => EvmTables.All.First(schema => schema.Name == table.Name))];
        var wantedWriters = Math.Max(1, descriptor.MaxWriters);
        var memory = MemoryPlan.Of((long)configuration.Extraction.MemoryBudgetMb << 20, wantedWriters, schemas);
        if (memory.Writers < wantedWriters)
        {
            Log.LimitedWriters(_logger, job.JobId, memory.Writers, wantedWriters, configuration.Extraction.MemoryBudgetMb);
        }

        await using var source = await OpenSourceAsync(manifest, schemas, memory.ReadingBytes, descriptor.Verify, stop);
        var range = await ResolveRangeAsync(source, manifest, descriptor, stop);

        var targets = await OpenTablesAsync(job, schemas, stop);
        foreach (var table in syncTables)
        {
            events.Emit(new SyncStarted(job.JobId, table, range.Start, range.End));
        }

        var part = descriptor.PartOf is null ? (BlockRange?)null : new BlockRange(range.Start, range.End!.Value);
        var ledger = new JobLedger(
            database.Files, job, part, token => ReportProgressAsync(job.JobId, range.End, targets, syncTables, token), time, _logger);
        Log.BeganExtraction(_logger, job.JobId, $"{descriptor.DatasetNamespace}/{descriptor.DatasetName}", range.Start, range.End);
        var segmentOptions = SegmentOptions(memory);
        var clock = new SegmentClock(time);
        var follower = new DatasetFollower(
            source,
            targets,
            ledger,
            commit => new DatasetExtractor(manifest.Network, source, _store, segmentOptions, commit, clock, time, _logger),
            new FollowOptions(configuration.PollInterval, ReorgPause, manifest.FinalizedBlocksOnly, memory.Writers),
            clock,
            time,
            _logger);
        if (descriptor.Workers > 1)
        {
            await ShareAsync(job, range, follower, targets, ledger, token => ReportProgressAsync(job.JobId, range.End, targets, syncTables, token), stop);
        }

        if (part is null)
        {
            await ReconcileFilesAsync(targets, ledger, stop);
        }

        await follower.RunAsync(range, stop);
        return range.End!.Value;
    }

    /// <summary>Lets other workers extract what the tables lack, as far as it is worth it.</summary>
    private async Task ShareAsync(
        JobAssignment job, JobRange range, DatasetFollower follower, IReadOnlyList<TargetTable> targets, JobLedger ledger, Func<CancellationToken, Task> report, CancellationToken stop)
    {
        var parts = new JobParts(database, job, time, _logger);
        await parts.AdoptAsync(stop);
        if (!parts.Taken.Any())
        {
            await ReconcileFilesAsync(targets, ledger, stop);
        }

        var missing = await follower.PlanAsync(range, stop);
        var reported = time.GetTimestamp();
        await parts.RunAsync(
            PartPlan.Divide(missing.Select(lacking => lacking.Blocks), parts.Taken, job.Descriptor.Workers),
            async token =>
            {
                if (time.GetElapsedTime(reported) >= configuration.WorkerEvents.ProgressInterval)
                {
                    reported = time.GetTimestamp();
                    await report(token);
                }
            },
            stop);
    }

    private async Task<IReadOnlyList<TargetTable>> OpenTablesAsync(
        JobAssignment job, IReadOnlyList<TableSchema> schemas, CancellationToken stop)
    {
        var descriptor = job.Descriptor;
        var targets = new List<TargetTable>();
        foreach (var schema in schemas)
        {
            var table = await database.PhysicalTables.GetOrCreateAsync(
                descriptor.DatasetNamespace, descriptor.DatasetName, descriptor.ManifestHash, schema.Name, null, stop);
            targets.Add(new TargetTable(targets.Count, schema, table.LocationId, table.Path));
        }

        await database.PhysicalTables.SetWriterAsync(targets.Select(target => target.LocationId), descriptor.PartOf ?? job.JobId, null, stop);
        return targets;
    }

    private async Task<RawManifest> ReadManifestAsync(string hash, CancellationToken cancellationToken)
    {
        var file = await database.Manifests.FindAsync(hash, cancellationToken);
        return await new ManifestStore(configuration.ManifestsDir).ReadAsync(hash, file?.Path, cancellationToken);
    }

    private async Task<IBlockSource> OpenSourceAsync(
        RawManifest manifest, IReadOnlyList<TableSchema> schemas, long memoryBudget, bool verify, CancellationToken cancellationToken)
    {
        var providers = await Providers.RequireForNetworkAsync(configuration, manifest.Kind, manifest.Network, cancellationToken);
        return ProviderSource.OpenAll(providers, schemas, memoryBudget, time, loggers, verify ? Verified : null);

        IBlockSource Verified(IBlockSource source) =>
            new VerifyingBlockSource(source, VerifyingBlockSource.DefaultRetry, time, loggers.CreateLogger<VerifyingBlockSource>());
    }

    private static async Task<JobRange> ResolveRangeAsync(
        IBlockSource source, RawManifest manifest, AmpJobDescriptor descriptor, CancellationToken cancellationToken)
    {
        // Asked whatever the end is: it proves that a provider answers, and is of the network, before anything is stored.
        var head = await source.GetHeadAsync(manifest.FinalizedBlocksOnly, cancellationToken);
        if (descriptor.EndBlock is null)
        {
            return new JobRange(manifest.StartBlock, null);
        }

        if (descriptor.StartBlock is { } start)
        {
            return new JobRange(start, EndBlock.Parse(descriptor.EndBlock).Absolute);
        }

        var end = EndBlock.Parse(descriptor.EndBlock).Resolve(head);
        EndBlock.RequireNotBefore(end, manifest.StartBlock, $"{descriptor.DatasetNamespace}/{descriptor.DatasetName}");
        return new JobRange(manifest.StartBlock, end);
    }

    private async Task ReconcileFilesAsync(IReadOnlyList<TargetTable> tables, JobLedger ledger, CancellationToken cancellationToken)
    {
        var committed = await ledger.ReadAsync([.. tables.Select(table => table.LocationId)], cancellationToken);
        foreach (var table in tables)
        {
            await ReconcileFilesAsync(table, [.. committed[table.LocationId]], cancellationToken);
        }
    }

    /// <summary>
    /// Removes files that no row names: what a crash left between publishing and commit. Nobody else writes here, since the
    /// job, and with it the table's revision, is this worker's, and no part of it is under way. Rows whose file is gone or has another
    /// size are reported.
    /// </summary>
    private async Task ReconcileFilesAsync(TargetTable table, IReadOnlyList<Segment> committed, CancellationToken cancellationToken)
    {
        var files = await TableFiles.CompareAsync(
            _store, table.Path, committed.Select(segment => (segment.FileName, (long?)segment.Size)), cancellationToken);
        foreach (var leftover in files.Temporary)
        {
            await _store.DeleteAsync(leftover.RelativePath, cancellationToken);
        }

        foreach (var file in files.Unnamed)
        {
            await _store.DeleteAsync(file.RelativePath, cancellationToken);
            Log.RemovedUncommittedFile(_logger, file.RelativePath);
        }

        foreach (var (file, expected) in files.WrongSize)
        {
            Log.FileHasWrongSize(_logger, file.RelativePath, file.Size, expected);
        }

        foreach (var missing in files.Missing)
        {
            Log.FileIsMissing(_logger, $"{table.Path}/{missing}");
        }
    }

    private async Task ReportProgressAsync(
        long jobId, ulong? endBlock, IReadOnlyList<TargetTable> targets, IReadOnlyList<SyncTable> tables, CancellationToken cancellationToken)
    {
        if (events is NullSyncEventSink || tables.Count == 0)
        {
            return;
        }

        var summaries = await database.Files.SummariesAsync([.. targets.Select(target => target.LocationId)], cancellationToken);
        foreach (var (target, table) in targets.Zip(tables))
        {
            var files = summaries[target.LocationId];
            if (files.Range is { } range)
            {
                var progress = new SyncProgress(
                    jobId, table, range.Start, range.End, endBlock, (ulong)files.FilesCount, (ulong)files.TotalSize);
                if (_throttle.TryPass(progress))
                {
                    events.Emit(progress);
                }
            }
        }
    }

    private SegmentOptions SegmentOptions(MemoryPlan memory) => new(
        new ParquetWriterOptions
        {
            Codec = Codec(configuration.Writer.Compression.Codec),
            CompressionLevel = configuration.Writer.Compression.Level ?? 1,
            MaxRowGroupBytes = (long)configuration.Writer.MaxRowGroupMb << 20,
            BloomFilters = configuration.Writer.BloomFilters,
            DataPageBytes = memory.PageBytes,
            DictionaryBytes = memory.PageBytes,
        },
        configuration.Writer.TargetFileBytes,
        configuration.Writer.SegmentFlushInterval)
    {
        BufferBytes = memory.BufferBytes,
    };

    private static ParquetCodec Codec(ParquetCompression compression) => compression switch
    {
        ParquetCompression.Snappy => ParquetCodec.Snappy,
        ParquetCompression.Gzip => ParquetCodec.Gzip,
        ParquetCompression.Brotli => ParquetCodec.Brotli,
        ParquetCompression.Lz4 => ParquetCodec.Lz4Raw,
        ParquetCompression.Zstd => ParquetCodec.Zstd,
        _ => ParquetCodec.Uncompressed,
    };
}
