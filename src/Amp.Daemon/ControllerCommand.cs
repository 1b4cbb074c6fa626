using System.CommandLine;
using Amp.Hosting;

namespace Amp.Daemon;

/// <summary><c>ampd controller</c>: a controller until SIGTERM or Ctrl+C.</summary>
internal static class ControllerCommand
{
    public static Command Create()
    {
        var config = Options.Config();
        var logLevel = Options.LogLevel();
        var command = new Command("controller", "Retries failed jobs, moves the jobs of silent workers and serves the Admin API, until it is told to stop.") { config, logLevel };
        command.SetAction((arguments, cancellationToken) => CommandRunner.RunAsync(async () =>
        {
            using var loggers = CommandRunner.CreateLoggers(arguments.GetValue(logLevel));
            var configuration = AmpDeployment.FindConfiguration(arguments.GetValue(config), Environment.CurrentDirectory);
            await using var deployment = await AmpDeployment.OpenAsync(configuration, loggers, cancellationToken);
            await ControllerHost.RunAsync(deployment, loggers, cancellationToken);
        }));
        return command;
    }
}
