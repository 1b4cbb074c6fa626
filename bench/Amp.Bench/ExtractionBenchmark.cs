using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Amp.Bench;

/// <summary>
/// <c>extraction</c>: what each stage from a node's answers to committed files takes, beside what it cannot be faster than and what other
/// programs take for the same blocks. The chain is a recorded block of mainnet, varied for each number, in a process of its own; so are
/// the stages that fetch from it, and the peers.
/// </summary>
internal static class ExtractionBenchmark
{
    private const string Recording = "tests/fixtures/evm/mainnet-15000000.block.json";

    // SQD's SDK leaves out receipts of block 0.
    private const int FirstBlock = 1;
    private const int SquidBlocks = 200;
    private const int GrowthFactor = 10;

    public static Command Create()
    {
        var blocks = new Option<int>("--blocks") { Description = "Number of distinct blocks that are taken from memory, and from files by DuckDB.", DefaultValueFactory = _ => 500 };
        var fetched = new Option<int>("--fetched") { Description = "Number of blocks that are fetched over HTTP, once all is warm.", DefaultValueFactory = _ => 5_000 };
        var warmUp = new Option<int>("--warm-up") { Description = "Number of blocks that are fetched before that.", DefaultValueFactory = _ => 4_000 };
        var passes = new Option<int>("--passes") { Description = "How often each is measured; the medians count.", DefaultValueFactory = _ => 5 };
        var command = new Command("extraction", "What each stage from a node's answers to committed files takes, beside other programs.") { blocks, fetched, warmUp, passes };
        command.SetAction((arguments, cancellationToken) => RunAsync(
            arguments.GetValue(blocks), arguments.GetValue(fetched), arguments.GetValue(warmUp), arguments.GetValue(passes), cancellationToken));
        return command;
    }

