using Amp.Extraction;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging;

namespace Amp.Workers;

/// <summary>
/// Commits for one job, fenced by its assignment, and tells its progress after each commit. While the database is away it
/// waits: a commit whose outcome is unknown is safe to repeat.
/// </summary>
internal sealed class JobLedger(
    FilesTable table, JobAssignment job, Func<CancellationToken, Task> committed, TimeProvider time, ILogger logger) : ISegmentLedger
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public Task<ILookup<long, Segment>> ReadAsync(IReadOnlyCollection<long> locationIds, CancellationToken cancellationToken) =>
        PersistAsync(token => table.SegmentsAsync(locationIds, token), cancellationToken);

    /// <inheritdoc/>
    public async Task CommitAsync(IReadOnlyList<NewFile> newFiles, CancellationToken cancellationToken)
    {
        await PersistAsync(
            token => table.CommitSegmentsAsync(job.JobId, job.NodeId, newFiles, job.RegisteredAt, token), cancellationToken);
        await PersistAsync(committed, cancellationToken);
    }

    /// <inheritdoc/>
    public Task RetireAsync(IReadOnlyCollection<Segment> segments, CancellationToken cancellationToken) => PersistAsync(
        token => table.RetireAsync(job.JobId, job.NodeId, [.. segments.Select(segment => segment.FileId)], job.RegisteredAt, token),
        cancellationToken);

    private Task<bool> PersistAsync(Func<CancellationToken, Task> work, CancellationToken cancellationToken) => PersistAsync(
        async token =>
        {
            await work(token);
            return true;
        },
        cancellationToken);

    private async Task<T> PersistAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await work(cancellationToken);
            }
            catch (AmpException e) when (e is { Kind: AmpErrorKind.Unavailable, IsTransient: true })
            {
                Log.WaitedForDatabase(logger, job.JobId, e.Message);
                await Task.Delay(RetryDelay, time, cancellationToken);
            }
        }
    }
}
