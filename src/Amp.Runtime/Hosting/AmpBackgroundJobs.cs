using System.IO.Enumeration;
using System.Runtime.CompilerServices;
using Amp.BackgroundJobs;

namespace Amp.Hosting;

/// <summary>A background job to submit.</summary>
/// <param name="TenantId">Whose it is.</param>
/// <param name="Type">What to do: words with dots between, such as <c>job.email.welcome</c>.</param>
/// <param name="PayloadJson">A JSON object, for the handler.</param>
public sealed record BackgroundJobRequest(Guid TenantId, string Type, string PayloadJson)
{
    /// <summary>Jobs of a tenant with the same key run one at a time, in their order; null when order does not matter.</summary>
    public string? Key { get; init; }

    /// <summary>0 to 9; higher ones run first.</summary>
    public int Priority { get; init; }

    /// <summary>Not before this time; null for at once.</summary>
    public DateTimeOffset? RunAt { get; init; }

    /// <summary>Not before so long after it was queued, whatever this machine's clock says; null where <see cref="RunAt"/> says when.</summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>How often it is tried, 1 to 100.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>A second job of the tenant with this key is the first one; null for none.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>Makes sure that it can be queued, as far as that can be told without its tenant.</summary>
    /// <exception cref="AmpException"><c>JobTypeInvalid</c>, <c>JobPayloadInvalid</c>, <c>JobSettingInvalid</c>.</exception>
    public void Require() => JobSubmissionCheck.Require(ToSubmission());

    internal JobSubmission ToSubmission() => new(TenantId, Type, PayloadJson)
    {
        Key = Key,
        Priority = (short)Math.Clamp(Priority, short.MinValue, short.MaxValue),
        RunAt = RunAt,
        Delay = Delay,
        MaxAttempts = MaxAttempts,
        IdempotencyKey = IdempotencyKey,
    };
}

/// <summary>The background jobs of a deployment: submitting, looking, cancelling, dead letters, quotas.</summary>
public sealed class AmpBackgroundJobs
{
    private readonly AmpDeployment _deployment;
    private readonly JobQueue _queue;
    private readonly JobsView _view;
    private readonly TenantsTable _tenants;

    private AmpBackgroundJobs(AmpDeployment deployment, JobQueue queue)
    {
        _deployment = deployment;
        _queue = queue;
        _view = new JobsView(deployment.Database);
        _tenants = new TenantsTable(deployment.Database, KafkaMapping.JobOptions(deployment.Configuration)?.Topic);
    }

    /// <summary>The background jobs of a deployment, whose tables are made when they are not there.</summary>
    /// <exception cref="AmpException"><c>DatabaseConnectionRequired</c> over HTTP; <c>DatabaseNotInitialized</c>, <c>DatabaseNewerThanModule</c>.</exception>
    internal static async Task<AmpBackgroundJobs> OpenAsync(AmpDeployment deployment, CancellationToken cancellationToken)
    {
        var queue = JobWorkerHost.NewQueue(deployment.Configuration, deployment.Database);
        await queue.InitializeAsync(deployment.Configuration.MetadataDb.AutoMigrate, cancellationToken);
        return new AmpBackgroundJobs(deployment, queue);
    }

    /// <summary>Queues jobs, all or none, and gives them; in the place of one whose idempotency key is known, the first that had it.</summary>
    /// <param name="requests">The jobs.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException">
    /// <c>JobTypeInvalid</c>, <c>JobPayloadInvalid</c>, <c>JobSettingInvalid</c>, <c>TenantSuspended</c>, <c>QuotaExceeded</c>; nothing was queued.
    /// </exception>
    public async Task<IReadOnlyList<AmpBackgroundJob>> SubmitAsync(IReadOnlyList<BackgroundJobRequest> requests, CancellationToken cancellationToken)
    {
        var submitted = await _queue.SubmitAsync(
            [.. requests.Select(request => request.ToSubmission())], cancellationToken);
        var jobs = (await _view.ListAsync(new BackgroundJobQuery { JobIds = [.. submitted.Select(job => job.Id)] }, int.MaxValue, null, cancellationToken)).ToDictionary(job => job.JobId);
        return [.. submitted.Select(job => jobs[job.Id])];
    }

    /// <summary>Types that no worker which is alive has a handler for: their jobs wait until one has.</summary>
    public async Task<IReadOnlyList<string>> FindUnhandledAsync(IEnumerable<string> types, CancellationToken cancellationToken)
    {
        var patterns = (await _view.WorkersAsync(cancellationToken)).Where(worker => worker.IsActive).SelectMany(worker => worker.Types).ToList();
        return [.. types.Distinct().Where(type => !patterns.Exists(pattern => FileSystemName.MatchesSimpleExpression(pattern, type, ignoreCase: false)))];
    }

