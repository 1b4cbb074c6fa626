using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Amp.Support;

/// <summary>Keeps what is logged. Safe from any thread.</summary>
internal sealed class RecordingLogger : ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, string Event, string Message)> _entries = [];

    /// <summary>What was logged so far, in order; <c>Event</c> is the name of the logging method.</summary>
    public IReadOnlyList<(LogLevel Level, string Event, string Message)> Entries => [.. _entries];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _entries.Enqueue((logLevel, eventId.Name ?? "", formatter(state, exception)));
}
