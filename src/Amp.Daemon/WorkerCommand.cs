using System.CommandLine;
using Amp.Hosting;

namespace Amp.Daemon;

/// <summary><c>ampd worker</c>: a worker until SIGTERM or Ctrl+C.</summary>
internal static class WorkerCommand
{
    public static Command Create()
    {
        var config = Options.Config();
        var logLevel = Options.LogLevel();
        var nodeId = new Option<string?>("--node-id")
        {
            Description = "The worker's unique name: a letter, then letters, digits, '_', '-' or '.'; AMP_NODE_ID when left out.",
        };
        var command = new Command("worker", "Runs an extraction worker until it is told to stop.") { nodeId, config, logLevel };
        command.SetAction((arguments, cancellationToken) => CommandRunner.RunAsync(async () =>
        {
            using var loggers = CommandRunner.CreateLoggers(arguments.GetValue(logLevel));
            var configuration = AmpDeployment.FindConfiguration(arguments.GetValue(config), Environment.CurrentDirectory);
            var id = WorkerHost.RequireNodeId(arguments.GetValue(nodeId) ?? configuration.NodeId);
            await using var deployment = await AmpDeployment.OpenAsync(configuration, loggers, cancellationToken);
            await WorkerHost.RunAsync(deployment, id, loggers, cancellationToken);
        }));
        return command;
    }
}