    /// <summary>How many jobs of each type are in each state, by type.</summary>
    public Task<List<BackgroundJobCount>> CountAsync(CancellationToken cancellationToken) => _view.CountAsync(cancellationToken);

    /// <summary>Jobs, newest first.</summary>
    public async IAsyncEnumerable<AmpBackgroundJob> GetJobsAsync(BackgroundJobQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        const int page = 1_000;
        Guid? before = null;
        while (true)
        {
            var jobs = await _view.ListAsync(query, page, before, cancellationToken);
            foreach (var job in jobs)
            {
                yield return job;
            }

            if (jobs.Count < page)
            {
                yield break;
            }

            before = jobs[^1].JobId;
        }
    }

    /// <summary>A job; throws <c>BackgroundJobNotFound</c>.</summary>
    public async Task<AmpBackgroundJob> GetJobAsync(Guid jobId, CancellationToken cancellationToken) =>
        (await _view.ListAsync(new BackgroundJobQuery { JobIds = [jobId] }, 1, null, cancellationToken)).FirstOrDefault() ?? throw NotFound(jobId);

    /// <summary>
    /// Cancels a job that waits, and asks for the cancellation of one that runs. Throws <c>BackgroundJobNotFound</c>, or
    /// <c>BackgroundJobEnded</c> when there is nothing to cancel.
    /// </summary>
    /// <param name="jobId">The job.</param>
    /// <param name="reason">Why, for its events.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<AmpBackgroundJob> CancelAsync(Guid jobId, string reason, CancellationToken cancellationToken)
    {
        var states = await _queue.CancelAsync([jobId], "user", reason, cancellationToken);
        return !states.TryGetValue(jobId, out var state) ? throw NotFound(jobId)
            : state is "cancelled" or "running" ? await GetJobAsync(jobId, cancellationToken)
            : throw new AmpException("BackgroundJobEnded", AmpErrorKind.InvalidState, $"Background job {jobId} has ended ({state}), so there is nothing to stop.")
            {
                Target = jobId,
                RecommendedAction = $"Get-AmpBackgroundJob {jobId} | Format-List tells how.",
            };
    }

    /// <summary>
    /// Queues a job again that failed or is a dead letter, and lets one begin at once that waits for its next attempt. Throws
    /// <c>BackgroundJobNotFound</c>, <c>BackgroundJobNotFailed</c>, <c>TenantSuspended</c>, <c>QuotaExceeded</c>.
    /// </summary>
    /// <param name="jobId">The job.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<AmpBackgroundJob> RestartAsync(Guid jobId, CancellationToken cancellationToken)
    {
        var job = await GetJobAsync(jobId, cancellationToken);
        var isQueued = (await _queue.RetryAsync([jobId], cancellationToken)).Count == 1 || await _queue.ReplayAsync([jobId], Environment.UserName, cancellationToken) == 1;
        return isQueued
            ? await GetJobAsync(jobId, cancellationToken)
            : throw new AmpException("BackgroundJobNotFailed", AmpErrorKind.InvalidState, $"Background job {jobId} is {job.Status}, and only one that failed is started again.")
            {
                Target = jobId,
                RecommendedAction = "Submit it anew: Submit-AmpBackgroundJob",
            };
    }

    /// <summary>Dead letters, the oldest first.</summary>
    /// <param name="types">Only of these types; wildcards are allowed. All when empty.</param>
    /// <param name="tenantIds">Only of these tenants; all when empty.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<List<AmpDeadLetter>> GetDeadLettersAsync(IReadOnlyList<string> types, IReadOnlyList<Guid> tenantIds, CancellationToken cancellationToken) =>
        _view.DeadLettersAsync(types, tenantIds, cancellationToken);

    /// <summary>Queues dead letters again, all or none; those that are none any more are left out. Throws <c>TenantSuspended</c>, <c>QuotaExceeded</c>.</summary>
    /// <returns>How many were queued.</returns>
    public Task<int> ReplayAsync(IReadOnlyCollection<Guid> jobIds, CancellationToken cancellationToken) => _queue.ReplayAsync(jobIds, Environment.UserName, cancellationToken);

    /// <summary>Deletes dead letters for good; those that are none any more are left out.</summary>
    /// <returns>How many were deleted.</returns>
    public Task<int> PurgeAsync(IReadOnlyCollection<Guid> jobIds, CancellationToken cancellationToken) => _queue.PurgeAsync(jobIds, Environment.UserName, cancellationToken);

