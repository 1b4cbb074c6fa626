using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Amp.MetadataDb;

/// <summary>Places jobs on active workers: those whose heartbeat is younger than 5 seconds.</summary>
/// <param name="database">The metadata database.</param>
public sealed class JobScheduler(MetadataDatabase database)
{
    /// <summary>Schedules a job on a worker and notifies it.</summary>
    /// <param name="descriptor">What to do.</param>
    /// <param name="worker">
    /// A worker's exact name; or a pattern (<c>*</c>, <c>?</c>, <c>[a-z]</c>), for the least loaded one that matches; null for
    /// the least loaded of all. Equally loaded ones are chosen from at random.
    /// </param>
    /// <param name="cancellationToken">Gives up; no job is scheduled then.</param>
    /// <returns>The job; an active one with the same dataset and descriptor is returned instead of a second one.</returns>
    /// <exception cref="AmpException">
    /// <c>NoActiveWorker</c> (transient); <c>WorkerNotFound</c>; <c>ActiveJobConflict</c> when the dataset is being extracted with
    /// other settings.
    /// </exception>
    public async Task<ScheduledJob> ScheduleAsync(
        AmpJobDescriptor descriptor, string? worker = null, CancellationToken cancellationToken = default)
    {
        var nodeId = await ChooseAsync(worker, cancellationToken);
        return await database.Jobs.ScheduleAsync(nodeId, descriptor, IdempotencyKey(descriptor), cancellationToken);
    }

    /// <summary>
    /// The key that tells jobs of one manifest from others: SHA-256 in hex, as ampd computes it. Parts of a job have keys of their own.
    /// </summary>
    internal static string IdempotencyKey(AmpJobDescriptor descriptor)
    {
        var part = descriptor.PartOf is null ? ""
            : string.Create(CultureInfo.InvariantCulture, $"#{descriptor.PartOf}:{descriptor.StartBlock}-{descriptor.EndBlock}");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
            $"{descriptor.Kind}:{descriptor.DatasetNamespace}/{descriptor.DatasetName}@{descriptor.ManifestHash}{part}")));
    }

    /// <summary>The least loaded active worker that fits a name or pattern and is not among <paramref name="busy"/>; null when there is none.</summary>
    internal async Task<string?> FindAsync(string? worker, IReadOnlyCollection<string> busy, CancellationToken cancellationToken) =>
        LeastLoaded((await ListAsync(worker, cancellationToken)).Where(candidate => !busy.Contains(candidate.NodeId)));

    /// <summary>The worker that a job would be placed on now; parameter and errors are those of <see cref="ScheduleAsync"/>.</summary>
    internal async Task<string> ChooseAsync(string? worker, CancellationToken cancellationToken)
    {
        if (worker is not null && !WorkersTable.HasWildcards(worker))
        {
            var exact = await database.Workers.GetAsync(worker, cancellationToken) ?? throw JobErrors.WorkerNotFound(worker);
            return exact.IsActive ? exact.NodeId : throw NoActiveWorker(
                $"Worker {worker} is not active: its last heartbeat is {exact.HeartbeatAge.TotalSeconds:F0} s old.", worker);
        }

        return LeastLoaded(await ListAsync(worker, cancellationToken))
            ?? throw NoActiveWorker(worker is null ? "No worker is active." : $"No active worker matches '{worker}'.", worker);
    }

    /// <summary>Active workers that fit a name or pattern. Unlike a listing for people, a placement takes letters as they are written.</summary>
    private async Task<IEnumerable<AmpWorker>> ListAsync(string? worker, CancellationToken cancellationToken)
    {
        var pattern = worker is null ? null : new Regex(WorkersTable.ToRegex(worker), RegexOptions.CultureInvariant);
        return (await database.Workers.ListAsync(worker is null ? null : [worker], cancellationToken))
            .Where(w => w.IsActive && pattern?.IsMatch(w.NodeId) != false);
    }

    private static string? LeastLoaded(IEnumerable<AmpWorker> workers)
    {
        var idlest = workers.GroupBy(w => w.ActiveJobs).MinBy(group => group.Key)?.ToArray();
        return idlest?[RandomNumberGenerator.GetInt32(idlest.Length)].NodeId;
    }

    private static AmpException NoActiveWorker(string message, string? worker) =>
        new("NoActiveWorker", AmpErrorKind.Unavailable, message)
        {
            IsTransient = true,
            Target = worker,
            RecommendedAction = "Start one with Start-AmpWorker; Get-AmpWorker shows the heartbeats.",
        };
}
