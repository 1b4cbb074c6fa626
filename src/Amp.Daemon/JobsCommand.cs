using System.CommandLine;
using Amp.BackgroundJobs;
using Amp.Hosting;

namespace Amp.Daemon;

/// <summary><c>ampd jobs</c>: a worker of background jobs until SIGTERM or Ctrl+C.</summary>
internal static class JobsCommand
{
    public static Command Create()
    {
        var config = Options.Config();
        var logLevel = Options.LogLevel();
        var poolSize = new Option<int?>("--pool-size") { Description = "Jobs to run at once; KAFKA_WORKER_POOL_SIZE and the configuration when left out." };
        var command = new Command("jobs", "Runs a worker of background jobs (e-mails, positions and rewards of campaigns) until it is told to stop.") { poolSize, config, logLevel };
        command.SetAction((arguments, cancellationToken) => CommandRunner.RunAsync(async () =>
        {
            using var loggers = CommandRunner.CreateLoggers(arguments.GetValue(logLevel));
            var configuration = AmpDeployment.FindConfiguration(arguments.GetValue(config), Environment.CurrentDirectory);
            await using var deployment = await AmpDeployment.OpenAsync(configuration, loggers, cancellationToken);
            var options = JobWorkerHost.OptionsOf(configuration);
            options = options with { PoolSize = arguments.GetValue(poolSize) ?? options.PoolSize, RunsCampaigns = true };
            foreach (var line in JobWorkerHost.Describe(deployment, options))
            {
                Console.WriteLine(line);
            }

            await using var host = await JobWorkerHost.StartAsync(deployment, new JobHandlers(), options, loggers, cancellationToken);
            _ = host.Completion.ContinueWith(EndProcess, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            await Task.Delay(Timeout.Infinite, cancellationToken).ContinueWith(static _ => { }, TaskScheduler.Default);
        }));
        return command;
    }

    // At once, for the service manager to start it again: a process that is out of memory might not come to an orderly end.
    private static void EndProcess(Task completion)
    {
        try
        {
            Console.Error.WriteLine($"ampd: {completion.Exception!.InnerException!.Message}");
        }
        finally
        {
            Environment.Exit(1);
        }
    }
}