    /// <summary>A stage that has a process of its own, and prints its result.</summary>
    public static Command CreateStage()
    {
        var (stage, url) = (new Argument<string>("stage"), new Argument<string>("url"));
        var (blocks, warmUp) = (new Argument<int>("blocks"), new Argument<int>("warm-up"));
        var command = new Command("extraction-stage", "One stage of extraction.") { stage, url, blocks, warmUp };
        command.Hidden = true;
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var stages = new HttpStages(new Uri(arguments.GetRequiredValue(url)), arguments.GetValue(blocks), arguments.GetValue(warmUp));
            Console.WriteLine(JsonSerializer.Serialize(arguments.GetValue(stage) switch
            {
                "drain" => await stages.DrainAsync(),
                "tokens" => await stages.ReadTokensAsync(),
                _ => await stages.WorkAsync(cancellationToken),
            }));
        });
        return command;
    }

    private static async Task RunAsync(int blocks, int fetched, int warmUp, int passes, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        var answers = Path.Combine(folder.Path, "answers");
        Table.WriteConditions("extraction: from a node's answers to committed files");
        await Peers.InstallAsync(cancellationToken);
        using var chain = await ChainProcess.StartAsync(
            "--replay", Path.GetFullPath(Recording), "--blocks", $"{FirstBlock + Math.Max(Math.Max(blocks, warmUp), Math.Max(GrowthFactor * 1_000, fetched))}");
        await chain.WriteAnswersAsync(answers, FirstBlock, FirstBlock + blocks - 1, cancellationToken);

        var (memory, whole) = (MemoryStages.Load(answers, FirstBlock), Environment.ProcessorCount);
        Table.Write("blocks", $"{Recording}, varied by seed 1; {memory.ByteCount / 1e6 / memory.Count:0.00} MB of JSON each");
        Table.Write("passes", $"{passes}, of {blocks} blocks from memory and {fetched} over HTTP, after {warmUp}; medians");
        var results = new Results();
        await memory.WriteAsync(whole);
        for (var pass = 0; pass < passes; pass++)
        {
            foreach (var threads in new[] { 1, whole }.Distinct())
            {
                results.Add($"tokens, {threads} threads", await memory.ReadTokensAsync(threads));
                results.Add($"decode, {threads} threads", await memory.DecodeAsync(threads));
                results.Add($"decode, encode, write, {threads} threads", await memory.WriteAsync(threads));
            }
        }

        memory = null;
        GC.Collect();
        for (var pass = 0; pass < passes; pass++)
        {
            results.Add("HTTP", await RunStageAsync("drain", chain.Url, fetched, warmUp));
            results.Add("HTTP, tokens", await RunStageAsync("tokens", chain.Url, fetched, warmUp));
            results.Add("HTTP, worker", await RunStageAsync("worker", chain.Url, fetched, warmUp));
        }

        results.Add("worker, 1,000 blocks", await RunStageAsync("worker", chain.Url, 1_000, warmUp));
        results.Add($"worker, {GrowthFactor * 1_000:n0} blocks", await RunStageAsync("worker", chain.Url, GrowthFactor * 1_000, warmUp));
        for (var pass = 0; pass < passes; pass++)
        {
            foreach (var threads in new[] { 1, whole }.Distinct())
            {
                results.Add($"DuckDB, {threads} threads", await Peers.RunDuckDbAsync(answers, Path.Combine(folder.Path, $"duckdb-{pass}-{threads}"), threads, cancellationToken));
            }
        }

        results.Add("SQD SDK over HTTP", await Peers.RunSquidAsync(chain.Url, FirstBlock, FirstBlock + SquidBlocks - 1, Path.Combine(folder.Path, "squid"), cancellationToken));
        results.Print();
        Compare(results, whole);
    }

    private static void Compare(Results results, int whole)
    {
        Console.WriteLine();
        results.Ratio("decode / tokens, blocks a second", "decode, 1 threads", "tokens, 1 threads", r => r.Rate);
        results.Ratio("the same, whole machine", $"decode, {whole} threads", $"tokens, {whole} threads", r => r.Rate);
        results.Ratio("to files / DuckDB on one thread, CPU", "decode, encode, write, 1 threads", "DuckDB, 1 threads", r => r.CpuPerThousand);
        results.Ratio("Parquet bytes / DuckDB's", "decode, encode, write, 1 threads", "DuckDB, 1 threads", r => r.OutputBytes / (double)r.Blocks);
        results.Ratio("worker / HTTP with tokens, blocks a second", "HTTP, worker", "HTTP, tokens", r => r.Rate);
        results.Ratio("worker / HTTP with tokens, CPU", "HTTP, worker", "HTTP, tokens", r => r.CpuPerThousand);
        results.Ratio("SQD SDK / worker, CPU", "SQD SDK over HTTP", "HTTP, worker", r => r.CpuPerThousand);
        results.Ratio($"{GrowthFactor * 1_000:n0} / 1,000 blocks, seconds", $"worker, {GrowthFactor * 1_000:n0} blocks", "worker, 1,000 blocks", r => r.Seconds);
    }

    private static async Task<StageResult> RunStageAsync(string stage, Uri url, int blocks, int warmUp)
    {
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["extraction-stage", stage, url.ToString(), $"{blocks}", $"{warmUp}"])
        {
            RedirectStandardOutput = true,
        })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? JsonSerializer.Deserialize<StageResult>(output)! : throw new InvalidOperationException($"stage {stage} failed: {output}");
    }

    /// <summary>What was measured, by name, in the order in which it was first.</summary>
    private sealed class Results
    {
        private readonly List<string> _names = [];
        private readonly Dictionary<string, List<StageResult>> _results = [];

        public void Add(string name, StageResult? result)
        {
            if (result is null)
            {
                return;
            }

            if (!_results.TryGetValue(name, out var results))
            {
                _names.Add(name);
                _results[name] = results = [];
            }

            results.Add(result);
        }

        public void Print()
        {
            Console.WriteLine(
                """

                | | blocks a second | CPU s for 1,000 | peak MiB | bytes of output a block | KB allocated a block |
                |---|---|---|---|---|---|
                """);
            foreach (var name in _names)
            {
                var results = _results[name];
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {name} | {Median(results, r => r.Rate):n0} | {Median(results, r => r.CpuPerThousand):0.00} | {results.Max(r => r.PeakMegabytes):0} | {Median(results, r => r.OutputBytes / (double)r.Blocks):n0} | {(results[0].AllocatedBytes is null ? "" : $"{Median(results, r => r.AllocatedBytes!.Value / 1e3 / r.Blocks):0.0}")} |"));
            }
        }

        /// <summary>Prints the median of one over the other, pass by pass where both have as many.</summary>
        public void Ratio(string name, string over, string under, Func<StageResult, double> of)
        {
            if (!_results.TryGetValue(over, out var first) || !_results.TryGetValue(under, out var second))
            {
                Table.Write(name, $"not measured");
                return;
            }

            var ratios = first.Count == second.Count
                ? first.Zip(second, (a, b) => of(a) / of(b)).Order().ToList()
                : [Median(first, of) / Median(second, of)];
            Table.Write(name, $"{ratios[ratios.Count / 2]:0.00} ({ratios[0]:0.00} to {ratios[^1]:0.00})");
        }

        private static double Median(List<StageResult> results, Func<StageResult, double> of) => results.Select(of).Order().ElementAt(results.Count / 2);
    }
}
