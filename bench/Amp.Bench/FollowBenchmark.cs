using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Amp.Configuration;
using Amp.Datasets;
using Amp.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Bench;

/// <summary>
/// <c>follow</c>: how far a job that follows a fast chain is behind it, and what memory it takes. Lag is the age of the oldest
/// block that is not committed: files on disk, rows in the database.
/// </summary>
internal static class FollowBenchmark
{
    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(100);

    public static Command Create()
    {
        var seconds = new Option<int>("--seconds") { Description = "How long to follow.", DefaultValueFactory = _ => 120 };
        var blockTime = new Option<int>("--block-time-ms") { Description = "Time between blocks, in milliseconds.", DefaultValueFactory = _ => 20 };
        var transactions = new Option<int>("--transactions") { Description = "Mean number of transactions in a block.", DefaultValueFactory = _ => 12 };
        var flush = new Option<double>("--flush-seconds") { Description = "Longest time before blocks become files.", DefaultValueFactory = _ => 1 };
        var command = new Command("follow", "Lag and memory of a job that follows a fast chain.") { seconds, blockTime, transactions, flush };
        command.SetAction((arguments, cancellationToken) => RunAsync(
            TimeSpan.FromSeconds(arguments.GetValue(seconds)), TimeSpan.FromMilliseconds(arguments.GetValue(blockTime)),
            arguments.GetValue(transactions), arguments.GetValue(flush), cancellationToken));
        return command;
    }

    private static async Task RunAsync(TimeSpan duration, TimeSpan blockTime, int transactions, double flushSeconds, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        using var chain = await ChainProcess.StartAsync(
            "--blocks", "1", "--block-time", blockTime.TotalSeconds.ToString(CultureInfo.InvariantCulture),
            "--transactions", transactions.ToString(CultureInfo.InvariantCulture));
        await using (var file = File.CreateText(Path.Combine(folder.Path, "config.toml")))
        {
            AmpConfiguration.WriteTemplate(file, new Dictionary<string, string>
            {
                ["poll_interval_secs"] = "0.1",
                ["writer.segment_flush_interval_secs"] = flushSeconds.ToString(CultureInfo.InvariantCulture),
            });
        }

        await using var deployment = await AmpDeployment.OpenSoloAsync(folder.Path, NullLoggerFactory.Instance, cancellationToken);
        await deployment.Client.RegisterProviderAsync(
            new ProviderConfig { Name = "chain", Kind = "evm-rpc", Network = "bench", Url = Secret.ForUrl(chain.Url.ToString()) }, overwrite: false, cancellationToken);
        var dataset = DatasetReference.Parse("bench/follow");
        await deployment.Client.RegisterDatasetAsync(dataset, EvmRpcManifest.Generate("bench").ToJson(), cancellationToken);
        await using var worker = await WorkerHost.StartAsync(deployment, "bench", NullLoggerFactory.Instance, cancellationToken);
        var job = await deployment.Client.StartJobAsync(new StartJobRequest(dataset, EndBlock: null), cancellationToken);

        var samples = await SampleAsync(deployment, chain, job.JobId, duration, cancellationToken);
        Report(samples, blockTime, transactions, flushSeconds, await CountFilesAsync(deployment, cancellationToken));
    }

    private static async Task<List<Sample>> SampleAsync(
        AmpDeployment deployment, ChainProcess chain, long jobId, TimeSpan duration, CancellationToken cancellationToken)
    {
        var samples = new List<Sample>();
        var clock = Stopwatch.StartNew();
        using var timer = new PeriodicTimer(SampleInterval);
        using var self = Process.GetCurrentProcess();
        while (clock.Elapsed < duration && await timer.WaitForNextTickAsync(cancellationToken))
        {
            var progress = await deployment.Client.GetJobProgressAsync(jobId, cancellationToken);
            if (progress.Status is not (AmpJobStatus.Scheduled or AmpJobStatus.Running))
            {
                throw new InvalidOperationException($"the job ended as {progress.Status}: {progress.ErrorMessage}");
            }

            var head = await chain.GetHeadAsync(cancellationToken);
            self.Refresh();
            var committed = progress.Tables.Count == 0 ? null : progress.Tables.Min(table => table.CurrentBlock);
            samples.Add(new Sample(clock.Elapsed, head, committed, self.WorkingSet64, GC.GetTotalMemory(forceFullCollection: false)));
        }

        return samples;
    }

