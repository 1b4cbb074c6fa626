using Amp.Extraction;
using Amp.MetadataDb;

namespace Amp.Workers;

/// <summary>Commits for one job, fenced by its assignment, and tells its progress after each commit.</summary>
internal sealed class JobLedger(FilesTable table, JobAssignment job, Func<CancellationToken, Task> committed) : ISegmentLedger
{
    /// <inheritdoc/>
    public Task<ILookup<long, Segment>> ReadAsync(IReadOnlyCollection<long> locationIds, CancellationToken cancellationToken) =>
        table.SegmentsAsync(locationIds, cancellationToken);

    /// <inheritdoc/>
    public async Task CommitAsync(IReadOnlyList<NewFile> newFiles, CancellationToken cancellationToken)
    {
        await table.CommitSegmentsAsync(job.JobId, job.NodeId, newFiles, job.RegisteredAt, cancellationToken);
        await committed(cancellationToken);
    }

    /// <inheritdoc/>
    public Task RetireAsync(IReadOnlyCollection<Segment> segments, CancellationToken cancellationToken) =>
        table.RetireAsync(job.JobId, job.NodeId, [.. segments.Select(segment => segment.FileId)], job.RegisteredAt, cancellationToken);
}
