using System.Runtime.CompilerServices;
using System.Text;
using Amp.Configuration;
using Amp.Datasets;
using Amp.Extraction;
using Amp.Extraction.Verification;
using Amp.MetadataDb;

namespace Amp.Hosting;

/// <summary>Reaches a deployment through its metadata database and its folders.</summary>
internal sealed class DatabaseAmpClient(AmpConfiguration configuration, MetadataDatabase database) : IAmpClient
{
    private const int JobPage = 200;

    private readonly ManifestStore _manifests = new(configuration.ManifestsDir);
    private readonly AmpProviders _providers = new(configuration);

    /// <inheritdoc/>
    public IAsyncEnumerable<AmpWorker> GetWorkersAsync(CancellationToken cancellationToken) =>
        EnumerateAsync(token => database.Workers.ListAsync(null, token), cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<AmpJob> GetJobsAsync(JobQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var left = query.Limit ?? int.MaxValue;
        var before = query.BeforeJobId;
        while (left > 0)
        {
            var filter = new JobFilter { Statuses = query.Status.Count == 0 ? null : query.Status, BeforeJobId = before, Limit = Math.Min(left, JobPage) };
            var page = await database.Jobs.ListAsync(filter, cancellationToken);
            foreach (var job in page)
            {
                yield return job;
            }

            if (page.Count < filter.Limit)
            {
                yield break;
            }

            left -= page.Count;
            before = page[^1].JobId;
        }
    }

    /// <inheritdoc/>
    public Task<AmpJob> GetJobAsync(long jobId, CancellationToken cancellationToken) => database.Jobs.GetAsync(jobId, cancellationToken);

    /// <inheritdoc/>
    public Task<AmpJobProgress> GetJobProgressAsync(long jobId, CancellationToken cancellationToken) =>
        database.Jobs.ProgressAsync(jobId, cancellationToken);

    /// <inheritdoc/>
    public async Task<AmpJob> StartJobAsync(StartJobRequest request, CancellationToken cancellationToken)
    {
        var dataset = request.Dataset;
        var hash = await database.Manifests.ResolveAsync(dataset.Namespace, dataset.Name, dataset.Version, cancellationToken);
        var manifest = await _manifests.ReadAsync(hash, (await database.Manifests.FindAsync(hash, cancellationToken))?.Path, cancellationToken);
        if (request.EndBlock is { } text && EndBlock.Parse(text).Absolute is { } end)
        {
            EndBlock.RequireNotBefore(end, manifest.StartBlock, dataset.Dataset);
        }

        if (request.Workers > 1 && request.EndBlock is null)
        {
            throw new AmpException("WorkersNeedEndBlock", AmpErrorKind.InvalidInput, $"A job of {dataset.Dataset} without end cannot be shared among {request.Workers} workers.")
            {
                Target = dataset.Dataset,
                RecommendedAction = $"Give an end block, such as latest, and follow the chain from there with one worker afterwards: Start-AmpJob {dataset} latest -Workers {request.Workers}",
            };
        }

        if (request.Verify)
        {
            VerificationError.RequireTables(manifest.Tables.Select(table => table.Name), dataset.Dataset);
        }

        await Providers.RequireForNetworkAsync(configuration, manifest.Kind, manifest.Network, cancellationToken);
        var scheduled = await new JobScheduler(database).ScheduleAsync(
            new AmpJobDescriptor
            {
                Kind = JobKinds.MaterializeRaw,
                EndBlock = request.EndBlock,
                MaxWriters = request.MaxWriters,
                Workers = request.Workers,
                WorkerPattern = request.Workers > 1 ? request.Worker : null,
                DatasetNamespace = dataset.Namespace,
                DatasetName = dataset.Name,
                ManifestHash = hash,
                Verify = request.Verify,
            },
            request.Worker,
            cancellationToken);
        return await GetJobAsync(scheduled.JobId, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<AmpJob> StopJobAsync(long jobId, CancellationToken cancellationToken)
    {
        await database.Jobs.RequestStopAsync(jobId, cancellationToken);
        return await GetJobAsync(jobId, cancellationToken);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<AmpJobEvent> GetJobEventsAsync(long jobId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await GetJobAsync(jobId, cancellationToken);
        foreach (var transition in await database.Jobs.EventsAsync(jobId, cancellationToken))
        {
            yield return transition;
        }
    }

    /// <inheritdoc/>
    public async Task<AmpJob> RestartJobAsync(long jobId, string? worker, CancellationToken cancellationToken)
    {
        var job = await GetJobAsync(jobId, cancellationToken);
        var isOwnActive = worker is null && await database.Workers.GetAsync(job.NodeId, cancellationToken) is { IsActive: true };
        var nodeId = isOwnActive ? job.NodeId : await new JobScheduler(database).ChooseAsync(worker, cancellationToken);
        await database.Jobs.RescheduleAsync(jobId, nodeId, JobStatusText.Terminal, cancellationToken);
        return await GetJobAsync(jobId, cancellationToken);
    }

    /// <inheritdoc/>
    public Task RemoveJobAsync(long jobId, CancellationToken cancellationToken) => database.Jobs.DeleteAsync(jobId, cancellationToken);

    /// <inheritdoc/>
    public Task<int> RemoveJobsAsync(IReadOnlyCollection<AmpJobStatus> statuses, CancellationToken cancellationToken) =>
        database.Jobs.DeleteAsync(statuses, cancellationToken);

    /// <inheritdoc/>
    public async Task RemoveDatasetAsync(DatasetReference dataset, CancellationToken cancellationToken)
    {
        var active = await database.Jobs.ListAsync(
            new JobFilter { DatasetNamespace = dataset.Namespace, DatasetName = dataset.Name, Statuses = JobStatusText.Active }, cancellationToken);
        if (active.Count > 0)
        {
            throw JobErrors.DatasetInUse(dataset.Dataset, active[0].JobId);
        }

        await database.Manifests.RemoveAsync(dataset.Namespace, dataset.Name, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<AmpDataset> RegisterDatasetAsync(DatasetReference dataset, string manifestJson, CancellationToken cancellationToken)
    {
        // Checkpoint: all of this refuses before anything is stored.
        var manifest = ManifestJson.Parse(Encoding.UTF8.GetBytes(manifestJson), "the manifest");
        var version = dataset.VersionKind switch
        {
            DatasetVersionKind.None or DatasetVersionKind.Dev => null,
            DatasetVersionKind.Semantic => dataset.Version,
            _ => throw new AmpException(
                "DatasetVersionInvalid", AmpErrorKind.InvalidInput, $"'{dataset}' cannot be registered: '{dataset.Version}' is not a version to give.")
            {
                Target = dataset.ToString(),
                RecommendedAction = "Give a semantic version such as 1.0.0, or none for dev; latest follows by itself.",
            },
        };

        // A crash in between leaves a manifest file that nothing names; registering again uses it.
        var (hash, path) = await _manifests.SaveAsync(manifest, cancellationToken);
        await database.Manifests.RegisterAsync(dataset.Namespace, dataset.Name, version, hash, manifest.Kind, path, cancellationToken);
        return await DescribeAsync((await database.Manifests.ListAsync(dataset.Namespace, dataset.Name, includeMoving: true, cancellationToken))
            .First(registered => registered.Version == (version ?? "dev")), cancellationToken);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<AmpDataset> GetDatasetsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var dataset in await database.Manifests.ListAsync(includeMoving: true, cancellationToken: cancellationToken))
        {
            yield return await DescribeAsync(dataset, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<AmpTable> GetTablesAsync(CancellationToken cancellationToken) =>
        EnumerateAsync(token => database.PhysicalTables.ListAsync(cancellationToken: token), cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<string> GetProviderNamesAsync(CancellationToken cancellationToken) => _providers.Names.ToAsyncEnumerable();

    /// <inheritdoc/>
    public Task<AmpProvider> GetProviderAsync(string name, CancellationToken cancellationToken) => _providers.GetAsync(name, cancellationToken);

    /// <inheritdoc/>
    public Task<AmpProvider> RegisterProviderAsync(ProviderConfig provider, bool overwrite, CancellationToken cancellationToken) =>
        _providers.RegisterAsync(provider, overwrite, cancellationToken);

    /// <inheritdoc/>
    public Task RemoveProviderAsync(string name, CancellationToken cancellationToken)
    {
        _providers.Remove(name);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<AmpProviderTest> TestProviderAsync(string name, CancellationToken cancellationToken) => _providers.TestAsync(name, cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Adds what only the manifest knows; a manifest that cannot be read leaves that out.</summary>
    private async Task<AmpDataset> DescribeAsync(AmpDataset dataset, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = await _manifests.ReadAsync(dataset.ManifestHash, null, cancellationToken);
            return dataset with
            {
                Network = manifest.Network,
                StartBlock = manifest.StartBlock,
                Tables = [.. manifest.Tables.Select(table => table.Name)],
            };
        }
        catch (AmpException)
        {
            return dataset;
        }
    }

    private static async IAsyncEnumerable<T> EnumerateAsync<T>(
        Func<CancellationToken, Task<List<T>>> list, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var item in await list(cancellationToken))
        {
            yield return item;
        }
    }
}
