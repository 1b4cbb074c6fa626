using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Amp.Configuration;
using Amp.Datasets;
using Amp.Events;
using Amp.Extraction.DevChains;
using Amp.Hosting;
using Amp.Internal;
using Microsoft.Extensions.Logging;

namespace Amp.Daemon;

/// <summary><c>ampd demo</c>: everything on this machine once, from a chain to Parquet files and events.</summary>
internal static class DemoCommand
{
    private const string Dataset = "demo/devnet";

    public static Command Create()
    {
        var blocks = new Option<int>("--blocks") { Description = "Number of blocks to extract.", DefaultValueFactory = _ => 2_000 };
        var folder = new Option<string>("--path")
        {
            Description = "Folder to work in; what an earlier run left there is replaced.",
            DefaultValueFactory = _ => Path.Combine("artifacts", "demo"),
        };
        var command = new Command("demo", "Shows Amp end to end on loopback: chain, broker, database, worker, Parquet, events.") { blocks, folder };
        command.SetAction((arguments, cancellationToken) => CommandRunner.RunAsync(
            () => RunAsync(arguments.GetValue(blocks), Path.GetFullPath(arguments.GetValue(folder)!), cancellationToken)));
        return command;
    }

    private static async Task RunAsync(int blocks, string folder, CancellationToken cancellationToken)
    {
        var started = Stopwatch.StartNew();
        using var loggers = CommandRunner.CreateLoggers(LogLevel.Warning);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.CreateDirectory(folder);
        Step("A chain and a Kafka broker on loopback");
        await using var chain = await DevChain.StartAsync(new DevChainOptions { BlockCount = blocks }, cancellationToken);
        await using var broker = await DevBroker.StartAsync(new DevBrokerOptions(), cancellationToken: cancellationToken);
        Say($"chain {chain.ChainId} with blocks 0 to {chain.Head} at {chain.Url}");
        Say($"broker at {broker.BootstrapServers}");

        Step("A worker with a PostgreSQL server of its own (solo mode)");
        WriteConfiguration(folder, broker);
        await using var deployment = await AmpDeployment.OpenSoloAsync(folder, loggers, cancellationToken);
        await using var worker = await WorkerHost.StartAsync(deployment, "worker-01", loggers, cancellationToken);
        Say($"worker {worker.NodeId} is registered at {deployment.Connection.MetadataDb}");

        Step("A provider, a dataset, a job");
        await deployment.Client.RegisterProviderAsync(
            new ProviderConfig { Name = "devchain", Kind = "evm-rpc", Network = "devnet", Url = Secret.ForUrl(chain.Url.ToString()) },
            overwrite: false, cancellationToken);
        var reference = DatasetReference.Parse(Dataset);
        var registered = await deployment.Client.RegisterDatasetAsync(
            reference, EvmRpcManifest.Generate("devnet").ToJson(), cancellationToken);
        Say($"dataset {registered}, manifest {_Format.ShortHash(registered.ManifestHash)}");
        var extraction = Stopwatch.StartNew();
        var job = await deployment.Client.StartJobAsync(
            new StartJobRequest(reference, (blocks - 1).ToString(CultureInfo.InvariantCulture)), cancellationToken);
        await foreach (var table in JobWatch.FollowAsync(deployment.Client, job.JobId, TimeProvider.System, cancellationToken))
        {
            Say($"job {table.JobId} {table.Status,-9} {table.Table,-12} block {table.CurrentBlock,6} of {table.EndBlock}  "
                + $"{table.FilesCount,3} files {_Format.Size(table.TotalSizeBytes),10}  {_Format.Rate(table.BlocksPerSecond)}");
        }

        extraction.Stop();
        job = await deployment.Client.GetJobAsync(job.JobId, cancellationToken);
        Require(job.Status == AmpJobStatus.Completed, $"job {job.JobId} ended as {job.Status}: {job.ErrorMessage}");

        Step("What was written");
        string? example = null;
        await foreach (var table in deployment.Client.GetTablesAsync(cancellationToken))
        {
            var files = await deployment.Tables.GetFilesAsync(table, cancellationToken)
                .Select(async (file, token) => await deployment.Tables.WithRowCountAsync(file, token)).ToListAsync(cancellationToken);
            Say($"{table.Table,-12} {files.Sum(file => file.RowCount),8} rows {files.Count,3} files {files.Sum(file => file.Size),10} bytes");
            example = Path.GetDirectoryName(files[0].FullName);
            Require(table.Table != "blocks" || files.Sum(file => file.RowCount) == blocks, $"the files do not hold {blocks} blocks");
        }

        var seconds = extraction.Elapsed.TotalSeconds;
        Say(string.Create(CultureInfo.InvariantCulture, $"{blocks} blocks in {seconds:0.0} s: {blocks / seconds:0} blocks/s"));

        Step("The events it told Kafka, read back");
        await worker.FlushEventsAsync(TimeSpan.FromSeconds(5), cancellationToken);
        var events = await new SyncEventReader(deployment.RequireKafka()).ReadAsync(new SyncEventReadOptions(), cancellationToken)
            .Select(result => result.Event ?? throw result.Error!).ToListAsync(cancellationToken);
        foreach (var kind in events.CountBy(e => e.EventType))
        {
            Say($"{kind.Value,4} {kind.Key}");
        }

        foreach (var kind in new[] { "sync.started", "sync.progress", "sync.completed" })
        {
            Require(events.Any(e => e.EventType == kind), $"no {kind} event came back from Kafka");
        }

        Step("To look further");
        Say($"duckdb -c \"SELECT block_num, count(*) FROM '{example}/*.parquet' GROUP BY 1 ORDER BY 2 DESC LIMIT 10\"");
        Say("artifacts/ampd/ampd --help");
        Say(string.Create(CultureInfo.InvariantCulture,
            $"done in {started.Elapsed.TotalSeconds:0} s; the Parquet files stay in {deployment.Configuration.DataDir}"));
    }

    private static void WriteConfiguration(string folder, DevBroker broker)
    {
        using var file = File.CreateText(Path.Combine(folder, "config.toml"));
        AmpConfiguration.WriteTemplate(file, new Dictionary<string, string>
        {
            ["writer.segment_flush_interval_secs"] = "1",
            ["worker_events.enabled"] = "true",
            ["worker_events.progress_interval"] = "1",
            ["worker_events.kafka.brokers"] = broker.BootstrapServers,
        });
    }

    private static void Step(string text) => Console.WriteLine($"\n== {text}");

    private static void Say(string text) => Console.WriteLine($"  {text}");

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new AmpException("DemoFailed", AmpErrorKind.Internal, otherwise);
        }
    }
}
