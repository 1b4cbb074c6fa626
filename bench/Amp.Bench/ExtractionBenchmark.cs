using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Amp.Extraction.EvmRpc;

namespace Amp.Bench;

/// <summary><c>extraction</c>: what each stage from a node's answers to committed files costs.</summary>
internal static class ExtractionBenchmark
{
    public static Command Create()
    {
        var blocks = new Option<int>("--blocks") { Description = "Number of distinct blocks.", DefaultValueFactory = _ => 500 };
        var passes = new Option<int>("--passes") { Description = "How often each stage is measured.", DefaultValueFactory = _ => 5 };
        var command = new Command("extraction", "What each stage from a node's answers to committed files costs.") { blocks, passes };
        command.SetAction((arguments, cancellationToken) => RunAsync(arguments.GetValue(blocks), arguments.GetValue(passes), cancellationToken));
        return command;
    }

    /// <summary>A stage that has a process of its own; prints its result.</summary>
    public static Command CreateStage()
    {
        var stage = new Argument<string>("stage");
        var url = new Argument<string>("url");
        var blocks = new Argument<int>("blocks");
        var command = new Command("extraction-stage", "One stage of extraction.") { stage, url, blocks };
        command.Hidden = true;
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var stages = new HttpStages(new Uri(arguments.GetRequiredValue(url)), arguments.GetValue(blocks));
            var result = arguments.GetValue(stage) switch
            {
                "drain" => await stages.DrainAsync(),
                "tokens" => await stages.ReadTokensAsync(),
                _ => await stages.WorkAsync(cancellationToken),
            };
            Console.WriteLine(JsonSerializer.Serialize(result));
        });
        return command;
    }

    private static async Task<StageResult> RunStageAsync(string stage, Uri url, int blocks)
    {
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["extraction-stage", stage, url.ToString(), blocks.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return JsonSerializer.Deserialize<StageResult>(output)!;
    }

    private static async Task RunAsync(int blocks, int passes, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        using var chain = await ChainProcess.StartAsync(
            "--replay", Path.GetFullPath("tests/fixtures/evm/mainnet-15000000.block.json"), "--blocks", blocks.ToString(CultureInfo.InvariantCulture));
        await RecordAsync(chain.Url, blocks, folder.Path, cancellationToken);
        var stages = MemoryStages.Load(folder.Path);
        Table.WriteConditions("extraction");
        Table.Write("blocks", $"{stages.Count}, {stages.ByteCount / 1e6 / stages.Count:0.00} MB of JSON each");
        for (var pass = 0; pass < passes; pass++)
        {
            foreach (var stage in new[] { "drain", "tokens", "worker" })
            {
                Print(stage, await RunStageAsync(stage, chain.Url, blocks));
            }
        }

        await stages.ReadTokensAsync(1);
        await stages.DecodeAsync(1);
        await stages.WriteAsync(1);
        for (var pass = 0; pass < passes; pass++)
        {
            var t0 = await stages.ReadTokensAsync(1);
            var t1 = await stages.DecodeAsync(1);
            var t2 = await stages.WriteAsync(1);
            Print("T0", t0);
            Print("T1", t1);
            Print("T2", t2);
            Console.WriteLine($"T1/T0 {t1.Rate / t0.Rate:0.00}");
        }
    }

    private static void Print(string name, StageResult r) => Table.Write(
        name, $"{r.Rate:0} blocks/s, {r.CpuPerThousand:0.00} CPU s/1000, {r.AllocatedBytes / (double)r.Blocks:0} bytes allocated/block, {r.OutputBytes / (double)r.Blocks:0} bytes/block, {r.PeakMegabytes:0} MB");

    private static async Task RecordAsync(Uri url, int blocks, string folder, CancellationToken cancellationToken)
    {
        using var http = new HttpClient();
        for (var number = 0; number < blocks; number++)
        {
            foreach (var (method, suffix, parameters) in new (string, string, object[])[]
            {
                ("eth_getBlockByNumber", "block", [$"0x{number:x}", true]), ("eth_getBlockReceipts", "receipts", [$"0x{number:x}"]),
            })
            {
                using var response = await http.PostAsJsonAsync(url, new { jsonrpc = "2.0", id = 1, method, @params = parameters }, cancellationToken);
                var answer = await response.Content.ReadAsByteArrayAsync(cancellationToken);
                var item = RpcEnvelope.Read(answer)[0];
                await File.WriteAllBytesAsync(Path.Combine(folder, $"{number}.{suffix}.json"), answer.AsMemory(item.Result), cancellationToken);
            }
        }
    }
}
