using Microsoft.Extensions.Logging;

namespace Amp.Daemon;

/// <summary>What every command shares: how errors are shown, which exit code they give, and where log lines go.</summary>
internal static class CommandRunner
{
    /// <summary>Runs a command's work and gives its exit code.</summary>
    public static async Task<int> RunAsync(Func<Task> work)
    {
        try
        {
            await work();
            return 0;
        }
        catch (AmpException e)
        {
            await Console.Error.WriteLineAsync($"ampd: {e.Message}");
            if (!string.IsNullOrEmpty(e.RecommendedAction))
            {
                await Console.Error.WriteLineAsync($"  what to do: {e.RecommendedAction}");
            }

            return ExitCode(e.Kind);
        }
        catch (OperationCanceledException)
        {
            return 130;
        }
    }

    /// <summary>Logs to standard error, one line an event.</summary>
    public static ILoggerFactory CreateLoggers(LogLevel level) => LoggerFactory.Create(builder => builder
        .SetMinimumLevel(level)
        .AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
        })
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));

    /// <summary>Stable exit codes, so that scripts can tell a typing mistake from a database that is down.</summary>
    private static int ExitCode(AmpErrorKind kind) => kind switch
    {
        AmpErrorKind.InvalidInput => 2,
        AmpErrorKind.NotFound => 3,
        AmpErrorKind.Conflict => 4,
        AmpErrorKind.Unavailable => 5,
        AmpErrorKind.Denied => 6,
        _ => 1,
    };
}
