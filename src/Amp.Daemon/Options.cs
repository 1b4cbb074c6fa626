using System.CommandLine;
using Microsoft.Extensions.Logging;

namespace Amp.Daemon;

/// <summary>Options that several commands take.</summary>
internal static class Options
{
    public static Option<string?> Config() => new("--config", "-c")
    {
        Description = "The configuration file; AMP_CONFIG and then .amp/config.toml when left out.",
    };

    public static Option<LogLevel> LogLevel() => new("--log-level")
    {
        Description = "The least severe log lines to write to standard error.",
        DefaultValueFactory = _ => Microsoft.Extensions.Logging.LogLevel.Information,
    };
}
