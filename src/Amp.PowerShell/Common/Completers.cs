using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Amp.Hosting;

namespace Amp.PowerShell.Common;

/// <summary>Matches, quotes and explains what a completer has to offer. Never throws.</summary>
public abstract class NameCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        var word = WildcardPattern.Escape((wordToComplete ?? "").Trim('\'', '"'));
        var pattern = new WildcardPattern(word + "*", WildcardOptions.IgnoreCase);
        return [.. Candidates(fakeBoundParameters)
            .Where(candidate => pattern.IsMatch(candidate.Text))
            .DistinctBy(candidate => candidate.Text)
            .Select(candidate => new CompletionResult(
                Quote(candidate.Text), candidate.Text, CompletionResultType.ParameterValue, candidate.Tooltip))];
    }

    /// <summary>What there is to choose from, with a tooltip each.</summary>
    /// <param name="boundParameters">The parameters typed so far.</param>
    private protected abstract IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters);

    private static string Quote(string text) =>
        text.All(c => char.IsLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or ':')
            ? text
            : $"'{CodeGeneration.EscapeSingleQuotedStringContent(text)}'";
}

/// <summary>
/// Completes from what the session is connected to. Never connects, and gives up after half a second: a slow database
/// must not freeze the prompt.
/// </summary>
public abstract class AmpCompleter : NameCompleter
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMilliseconds(500);

    /// <summary>What there is to choose from.</summary>
    /// <param name="deployment">What the session is connected to.</param>
    /// <param name="boundParameters">The parameters typed so far.</param>
    /// <param name="cancellationToken">Cancelled at the deadline.</param>
    private protected abstract IAsyncEnumerable<(string Text, string Tooltip)> ListAsync(
        AmpDeployment deployment, IDictionary boundParameters, CancellationToken cancellationToken);

    private protected sealed override IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters)
    {
        var found = new List<(string Text, string Tooltip)>();
        if (AmpSession.Current is not { } deployment)
        {
            return found;
        }

        using var deadline = new CancellationTokenSource(Deadline);
        var listing = Task.Run(async () =>
        {
            await foreach (var candidate in ListAsync(deployment, boundParameters, deadline.Token))
            {
                lock (found)
                {
                    found.Add(candidate);
                }
            }
        });
        ((IAsyncResult)listing).AsyncWaitHandle.WaitOne(Deadline);
        _ = listing.ContinueWith(static done => done.Exception, TaskScheduler.Default);
        lock (found)
        {
            return [.. found];
        }
    }
}

/// <summary>Completes node ids.</summary>
public sealed class NodeIdCompleter : AmpCompleter
{
    private protected override IAsyncEnumerable<(string Text, string Tooltip)> ListAsync(
        AmpDeployment deployment, IDictionary boundParameters, CancellationToken cancellationToken) =>
        deployment.Client.GetWorkersAsync(cancellationToken).Select(worker => (
            worker.NodeId, worker.IsActive ? "active" : $"last heartbeat {Internal._Format.Age(worker.HeartbeatAge)} ago"));
}

/// <summary>Completes datasets as <c>namespace/name</c>.</summary>
public sealed class DatasetCompleter : AmpCompleter
{
    private protected override IAsyncEnumerable<(string Text, string Tooltip)> ListAsync(
        AmpDeployment deployment, IDictionary boundParameters, CancellationToken cancellationToken) =>
        deployment.Client.GetDatasetsAsync(cancellationToken).Select(dataset => (
            dataset.Dataset, $"{dataset.Kind}, {dataset.Network}, version {dataset.Version}"));
}

/// <summary>Completes table names, those of the dataset typed before when there is one.</summary>
public sealed class TableCompleter : AmpCompleter
{
    private protected override IAsyncEnumerable<(string Text, string Tooltip)> ListAsync(
        AmpDeployment deployment, IDictionary boundParameters, CancellationToken cancellationToken)
    {
        var datasets = new NameFilter(boundParameters["Dataset"] is { } typed ? [typed.ToString() ?? "*"] : null);
        return deployment.Client.GetTablesAsync(cancellationToken)
            .Where(table => datasets.IsMatch(table.Dataset))
            .Select(table => (table.Table, $"{table.Dataset}, {table.FilesCount} files"));
    }
}

/// <summary>Completes columns, those of the table typed before when there is one.</summary>
public sealed class ColumnCompleter : NameCompleter
{
    private protected override IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters)
    {
        var tables = new NameFilter(boundParameters["Table"] is { } typed ? LanguagePrimitives.ConvertTo<string[]>(typed) : null);
        return [.. AmpTables.Columns.Where(column => tables.IsMatch(column.Table))
            .GroupBy(column => column.Column, column => column.Table)
            .Select(column => (column.Key, $"column of {string.Join(", ", column)}"))];
    }
}

/// <summary>Completes job numbers, newest first.</summary>
public sealed class JobIdCompleter : AmpCompleter
{
    private protected override IAsyncEnumerable<(string Text, string Tooltip)> ListAsync(
        AmpDeployment deployment, IDictionary boundParameters, CancellationToken cancellationToken) =>
        deployment.Client.GetJobsAsync(new JobQuery { Limit = 50 }, cancellationToken)
            .Select(job => (job.ToString(), $"{job.Status}, {job.Dataset}"));
}

/// <summary>Completes provider names.</summary>
public sealed class ProviderNameCompleter : AmpCompleter
{
    private protected override IAsyncEnumerable<(string Text, string Tooltip)> ListAsync(
        AmpDeployment deployment, IDictionary boundParameters, CancellationToken cancellationToken) =>
        deployment.Client.GetProviderNamesAsync(cancellationToken).Select(name => (name, "provider"));
}

/// <summary>Completes the node ids of workers that run in this process.</summary>
public sealed class LocalWorkerCompleter : NameCompleter
{
    private protected override IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters) =>
        [.. AmpSession.Workers.Keys.Select(nodeId => (nodeId, "runs in this process"))];
}

/// <summary>Completes the databases of controllers that run in this process.</summary>
public sealed class LocalControllerCompleter : NameCompleter
{
    private protected override IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters) =>
        [.. AmpSession.Controllers.Keys.Select(database => (database, "controller of this process"))];
}

/// <summary>Completes the URLs of development chains that run in this process.</summary>
public sealed class LocalChainCompleter : NameCompleter
{
    private protected override IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters) =>
        [.. AmpSession.Chains.Keys.Select(url => (url, "development chain of this process"))];
}

/// <summary>Completes the addresses of development brokers that run in this process.</summary>
public sealed class LocalBrokerCompleter : NameCompleter
{
    private protected override IReadOnlyList<(string Text, string Tooltip)> Candidates(IDictionary boundParameters) =>
        [.. AmpSession.Brokers.Keys.Select(address => (address, "development broker of this process"))];
}
