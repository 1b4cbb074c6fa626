using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Amp.Events;
using Confluent.Kafka;

namespace Amp.Bench;

/// <summary>
/// <c>events</c>: how fast a topic full of sync events is read, by the reader alone and in the shell, and that the shell's memory does
/// not grow with their number. The broker is librdkafka's mock cluster, in this process.
/// </summary>
internal static class EventsBenchmark
{
    public static Command Create()
    {
        var count = new Option<int>("--count") { Description = "Events on the topic.", DefaultValueFactory = _ => 1_000_000 };
        var module = Shell.NewModuleOption();
        var command = new Command("events", "Reading a topic of sync events, also in PowerShell where there is one.") { count, module };
        command.SetAction((arguments, cancellationToken) => RunAsync(arguments.GetValue(count), arguments.GetValue(module)!, cancellationToken));
        return command;
    }

    private static async Task RunAsync(int count, FileInfo module, CancellationToken cancellationToken)
    {
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions(), cancellationToken: cancellationToken);
        Publish(broker.BootstrapServers, count, cancellationToken);
        Table.WriteConditions($"events: {count} sync events on a topic of 16 partitions");

        var clock = Stopwatch.StartNew();
        var read = await new SyncEventReader(new KafkaEventOptions { Brokers = [broker.BootstrapServers] }).ReadAsync(new SyncEventReadOptions(), cancellationToken).CountAsync(cancellationToken);
        Table.Write("reader alone", $"{Rate(read, clock.Elapsed.TotalSeconds)}");
        foreach (var first in (int[])[count / 10, count])
        {
            if (await InShellAsync(module.FullName, broker.BootstrapServers, first, cancellationToken) is not var (counted, seconds, megabytes))
            {
                Table.Write("Get-AmpSyncEvent | Measure-Object", $"not measured: there is no pwsh");
                return;
            }

            Table.Write("Get-AmpSyncEvent | Measure-Object", $"{Rate(counted, seconds)}, peak memory of the shell {megabytes:0} MB");
        }
    }

    private static string Rate(long count, double seconds) => string.Create(CultureInfo.InvariantCulture, $"{count} events in {seconds:0.0} s, {count / seconds:0} a second");

    private static void Publish(string broker, int count, CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>
        {
            ["bootstrap.servers"] = broker, ["compression.type"] = "gzip", ["linger.ms"] = "200", ["batch.size"] = "900000", ["batch.num.messages"] = "10000",
            ["queue.buffering.max.messages"] = "200000", ["partitioner"] = "murmur2_random",
        };
        using var producer = new ProducerBuilder<string, byte[]>(settings).Build();
        var tables = Enumerable.Range(0, 200).Select(i => new SyncTable("ethereum", $"net{i}", new string('a', 64), "blocks")).ToArray();
        for (var i = 0; i < count; i++)
        {
            var table = tables[i % tables.Length];
            var progress = new SyncProgress(i % 1000, table, 0, (ulong)i, (ulong)count, (ulong)(i / 100), (ulong)i * 1000);
            var message = new Message<string, byte[]> { Key = table.Key, Value = SyncEventWire.Encode(progress, Guid.CreateVersion7(), DateTimeOffset.UtcNow, "bench") };
            while (true)
            {
                try
                {
                    producer.Produce("amp.worker.events", message);
                    break;
                }
                catch (ProduceException<string, byte[]> e) when (e.Error.Code == ErrorCode.Local_QueueFull)
                {
                    producer.Poll(TimeSpan.FromMilliseconds(50));
                }
            }
        }

        producer.Flush(cancellationToken);
    }

    /// <summary>Reads in PowerShell; null when there is none here.</summary>
    private static async Task<(long Count, double Seconds, double Megabytes)?> InShellAsync(string module, string broker, int first, CancellationToken cancellationToken)
    {
        var script = $$"""
            Import-Module '{{module}}'
            $clock = [Diagnostics.Stopwatch]::StartNew()
            $count = (Get-AmpSyncEvent -FromBeginning -BootstrapServers {{broker}} -First {{first}} | Measure-Object).Count
            [string]::Format([cultureinfo]::InvariantCulture, '{0} {1} {2}', $count, $clock.Elapsed.TotalSeconds, (Get-Process -Id $PID).PeakWorkingSet64 / 1MB)
            """;
        if (await Shell.RunAsync(script, cancellationToken) is not { } output)
        {
            return null;
        }

        var figures = output.Split(' ').Select(figure => double.Parse(figure, CultureInfo.InvariantCulture)).ToArray();
        return ((long)figures[0], figures[1], figures[2]);
    }
}
