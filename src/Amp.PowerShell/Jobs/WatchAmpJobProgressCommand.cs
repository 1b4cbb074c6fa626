using System.Collections.Concurrent;
using System.Management.Automation;
using Amp.Events;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Jobs;

/// <summary>
/// Follows jobs, side by side, until all have ended: writes one object per change of a table and draws one progress bar
/// per table.
/// </summary>
[Cmdlet(VerbsCommon.Watch, "AmpJobProgress")]
[OutputType(typeof(AmpTableProgress))]
public sealed class WatchAmpJobProgressCommand : AmpDeploymentCmdlet
{
    /// <summary>How often bars are drawn; of changes that follow each other closely, they show the last.</summary>
    private static readonly TimeSpan DrawInterval = TimeSpan.FromMilliseconds(300);

    private readonly List<long> _jobIds = [];

    /// <summary>Numbers of the jobs.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    public long[] JobId { get; set; } = [];

    /// <summary>Where progress is read: in the deployment's database, or in the sync events that its workers send to Kafka.</summary>
    [Parameter]
    public AmpProgressSource Source { get; set; } = AmpProgressSource.Database;

    /// <inheritdoc/>
    protected override void ProcessRecord() => _jobIds.AddRange(JobId);

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_jobIds.Count == 0)
        {
            return;
        }

        Run((deployment, pipeline, cancellationToken) =>
        {
            var kafka = Source is AmpProgressSource.Kafka ? new SyncEventReader(deployment.RequireKafka()) : null;
            return Task.WhenAll(_jobIds.Distinct().Select(jobId => kafka is null
                ? WatchAsync(
                    JobWatch.FollowAsync(deployment.Client, jobId, TimeProvider.System, cancellationToken),
                    async _ => ErrorOf(await deployment.Client.GetJobAsync(jobId, cancellationToken)), pipeline, cancellationToken)
                : WatchAsync(
                    SyncEventWatch.FollowAsync(kafka, jobId, TimeProvider.System, cancellationToken),
                    tables => Task.FromResult(tables.Select(ErrorOf).FirstOrDefault(error => error is not null)), pipeline, cancellationToken)));
        });
    }

    private static async Task WatchAsync(
        IAsyncEnumerable<AmpTableProgress> changes, Func<IEnumerable<AmpTableProgress>, Task<AmpException?>> findErrorAsync, PipelineWriter pipeline,
        CancellationToken cancellationToken)
    {
        try
        {
            var latest = new ConcurrentDictionary<string, AmpTableProgress>(StringComparer.Ordinal);
            var following = FollowAsync(changes, latest, pipeline, cancellationToken);
            while (!following.IsCompleted)
            {
                foreach (var table in latest.Values.OrderBy(table => table.Table, StringComparer.Ordinal))
                {
                    pipeline.Progress(TableBar.Of(table));
                }

                await Task.WhenAny(following, Task.Delay(DrawInterval, cancellationToken));
            }

            await following;
            if (await findErrorAsync(latest.Values) is { } error)
            {
                await pipeline.ErrorAsync(error);
            }
        }
        catch (AmpException e)
        {
            await pipeline.ErrorAsync(e);
        }
    }

    private static AmpException? ErrorOf(AmpJob job) => JobErrors.From(job.JobId, job.Status, job.ErrorMessage);

    private static AmpException? ErrorOf(AmpTableProgress table) => JobErrors.From(table.JobId, table.Status, table.ErrorMessage);

    private static async Task FollowAsync(
        IAsyncEnumerable<AmpTableProgress> changes, ConcurrentDictionary<string, AmpTableProgress> latest, PipelineWriter pipeline, CancellationToken cancellationToken)
    {
        await foreach (var table in changes.WithCancellation(cancellationToken))
        {
            latest[table.Table] = table;
            await pipeline.OutputAsync(table);
        }
    }
}
