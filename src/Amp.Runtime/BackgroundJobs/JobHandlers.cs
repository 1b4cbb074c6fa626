using System.Collections.Immutable;
using System.IO.Enumeration;

namespace Amp.BackgroundJobs;

/// <summary>How jobs of a type are treated.</summary>
public sealed record JobHandlerOptions
{
    /// <summary>How long an attempt may take; more than 0.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Pauses before the second attempt, the third and so on; the last one is repeated. Empty for a pause that doubles from 2 s to 6 hours,
    /// of which between half and all is waited.
    /// </summary>
    public IReadOnlyList<TimeSpan> Backoff { get; init; } = [];

    /// <summary>Whether a job that its handler gives up becomes a dead letter; else it has just failed.</summary>
    public bool UsesDeadLetters { get; init; } = true;
}

/// <summary>Handlers by types of jobs. May be changed while workers use it. Safe for many threads.</summary>
public sealed class JobHandlers
{
    private ImmutableArray<Entry> _entries = [];

    /// <summary>Patterns of the types that have a handler.</summary>
    public IReadOnlyList<string> Patterns => [.. _entries.Select(entry => entry.Pattern)];

    /// <summary>Registers a handler, instead of one of the same pattern that is there.</summary>
    /// <param name="pattern">Types of jobs; <c>*</c> and <c>?</c> are wildcards.</param>
    /// <param name="handler">Does their work.</param>
    /// <param name="options">How they are treated.</param>
    public void Set(string pattern, IJobHandler handler, JobHandlerOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(pattern);
        ArgumentNullException.ThrowIfNull(handler);
        var entry = new Entry(pattern, handler, options ?? new JobHandlerOptions());

        // The most special first: no wildcard before wildcards, long before short.
        ImmutableInterlocked.Update(ref _entries, entries =>
            [.. entries.Where(other => other.Pattern != pattern).Append(entry).OrderBy(other => other.Pattern.AsSpan().ContainsAny('*', '?')).ThenByDescending(other => other.Pattern.Length)]);
    }

    /// <summary>Registers a handler unless there is one of the same pattern.</summary>
    internal void SetDefault(string pattern, IJobHandler handler, JobHandlerOptions options)
    {
        if (!Patterns.Contains(pattern))
        {
            Set(pattern, handler, options);
        }
    }

    /// <summary>Removes the handler of a pattern; jobs that it has go on. False when there is none.</summary>
    /// <param name="pattern">As it was registered.</param>
    public bool Remove(string pattern) =>
        ImmutableInterlocked.Update(ref _entries, entries => entries.RemoveAll(entry => entry.Pattern == pattern));

    internal Entry? Find(string type)
    {
        foreach (var entry in _entries)
        {
            if (FileSystemName.MatchesSimpleExpression(entry.Pattern, type, ignoreCase: false))
            {
                return entry;
            }
        }

        return null;
    }

    /// <summary>Patterns as SQL's <c>LIKE</c> takes them.</summary>
    internal string[] LikePatterns() => [.. _entries.Select(entry => ToLike(entry.Pattern))];

    internal static string ToLike(string pattern) => pattern
        .Replace(@"\", @"\\", StringComparison.Ordinal).Replace("_", @"\_", StringComparison.Ordinal).Replace("%", @"\%", StringComparison.Ordinal)
        .Replace('*', '%').Replace('?', '_');

    internal sealed record Entry(string Pattern, IJobHandler Handler, JobHandlerOptions Options);
}
