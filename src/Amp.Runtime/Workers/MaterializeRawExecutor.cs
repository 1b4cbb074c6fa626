using Amp.Configuration;
using Amp.Datasets;
using Amp.Events;
using Amp.Extraction;
using Amp.Extraction.EvmRpc;
using Amp.MetadataDb;
using Amp.Parquet;
using Amp.Storage;
using Microsoft.Extensions.Logging;

namespace Amp.Workers;

/// <summary>
/// Runs jobs of kind <c>materialize-raw</c>: finds out what the dataset's tables lack up to the end block and extracts
/// just that. Running a finished job again does nothing.
/// </summary>
internal sealed class MaterializeRawExecutor(
    AmpConfiguration configuration,
    MetadataDatabase database,
    ISyncEventSink events,
    TimeProvider time,
    ILoggerFactory loggers) : IJobExecutor
{
    private readonly ILogger _logger = loggers.CreateLogger<MaterializeRawExecutor>();
    private readonly ProgressThrottle _throttle = new(configuration.WorkerEvents.ProgressInterval, time);
    private readonly SegmentStore _store = new(configuration.DataDir);

    /// <inheritdoc/>
    public async Task ExecuteAsync(JobAssignment job, CancellationToken stop)
    {
        var started = time.GetTimestamp();
        var descriptor = job.Descriptor;
        var manifest = await ReadManifestAsync(descriptor.ManifestHash, stop);
        SyncTable[] tables = [.. manifest.Tables.Select(
            table => new SyncTable(descriptor.DatasetNamespace, descriptor.DatasetName, descriptor.ManifestHash, table.Name))];
        try
        {
            var endBlock = await ExtractAsync(job, manifest, tables, stop);
            foreach (var table in tables)
            {
                events.Emit(new SyncCompleted(job.JobId, table, endBlock, time.GetElapsedTime(started)));
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

    /// <summary>Extracts what is missing and gives the job's last block.</summary>
    private async Task<ulong> ExtractAsync(
        JobAssignment job, RawManifest manifest, IReadOnlyList<SyncTable> syncTables, CancellationToken stop)
    {
        var descriptor = job.Descriptor;
        var dataset = $"{descriptor.DatasetNamespace}/{descriptor.DatasetName}";
        RequireSupported(job);
        await _store.EnsureWritableAsync(stop);
        TableSchema[] schemas = [.. manifest.Tables.Select(table => EvmTables.All.First(schema => schema.Name == table.Name))];
        await using var source = await OpenSourceAsync(manifest, schemas, stop);
        var wanted = await ResolveRangeAsync(source, manifest, descriptor.EndBlock!, dataset, stop);

        var targets = new List<TargetTable>();
        foreach (var schema in schemas)
        {
            var table = await database.PhysicalTables.GetOrCreateAsync(
                descriptor.DatasetNamespace, descriptor.DatasetName, descriptor.ManifestHash, schema.Name, null, stop);
            targets.Add(new TargetTable(targets.Count, schema, table.LocationId, table.Path));
        }

        long[] locations = [.. targets.Select(target => target.LocationId)];
        await database.PhysicalTables.SetWriterAsync(locations, job.JobId, null, stop);
        foreach (var table in syncTables)
        {
            events.Emit(new SyncStarted(job.JobId, table, wanted.Start, wanted.End));
        }

        var segments = await database.Files.SegmentsAsync(locations, stop);
        foreach (var target in targets)
        {
            await ReconcileFilesAsync(target, [.. segments[target.LocationId]], stop);
        }

        var plan = MissingRanges.Plan(targets.ToDictionary(
            target => target.Schema.Name,
            target => CanonicalChain.Build(segments[target.LocationId]).MissingRanges(wanted)));
        Log.PlannedExtraction(_logger, job.JobId, dataset, wanted.Start, wanted.End, plan.Count);

        var extractor = new DatasetExtractor(manifest.Network, source, _store, SegmentOptions(), time, _logger);
        await extractor.RunAsync(plan, targets, CommitAsync, stop);
        return wanted.End;

        async Task CommitAsync(IReadOnlyList<NewFile> files, CancellationToken cancellationToken)
        {
            await database.Files.CommitSegmentsAsync(job.JobId, job.NodeId, files, job.RegisteredAt, cancellationToken);
            await ReportProgressAsync(job.JobId, wanted, targets, syncTables, cancellationToken);
        }
    }

    private async Task<RawManifest> ReadManifestAsync(string hash, CancellationToken cancellationToken)
    {
        var file = await database.Manifests.FindAsync(hash, cancellationToken);
        return await new ManifestStore(configuration.ManifestsDir).ReadAsync(hash, file?.Path, cancellationToken);
    }

    private async Task<IBlockSource> OpenSourceAsync(
        RawManifest manifest, IReadOnlyList<TableSchema> schemas, CancellationToken cancellationToken)
    {
        var providers = await Providers.RequireForNetworkAsync(configuration, manifest.Kind, manifest.Network, cancellationToken);
        var memoryBudget = (long)configuration.Extraction.MemoryBudgetMb << 20;
        return ProviderSource.OpenAll(providers, schemas, memoryBudget / 4, time, loggers);
    }

    /// <summary>The job's blocks; all of them must be there.</summary>
    private static async Task<BlockRange> ResolveRangeAsync(
        IBlockSource source, RawManifest manifest, string endBlock, string dataset, CancellationToken cancellationToken)
    {
        var head = await source.GetHeadAsync(manifest.FinalizedBlocksOnly, cancellationToken);
        var end = EndBlock.Parse(endBlock).Resolve(head);
        EndBlock.RequireNotBefore(end, manifest.StartBlock, dataset);
        return end <= head
            ? new BlockRange(manifest.StartBlock, end)
            : throw new AmpException(
                "EndBlockAfterHead", AmpErrorKind.InvalidState,
                $"Block {end} of {manifest.Network} is not there yet: the newest {(manifest.FinalizedBlocksOnly ? "finalized " : "")}block is {head}.")
            {
                IsTransient = true,
                Target = end,
                RecommendedAction = "Start the job again when the chain has come that far, or give a lower end block.",
            };
    }

    /// <summary>
    /// Removes files that no row names: what a crash left between publishing and commit. Nobody else writes here, since the
    /// job, and with it the table's revision, is this worker's. Rows whose file is gone or has another size are reported.
    /// </summary>
    private async Task ReconcileFilesAsync(TargetTable table, IReadOnlyList<Segment> committed, CancellationToken cancellationToken)
    {
        var expected = committed.ToDictionary(segment => segment.FileName, segment => segment.Size, StringComparer.Ordinal);
        foreach (var leftover in await _store.ListAsync(table.Path, temporary: true, cancellationToken))
        {
            await _store.DeleteAsync(leftover.RelativePath, cancellationToken);
        }

        foreach (var file in await _store.ListAsync(table.Path, temporary: false, cancellationToken))
        {
            var name = Path.GetFileName(file.RelativePath);
            if (!expected.Remove(name, out var size))
            {
                await _store.DeleteAsync(file.RelativePath, cancellationToken);
                Log.RemovedUncommittedFile(_logger, file.RelativePath);
            }
            else if (size != file.Size)
            {
                Log.FileHasWrongSize(_logger, file.RelativePath, file.Size, size);
            }
        }

        foreach (var missing in expected.Keys)
        {
            Log.FileIsMissing(_logger, $"{table.Path}/{missing}");
        }
    }

    private async Task ReportProgressAsync(
        long jobId, BlockRange wanted, IReadOnlyList<TargetTable> targets, IReadOnlyList<SyncTable> tables, CancellationToken cancellationToken)
    {
        if (events is NullSyncEventSink)
        {
            return;
        }

        var segments = await database.Files.SegmentsAsync([.. targets.Select(target => target.LocationId)], cancellationToken);
        foreach (var (target, table) in targets.Zip(tables))
        {
            var chain = CanonicalChain.Build(segments[target.LocationId]);
            if (chain.Range is { } range)
            {
                var progress = new SyncProgress(
                    jobId, table, range.Start, range.End, wanted.End, (ulong)chain.Canonical.Count, (ulong)chain.TotalSize);
                if (_throttle.TryPass(progress))
                {
                    events.Emit(progress);
                }
            }
        }
    }

    private SegmentOptions SegmentOptions() => new(
        new ParquetWriterOptions
        {
            Codec = Codec(configuration.Writer.Compression.Codec),
            CompressionLevel = configuration.Writer.Compression.Level ?? 1,
            MaxRowGroupBytes = (long)configuration.Writer.MaxRowGroupMb << 20,
            BloomFilters = configuration.Writer.BloomFilters,
        },
        configuration.Writer.TargetFileBytes,
        configuration.Writer.SegmentFlushInterval);

    private static ParquetCodec Codec(ParquetCompression compression) => compression switch
    {
        ParquetCompression.Snappy => ParquetCodec.Snappy,
        ParquetCompression.Gzip => ParquetCodec.Gzip,
        ParquetCompression.Brotli => ParquetCodec.Brotli,
        ParquetCompression.Lz4 => ParquetCodec.Lz4Raw,
        ParquetCompression.Zstd => ParquetCodec.Zstd,
        _ => ParquetCodec.Uncompressed,
    };

    private static void RequireSupported(JobAssignment job)
    {
        var demand = job.Descriptor switch
        {
            { EndBlock: null } => "has no end block (a continuous job)",
            { Verify: true } => "asks for verification",
            _ => null,
        };
        if (demand is not null)
        {
            throw new AmpException(
                "JobNotSupported", AmpErrorKind.InvalidInput, $"Job {job.JobId} {demand}, which this version cannot do.")
            {
                Target = job.JobId,
                RecommendedAction = "Start it with an end block and without verification, or run it on a worker that can.",
            };
        }
    }
}
