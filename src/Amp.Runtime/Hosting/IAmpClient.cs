using Amp.Datasets;

namespace Amp.Hosting;

/// <summary>
/// What cmdlets and <c>ampd</c> ask of an Amp deployment, whichever way they reach it. Errors are
/// <see cref="AmpException"/>s.
/// </summary>
public interface IAmpClient : IAsyncDisposable
{
    /// <summary>All workers that ever registered, by node id.</summary>
    IAsyncEnumerable<AmpWorker> GetWorkersAsync(CancellationToken cancellationToken);

    /// <summary>Jobs, newest first.</summary>
    IAsyncEnumerable<AmpJob> GetJobsAsync(JobQuery query, CancellationToken cancellationToken);

    /// <summary>A job by number; throws <c>JobNotFound</c>.</summary>
    Task<AmpJob> GetJobAsync(long jobId, CancellationToken cancellationToken);

    /// <summary>How far a job has come; throws <c>JobNotFound</c>.</summary>
    Task<AmpJobProgress> GetJobProgressAsync(long jobId, CancellationToken cancellationToken);

    /// <summary>
    /// Schedules a job; returns the job that is already there when an active one has the same dataset version and
    /// descriptor. Throws <c>DatasetNotFound</c>, <c>EndBlockBeforeStart</c>, <c>ProviderNotFound</c>,
    /// <c>NoActiveWorker</c>, <c>WorkerNotFound</c>, <c>VerificationNeedsTables</c>, <c>WorkersNeedEndBlock</c> before anything is stored.
    /// </summary>
    Task<AmpJob> StartJobAsync(StartJobRequest request, CancellationToken cancellationToken);

    /// <summary>Asks for a job to be stopped; throws <c>JobNotFound</c> or, when it has ended, <c>JobAlreadyTerminated</c>.</summary>
    Task<AmpJob> StopJobAsync(long jobId, CancellationToken cancellationToken);

    /// <summary>A job's transitions, oldest first; throws <c>JobNotFound</c>.</summary>
    IAsyncEnumerable<AmpJobEvent> GetJobEventsAsync(long jobId, CancellationToken cancellationToken);

    /// <summary>
    /// Schedules a job that has ended again, with the same settings. Throws <c>JobNotFound</c>, <c>JobStateConflict</c> when it has not
    /// ended, <c>NoActiveWorker</c>, <c>WorkerNotFound</c>.
    /// </summary>
    /// <param name="jobId">The job.</param>
    /// <param name="worker">Worker to use, as for <see cref="StartJobRequest.Worker"/>; null for its own if active, else the least loaded one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    Task<AmpJob> RestartJobAsync(long jobId, string? worker, CancellationToken cancellationToken);

    /// <summary>Removes a job that has ended, with its events; files stay. Throws <c>JobNotFound</c>, <c>JobNotTerminal</c>.</summary>
    Task RemoveJobAsync(long jobId, CancellationToken cancellationToken);

    /// <summary>Removes all jobs in some states, which must be states of jobs that have ended, and says how many.</summary>
    Task<int> RemoveJobsAsync(IReadOnlyCollection<AmpJobStatus> statuses, CancellationToken cancellationToken);

    /// <summary>
    /// Removes a dataset with all its versions; tables and files stay. Throws <c>DatasetNotFound</c>, or <c>DatasetInUse</c> when an
    /// active job extracts it.
    /// </summary>
    Task RemoveDatasetAsync(DatasetReference dataset, CancellationToken cancellationToken);

    /// <summary>Stores a manifest and tags it with the reference's version (<c>dev</c> when it names none).</summary>
    /// <param name="dataset">Namespace, name and version to register it as.</param>
    /// <param name="manifestJson">The manifest.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    Task<AmpDataset> RegisterDatasetAsync(DatasetReference dataset, string manifestJson, CancellationToken cancellationToken);

    /// <summary>All registered dataset versions, by namespace, name and version.</summary>
    IAsyncEnumerable<AmpDataset> GetDatasetsAsync(CancellationToken cancellationToken);

    /// <summary>All tables that jobs have begun to write.</summary>
    IAsyncEnumerable<AmpTable> GetTablesAsync(CancellationToken cancellationToken);

    /// <summary>Names of all providers, sorted, also of those whose file cannot be used.</summary>
    IAsyncEnumerable<string> GetProviderNamesAsync(CancellationToken cancellationToken);

    /// <summary>A provider, its secrets redacted. Throws <c>ProviderNotFound</c>, <c>InvalidProvider</c> and others of the provider's file.</summary>
    Task<AmpProvider> GetProviderAsync(string name, CancellationToken cancellationToken);

    /// <summary>Writes a provider's file.</summary>
    /// <param name="provider">The provider.</param>
    /// <param name="overwrite">Whether one of that name is replaced; without, it is refused as <c>ProviderExists</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    Task<AmpProvider> RegisterProviderAsync(ProviderConfig provider, bool overwrite, CancellationToken cancellationToken);

    /// <summary>Removes a provider's file; jobs that run keep what they have read of it. Throws <c>ProviderNotFound</c>.</summary>
    Task RemoveProviderAsync(string name, CancellationToken cancellationToken);

    /// <summary>Asks a provider's node who it is. What is wrong with the provider stands in the result.</summary>
    Task<AmpProviderTest> TestProviderAsync(string name, CancellationToken cancellationToken);
}

/// <summary>Which jobs to list.</summary>
public sealed record JobQuery
{
    /// <summary>States to list; all when empty.</summary>
    public IReadOnlyList<AmpJobStatus> Status { get; init; } = [];

    /// <summary>Only jobs of a lower number: those after a page that ended with it.</summary>
    public long? BeforeJobId { get; init; }

    /// <summary>At most so many; null for all.</summary>
    public int? Limit { get; init; }
}

/// <summary>What to extract, up to where, and who does it.</summary>
/// <param name="Dataset">Dataset; without a version, <c>latest</c> and else <c>dev</c> is meant.</param>
/// <param name="EndBlock">An absolute number, a negative number, <c>latest</c>; null to follow the chain without end.</param>
public sealed record StartJobRequest(DatasetReference Dataset, string? EndBlock)
{
    /// <summary>How many parts of a range are extracted side by side, of 2,000 blocks or more each; 1 or more.</summary>
    public int MaxWriters { get; init; } = 1;

    /// <summary>
    /// How many workers extract parts of the job at most, 2,000 blocks or more each; 1 or more. Needs an end block.
    /// </summary>
    public int Workers { get; init; } = 1;

    /// <summary>Node id or wildcard pattern of the workers to use; null for the active workers with the fewest jobs.</summary>
    public string? Worker { get; init; }

    /// <summary>
    /// Whether block hashes, roots and blooms are recomputed from the extracted data, and blocks that do not fit are
    /// refused. Needs the tables blocks, transactions and logs.
    /// </summary>
    public bool Verify { get; init; }
}
