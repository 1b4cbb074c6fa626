using Amp.Extraction;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging;

namespace Amp.Workers;

/// <summary>
/// Commits for one job, fenced by its assignment, and tells its progress after each commit. While the database is away it
/// waits: a commit whose outcome is unknown is safe to repeat.
/// </summary>
/// <param name="table">The files.</param>
/// <param name="job">The job.</param>
/// <param name="blocks">The blocks of a part, whose segments alone are read; null for all.</param>
/// <param name="committed">Called after each commit.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told of waits.</param>
internal sealed class JobLedger(
    FilesTable table, JobAssignment job, BlockRange? blocks, Func<CancellationToken, Task> committed, TimeProvider time, ILogger logger) : ISegmentLedger
{
    private readonly DatabaseRetry _retry = new(job.JobId, time, logger);

    /// <inheritdoc/>
    public async Task<ILookup<long, Segment>> ReadAsync(IReadOnlyCollection<long> locationIds, CancellationToken cancellationToken)
    {
        var segments = await _retry.RunAsync(token => table.SegmentsAsync(locationIds, token), cancellationToken);
        return blocks is not { } part ? segments : segments
            .SelectMany(location => location.Where(segment => segment.End >= part.Start && segment.Start <= part.End), (location, segment) => (location.Key, segment))
            .ToLookup(item => item.Key, item => item.segment);
    }

    /// <inheritdoc/>
    public async Task CommitAsync(IReadOnlyList<NewFile> newFiles, CancellationToken cancellationToken)
    {
        await _retry.RunAsync(
            token => table.CommitSegmentsAsync(job.JobId, job.NodeId, newFiles, job.RegisteredAt, token), cancellationToken);
        await _retry.RunAsync(committed, cancellationToken);
    }

    /// <inheritdoc/>
    public Task RetireAsync(IReadOnlyCollection<Segment> segments, CancellationToken cancellationToken) => _retry.RunAsync(
        token => table.RetireAsync(job.JobId, job.NodeId, [.. segments.Select(segment => segment.FileId)], job.RegisteredAt, token),
        cancellationToken);
}
