using System.CommandLine;
using System.Diagnostics;
using Amp.Hosting;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Bench;

/// <summary>
/// <c>fleet</c>: many workers whose heartbeats go to one database, how long it takes to list them meanwhile, and how long the shell takes
/// to list many more. The workers are simulated: their heartbeats are the real statements, sent over a few connections.
/// </summary>
internal static class FleetBenchmark
{
    private const int Connections = 16;
    private const int Listings = 21;

    public static Command Create()
    {
        var workers = new Option<int>("--workers") { Description = "How many workers.", DefaultValueFactory = _ => 2_000 };
        var seconds = new Option<int>("--seconds") { Description = "For how long.", DefaultValueFactory = _ => 30 };
        var listed = new Option<int>("--listed") { Description = "How many workers the shell lists.", DefaultValueFactory = _ => 10_000 };
        var module = Shell.NewModuleOption();
        var command = new Command("fleet", "Heartbeats of many workers, and listing them, also in PowerShell where there is one.") { workers, seconds, listed, module };
        command.SetAction(async (arguments, cancellationToken) =>
        {
            await RunAsync(arguments.GetValue(workers), TimeSpan.FromSeconds(arguments.GetValue(seconds)), cancellationToken);
            await ListInShellAsync(arguments.GetValue(listed), arguments.GetValue(module)!.FullName, cancellationToken);
        });
        return command;
    }

    private static async Task RunAsync(int workers, TimeSpan duration, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        await using var deployment = await AmpDeployment.OpenSoloAsync(folder.Path, NullLoggerFactory.Instance, cancellationToken);
        var registered = await RegisterAsync(deployment.Database, workers, cancellationToken);
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        time.CancelAfter(duration);
        var beats = Enumerable.Range(0, Connections).Select(part => BeatAsync(deployment.Database, part, registered, time.Token)).ToArray();
        var (listings, ages) = await ListAsync(deployment, time.Token);
        var counts = await Task.WhenAll(beats);
        var dead = await deployment.Database.RunAsync(
            "counting dead rows", connection => connection.ScalarAsync<long>("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'workers'", [], cancellationToken),
            null, cancellationToken);

        Table.WriteConditions("fleet: heartbeats of many workers");
        Table.Write("workers", $"{workers}, simulated over {Connections} connections, for {duration.TotalSeconds:0} s");
        Table.Write("heartbeats", $"{counts.Sum() / duration.TotalSeconds:0} a second");
        Table.Write("listing all, ms: p50 / max", $"{listings[listings.Count / 2]:0} / {listings[^1]:0}, {listings.Count} times");
        Table.Write("oldest heartbeat seen", $"{ages:0.00} s");
        Table.Write("dead rows in the end", $"{dead}");
    }

    /// <summary>Lists workers with the cmdlet, in a shell that has listed them before.</summary>
    private static async Task ListInShellAsync(int workers, string module, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        await using var deployment = await AmpDeployment.OpenSoloAsync(folder.Path, NullLoggerFactory.Instance, cancellationToken);
        await RegisterAsync(deployment.Database, workers, cancellationToken);
        var output = await Shell.RunAsync(
            $$"""
            Import-Module '{{module}}'
            $null = Connect-Amp '{{deployment.Configuration.Path}}'
            if (@(Get-AmpWorker).Count -ne {{workers}}) { exit 1 }
            $times = foreach ($i in 1..{{Listings}}) { (Measure-Command { Get-AmpWorker | Where-Object HeartbeatAge -gt 1.00:00:00 }).TotalMilliseconds }
            $first = foreach ($i in 1..{{Listings}}) { (Measure-Command { Get-AmpWorker | Select-Object -First 1 }).TotalMilliseconds }
            [string]::Format([cultureinfo]::InvariantCulture, '{0:0} ms; the first of them {1:0.0} ms', ($times | Sort-Object)[{{Listings / 2}}], ($first | Sort-Object)[{{Listings / 2}}])
            """, cancellationToken);
        Table.Write($"Get-AmpWorker | Where-Object, {workers} workers", $"{output ?? "not measured: there is no pwsh"}");
    }

    private static async Task<DateTimeOffset[]> RegisterAsync(MetadataDatabase database, int workers, CancellationToken cancellationToken)
    {
        var registered = new DateTimeOffset[workers];
        for (var i = 0; i < workers; i++)
        {
            registered[i] = await database.Workers.RegisterAsync(Name(i), new AmpBuildInfo("v1", null, null, null), cancellationToken);
        }

        return registered;
    }

    /// <summary>Sends the heartbeats of each sixteenth worker, all once a second.</summary>
    private static async Task<long> BeatAsync(MetadataDatabase database, int part, DateTimeOffset[] registered, CancellationToken cancellationToken)
    {
        var count = 0L;
        await using var connection = await database.OpenDedicatedAsync("beating", CancellationToken.None);
        var clock = Stopwatch.StartNew();
        for (var round = 1; !cancellationToken.IsCancellationRequested; round++)
        {
            for (var i = part; i < registered.Length; i += Connections)
            {
                await using var heartbeat = WorkersTable.HeartbeatCommand(connection, Name(i), registered[i]);
                count += await heartbeat.ExecuteNonQueryAsync(CancellationToken.None);
            }

            var pause = TimeSpan.FromSeconds(round) - clock.Elapsed;
            await Task.Delay(pause > TimeSpan.Zero ? pause : TimeSpan.Zero, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return count;
    }

    private static async Task<(List<double> Milliseconds, double OldestSeconds)> ListAsync(AmpDeployment deployment, CancellationToken cancellationToken)
    {
        var (listings, oldest) = (new List<double>(), 0.0);
        await Task.Delay(TimeSpan.FromSeconds(2), cancellationToken);
        while (!cancellationToken.IsCancellationRequested)
        {
            var start = Stopwatch.GetTimestamp();
            await foreach (var worker in deployment.Client.GetWorkersAsync(CancellationToken.None))
            {
                oldest = Math.Max(oldest, worker.HeartbeatAge.TotalSeconds);
            }

            listings.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            await Task.Delay(TimeSpan.FromMilliseconds(200), cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        listings.Sort();
        return (listings, oldest);
    }

    private static string Name(int number) => $"worker-{number:D5}";
}
