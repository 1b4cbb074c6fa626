using System.CommandLine;
using Amp.BackgroundJobs;
using Amp.Events;

namespace Amp.Daemon;

/// <summary><c>ampd dev-broker</c>: a development Kafka broker until Ctrl+C.</summary>
internal static class DevBrokerCommand
{
    public static Command Create()
    {
        var topic = new Option<string[]>("--topic")
        {
            Description = "Topics to make.",
            DefaultValueFactory = _ => ["amp.worker.events", JobTopics.Work, .. JobTopics.Events],
        };
        var partitions = new Option<int>("--partitions") { Description = "Partitions of each.", DefaultValueFactory = _ => 16 };
        var port = new Option<int?>("--port") { Description = "Port on 127.0.0.1; a free one when left out." };
        var command = new Command("dev-broker", "Runs a Kafka broker in memory on loopback.") { topic, partitions, port };
        command.SetAction((arguments, cancellationToken) => CommandRunner.RunAsync(async () =>
        {
            await using var broker = await DevBroker.StartAsync(
                new DevBrokerOptions
                {
                    Topics = [.. arguments.GetValue(topic)!.Select(name => new DevBrokerTopic(name, arguments.GetValue(partitions)))],
                    Port = arguments.GetValue(port),
                },
                cancellationToken: cancellationToken);
            Console.WriteLine($"{broker.BootstrapServers} serves {string.Join(", ", arguments.GetValue(topic)!)}; Ctrl+C stops it");
            await Task.Delay(Timeout.Infinite, cancellationToken).ContinueWith(static _ => { }, TaskScheduler.Default);
        }));
        return command;
    }
}