    private static void Report(List<Sample> samples, TimeSpan blockTime, int transactions, double flushSeconds, long files)
    {
        // The first seconds are the start of everything.
        var settled = samples.Where(sample => sample is { At.TotalSeconds: > 5, Committed: not null }).ToList();
        var lags = settled.ConvertAll(sample => Lag(samples, sample)).Order().ToList();
        var behind = settled.Select(sample => (double)(sample.Head - Math.Min(sample.Head, sample.Committed!.Value))).Order().ToList();
        Table.WriteConditions("follow: a job that follows a fast chain");
        Table.Write("chain", $"a block every {blockTime.TotalMilliseconds:0} ms, {transactions} transactions each, in a process of its own");
        Table.Write("settings", $"poll_interval_secs = 0.1, segment_flush_interval_secs = {flushSeconds}");
        Table.Write("followed for", $"{samples[^1].At.TotalSeconds:0} s");
        Table.Write("blocks produced / committed", $"{samples[^1].Head} / {samples[^1].Committed}, in {files} files");
        Table.Write("lag, seconds: p50 / p95 / max", $"{Percentile(lags, 0.5):0.00} / {Percentile(lags, 0.95):0.00} / {lags[^1]:0.00}");
        Table.Write("lag, blocks: p50 / p95 / max", $"{Percentile(behind, 0.5):0} / {Percentile(behind, 0.95):0} / {behind[^1]:0}");
        foreach (var share in new[] { 0.1, 0.5, 1.0 })
        {
            var sample = samples[(int)((samples.Count - 1) * share)];
            Table.Write($"memory at {sample.At.TotalSeconds:0} s", $"{sample.WorkingSet / 1048576.0:0} MiB, of which heap {sample.Heap / 1048576.0:0} MiB");
        }

        Table.Write("memory, highest", $"{samples.Max(sample => sample.WorkingSet) / 1048576.0:0} MiB");
        Table.Write("memory, growth in the second half", $"{Slope(samples[(samples.Count / 2)..]) * 60 / 1048576.0:0.0} MiB a minute");
    }

    /// <summary>Age of the first block that is not committed: since when the head was higher than what is.</summary>
    private static double Lag(List<Sample> samples, Sample sample) => sample.Head <= sample.Committed
        ? 0
        : (sample.At - samples.First(earlier => earlier.Head > sample.Committed).At).TotalSeconds;

    private static double Percentile(List<double> sorted, double share) => sorted[(int)((sorted.Count - 1) * share)];

    /// <summary>Bytes of working set a second, by least squares.</summary>
    private static double Slope(List<Sample> samples)
    {
        var (meanAt, meanSize) = (samples.Average(sample => sample.At.TotalSeconds), samples.Average(sample => (double)sample.WorkingSet));
        return samples.Sum(sample => (sample.At.TotalSeconds - meanAt) * (sample.WorkingSet - meanSize))
            / samples.Sum(sample => Math.Pow(sample.At.TotalSeconds - meanAt, 2));
    }

    private static async Task<long> CountFilesAsync(AmpDeployment deployment, CancellationToken cancellationToken)
    {
        var files = 0L;
        await foreach (var table in deployment.Client.GetTablesAsync(cancellationToken))
        {
            files += table.FilesCount;
        }

        return files;
    }

    private sealed record Sample(TimeSpan At, ulong Head, ulong? Committed, long WorkingSet, long Heap);
}
