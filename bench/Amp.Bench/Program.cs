using System.CommandLine;
using Amp.Bench;

var root = new RootCommand("Measures Amp on this machine. Each benchmark prints a table and the conditions it ran under.")
{
    FollowBenchmark.Create(),
    FleetBenchmark.Create(),
    HeartbeatBenchmark.Create(),
    SegmentsBenchmark.Create(),
    NotifyBenchmark.Create(),
    EventsBenchmark.Create(),
    JobsBenchmark.Create(),
    ImportBenchmark.Create(),
    ExtractionBenchmark.Create(),
    ExtractionBenchmark.CreateStage(),
};
return await root.Parse(args).InvokeAsync();