    /// <summary>Tenants by id, what they may do and what of it they use; all when none is given. Those that are not there are left out.</summary>
    public Task<List<AmpQuota>> GetQuotasAsync(IReadOnlyCollection<Guid> tenantIds, CancellationToken cancellationToken) => _tenants.ListAsync(tenantIds, cancellationToken);

    /// <summary>Sets a tenant's tier and limits, and makes the tenant when it is not there.</summary>
    /// <param name="tenantId">The tenant.</param>
    /// <param name="tier">Name of its tier, whose limits hold where none is given; null for the one it has.</param>
    /// <param name="daily">Jobs that it may submit in a day; null to leave it.</param>
    /// <param name="queued">Jobs that may wait; null to leave it.</param>
    /// <param name="running">Jobs that may run at once; null to leave it.</param>
    /// <param name="payload">Bytes that a payload may have; null to leave it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<AmpQuota> SetQuotaAsync(
        Guid tenantId, string? tier, int? daily, int? queued, int? running, int? payload, CancellationToken cancellationToken)
    {
        var old = (await GetQuotasAsync([tenantId], cancellationToken)).FirstOrDefault();
        var basis = tier is null && old is not null
            ? new TenantLimits(old.DailyLimit, old.QueuedLimit, old.RunningLimit, old.PayloadLimit)
            : TenantsTable.LimitsOf(tier ?? "standard");
        await _tenants.SetLimitsAsync(
            tenantId, tier ?? old?.Tier ?? "standard",
            new TenantLimits(daily ?? basis.Daily, queued ?? basis.Queued, running ?? basis.Running, payload ?? basis.Payload), cancellationToken);
        return await QuotaAsync(tenantId, cancellationToken);
    }

    /// <summary>Counts a tenant's jobs of today anew. Throws <c>TenantNotFound</c>.</summary>
    public async Task<AmpQuota> ResetQuotaAsync(Guid tenantId, CancellationToken cancellationToken) =>
        await _tenants.ResetAsync(tenantId, cancellationToken) ? await QuotaAsync(tenantId, cancellationToken) : throw TenantNotFound(tenantId);

    /// <summary>Holds a tenant's jobs, or lets them go on. Throws <c>TenantNotFound</c>, <c>TenantClosed</c>.</summary>
    /// <param name="tenantId">The tenant.</param>
    /// <param name="isSuspended">Whether nothing more of it begins; what runs goes on.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<AmpQuota> SetSuspendedAsync(Guid tenantId, bool isSuspended, CancellationToken cancellationToken)
    {
        if (!await _tenants.SetStatusAsync(tenantId, isSuspended ? "suspended" : "active", cancellationToken))
        {
            await QuotaAsync(tenantId, cancellationToken);
            throw new AmpException("TenantClosed", AmpErrorKind.InvalidState, $"Tenant {tenantId} was deleted, and stays closed.") { Target = tenantId };
        }

        return await QuotaAsync(tenantId, cancellationToken);
    }

    /// <summary>All workers of background jobs that have not resigned, by host and start.</summary>
    public Task<List<AmpBackgroundWorker>> GetWorkersAsync(CancellationToken cancellationToken) => _view.WorkersAsync(cancellationToken);

    /// <summary>What reads the events of background jobs. Throws <c>BackgroundJobEventsNotConfigured</c> where there is no Kafka for them.</summary>
    public BackgroundJobEventReader Events() => new(KafkaMapping.JobOptions(_deployment.Configuration) ?? throw new AmpException(
        "BackgroundJobEventsNotConfigured", AmpErrorKind.InvalidInput, $"{_deployment.Configuration.Path} names no Kafka brokers for background jobs, so there are no events.")
    {
        Target = _deployment.Configuration.Path,
        RecommendedAction = "Set background_jobs.brokers there or KAFKA_BROKERS, or give -BootstrapServers.",
    });

    private async Task<AmpQuota> QuotaAsync(Guid tenantId, CancellationToken cancellationToken) =>
        (await GetQuotasAsync([tenantId], cancellationToken)).FirstOrDefault() ?? throw TenantNotFound(tenantId);

    private static AmpException NotFound(Guid jobId) => new("BackgroundJobNotFound", AmpErrorKind.NotFound, $"There is no background job {jobId}.")
    {
        Target = jobId,
        RecommendedAction = "Get-AmpBackgroundJob lists them; those that ended are kept for a week.",
    };

    /// <summary>The error for a tenant that is not there.</summary>
    public static AmpException TenantNotFound(Guid tenantId) => new("TenantNotFound", AmpErrorKind.NotFound, $"There is no tenant {tenantId}.")
    {
        Target = tenantId,
        RecommendedAction = "Get-AmpQuota lists the tenants; Set-AmpQuota makes one.",
    };
}
