using System.CommandLine;
using Amp.Events;

namespace Amp.Daemon;

/// <summary><c>ampd dev-broker</c>: a development Kafka broker until Ctrl+C.</summary>
internal static class DevBrokerCommand
{
    public static Command Create()
    {
        var topic = new Option<string>("--topic") { Description = "Topic to make.", DefaultValueFactory = _ => "amp.worker.events" };
        var partitions = new Option<int>("--partitions") { Description = "Its partitions.", DefaultValueFactory = _ => 16 };
        var port = new Option<int?>("--port") { Description = "Port on 127.0.0.1; a free one when left out." };
        var command = new Command("dev-broker", "Runs a Kafka broker in memory on loopback.") { topic, partitions, port };
        command.SetAction((arguments, cancellationToken) => CommandRunner.RunAsync(async () =>
        {
            await using var broker = await DevBroker.StartAsync(
                new DevBrokerOptions
                {
                    Topics = [new DevBrokerTopic(arguments.GetValue(topic)!, arguments.GetValue(partitions))],
                    Port = arguments.GetValue(port),
                },
                cancellationToken: cancellationToken);
            Console.WriteLine($"{broker.BootstrapServers} serves topic {arguments.GetValue(topic)}; Ctrl+C stops it");
            await Task.Delay(Timeout.Infinite, cancellationToken).ContinueWith(static _ => { }, TaskScheduler.Default);
        }));
        return command;
    }
}
