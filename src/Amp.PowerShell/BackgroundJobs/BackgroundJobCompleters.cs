using System.Collections;
using System.Runtime.CompilerServices;
using Amp.BackgroundJobs;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>Completes numbers of background jobs, newest first.</summary>
public sealed class BackgroundJobIdCompleter : AmpCompleter
{
    private protected override async IAsyncEnumerable<(string Text, string Tooltip)> ListAsync(
        AmpDeployment deployment, IDictionary boundParameters, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var jobs = await deployment.OpenBackgroundJobsAsync(cancellationToken);
        await foreach (var job in jobs.GetJobsAsync(new BackgroundJobQuery(), cancellationToken).Take(50))
        {
            yield return (job.ToString(), $"{job.Status}, {job.Type}");
        }
    }
}

/// <summary>Completes numbers of dead letters, the oldest first.</summary>
public sealed class DeadLetterCompleter : AmpCompleter
{
    private protected override async IAsyncEnumerable<(string Text, string Tooltip)> ListAsync(
        AmpDeployment deployment, IDictionary boundParameters, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var jobs = await deployment.OpenBackgroundJobsAsync(cancellationToken);
        foreach (var letter in (await jobs.GetDeadLettersAsync([], [], cancellationToken)).Take(50))
        {
            yield return (letter.ToString(), $"{letter.Type}: {letter.Error}");
        }
    }
}

/// <summary>Completes types of background jobs: those that have handlers here, and those of jobs that are there.</summary>
public sealed class BackgroundJobTypeCompleter : AmpCompleter
{
    private protected override async IAsyncEnumerable<(string Text, string Tooltip)> ListAsync(
        AmpDeployment deployment, IDictionary boundParameters, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var pattern in AmpSession.JobHandlers.Patterns)
        {
            yield return (pattern, "has a handler here");
        }

        var jobs = await deployment.OpenBackgroundJobsAsync(cancellationToken);
        await foreach (var job in jobs.GetJobsAsync(new BackgroundJobQuery(), cancellationToken).Take(200).DistinctBy(job => job.Type))
        {
            yield return (job.Type, "type of a job");
        }
    }
}

/// <summary>Completes types of background jobs as handlers were registered for them here.</summary>
public sealed class BackgroundJobHandlerCompleter : NameCompleter
{
    private protected override IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters) =>
        [.. AmpSession.JobHandlers.Patterns.Select(pattern => (pattern, "has a handler here"))];
}

/// <summary>Completes tenants.</summary>
public sealed class TenantCompleter : AmpCompleter
{
    private protected override async IAsyncEnumerable<(string Text, string Tooltip)> ListAsync(
        AmpDeployment deployment, IDictionary boundParameters, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var jobs = await deployment.OpenBackgroundJobsAsync(cancellationToken);
        foreach (var quota in await jobs.GetQuotasAsync([], cancellationToken))
        {
            yield return (quota.ToString(), $"{quota.Tier}, {quota.Status}");
        }
    }
}

/// <summary>Completes workers of background jobs that run in this process.</summary>
public sealed class LocalBackgroundWorkerCompleter : NameCompleter
{
    private protected override IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters) =>
        [.. AmpSession.BackgroundWorkers.Keys.Select(id => (id, "runs in this process"))];
}

/// <summary>Completes names of events of background jobs.</summary>
public sealed class JobEventNameCompleter : NameCompleter
{
    private protected override IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters) =>
        [.. JobTopics.Events.Select(topic => (BackgroundJobEventReader.NameOf(topic), topic))];
}

/// <summary>Completes tiers that have limits of their own.</summary>
public sealed class TierCompleter : NameCompleter
{
    private protected override IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters) =>
        [("free", "1,000 jobs a day"), ("standard", "100,000 jobs a day"), ("pro", "1,000,000 jobs a day"), ("enterprise", "20,000,000 jobs a day")];
}
