using System.CommandLine;
using Amp.Hosting;

namespace Amp.Daemon;

/// <summary><c>ampd migrate</c>: creates or updates the tables of the metadata database.</summary>
internal static class MigrateCommand
{
    public static Command Create()
    {
        var config = Options.Config();
        var command = new Command("migrate", "Creates or updates the tables of the metadata database.") { config };
        command.SetAction((arguments, cancellationToken) => CommandRunner.RunAsync(async () =>
        {
            var configuration = AmpDeployment.FindConfiguration(arguments.GetValue(config), Environment.CurrentDirectory);
            var applied = await AmpDeployment.MigrateAsync(configuration, cancellationToken);
            foreach (var migration in applied)
            {
                Console.WriteLine($"applied {migration}");
            }

            Console.WriteLine($"{AmpDeployment.DatabaseName(configuration)} is up to date");
        }));
        return command;
    }
}
