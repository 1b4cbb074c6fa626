using System.CommandLine;
using Amp.Hosting;

namespace Amp.Daemon;

/// <summary><c>ampd solo</c>: a private PostgreSQL server, a worker and a controller, everything below one folder.</summary>
internal static class SoloCommand
{
    public static Command Create()
    {
        var logLevel = Options.LogLevel();
        var ampDir = new Option<string>("--amp-dir")
        {
            Description = "Folder of everything that solo mode keeps; made when it is not there.",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable("AMP_DIR") is { Length: > 0 } folder ? folder : ".amp",
        };
        var nodeId = new Option<string>("--node-id")
        {
            Description = "The worker's name.",
            DefaultValueFactory = _ => "worker",
        };
        var command = new Command("solo", "Runs a worker and a controller with a private PostgreSQL server until it is told to stop.") { ampDir, nodeId, logLevel };
        command.SetAction((arguments, cancellationToken) => CommandRunner.RunAsync(async () =>
        {
            using var loggers = CommandRunner.CreateLoggers(arguments.GetValue(logLevel));
            var id = WorkerHost.RequireNodeId(arguments.GetValue(nodeId));
            await using var deployment = await AmpDeployment.OpenSoloAsync(
                Path.GetFullPath(arguments.GetValue(ampDir)!), loggers, cancellationToken);
            await using var controller = await ControllerHost.StartSoloAsync(deployment, loggers, cancellationToken);
            await WorkerHost.RunAsync(deployment, id, loggers, cancellationToken);
        }));
        return command;
    }
}
