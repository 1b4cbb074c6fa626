using System.CommandLine;
using System.Diagnostics;
using Amp.Bench;

Command[] benchmarks =
[
    ExtractionBenchmark.Create(),
    FollowBenchmark.Create(),
    FleetBenchmark.Create(),
    HeartbeatBenchmark.Create(),
    SegmentsBenchmark.Create(),
    NotifyBenchmark.Create(),
    EventsBenchmark.Create(),
    JobsBenchmark.Create(),
    ImportBenchmark.Create(),
];
var all = new Command("all", "All of these, each in a process of its own.");
all.SetAction(async (_, cancellationToken) =>
{
    foreach (var benchmark in benchmarks)
    {
        using var process = Process.Start(Environment.ProcessPath!, [benchmark.Name]);
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
        {
            return process.ExitCode;
        }
    }

    return 0;
});
var root = new RootCommand("Measures Amp on this machine. Each benchmark prints a table and the conditions it ran under.") { all, ExtractionBenchmark.CreateStage() };
foreach (var benchmark in benchmarks)
{
    root.Add(benchmark);
}

return await root.Parse(args).InvokeAsync();
