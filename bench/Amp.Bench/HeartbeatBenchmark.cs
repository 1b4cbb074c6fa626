using System.CommandLine;
using Amp.Extraction.Crypto;
using Amp.Hosting;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Bench;

/// <summary>
/// <c>heartbeat</c>: how late a worker's heartbeat is while its process is starved: every core computes, the thread pool is full of
/// blocked work, and the garbage collector is kept busy.
/// </summary>
internal static class HeartbeatBenchmark
{
    public static Command Create()
    {
        var seconds = new Option<int>("--seconds") { Description = "For how long.", DefaultValueFactory = _ => 120 };
        var command = new Command("heartbeat", "Heartbeats of a worker whose process is starved.") { seconds };
        command.SetAction((arguments, cancellationToken) => RunAsync(TimeSpan.FromSeconds(arguments.GetValue(seconds)), cancellationToken));
        return command;
    }

    private static async Task RunAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        await using var deployment = await AmpDeployment.OpenSoloAsync(folder.Path, NullLoggerFactory.Instance, cancellationToken);

        // The database notes each heartbeat when it comes; to ask it meanwhile would be starved too.
        await deployment.Database.RunAsync(
            "watching the heartbeats",
            connection => connection.ExecuteAsync(
                """
                CREATE TABLE beats (at timestamptz);
                CREATE FUNCTION beat() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO beats VALUES (clock_timestamp()); RETURN NULL; END $$;
                CREATE TRIGGER beat AFTER UPDATE ON workers FOR EACH ROW EXECUTE FUNCTION beat();
                """, [], cancellationToken),
            null, cancellationToken);
        await using var worker = await WorkerHost.StartAsync(deployment, "bench", NullLoggerFactory.Instance, cancellationToken);
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var cores = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => Start(() => Compute(time.Token))).ToArray();
        for (var i = 0; i < 1_000; i++)
        {
            ThreadPool.QueueUserWorkItem(_ => time.Token.WaitHandle.WaitOne());
        }

        // On a thread of its own, since nothing of the pool can be had.
        Start(() => Thread.Sleep(duration)).Join();
        await time.CancelAsync();
        Array.ForEach(cores, core => core.Join());

        var (count, longest) = await deployment.Database.RunAsync(
            "reading the heartbeats",
            async connection => (await connection.QueryAsync(
                "SELECT count(*), max(extract(epoch FROM at - before))::float8 FROM (SELECT at, lag(at) OVER (ORDER BY at) AS before FROM beats) b",
                [], reader => (reader.GetInt64(0), reader.GetDouble(1)), cancellationToken))[0],
            null, cancellationToken);
        Table.WriteConditions("heartbeat: a worker whose process is starved");
        Table.Write("load", $"{cores.Length} threads that compute and allocate, 1000 blocked items in the thread pool, for {duration.TotalSeconds:0} s");
        Table.Write("heartbeats", $"{count}");
        Table.Write("longest time between two", $"{longest:0.00} s");
        Table.Write("collections: 0 / 1 / 2", $"{GC.CollectionCount(0)} / {GC.CollectionCount(1)} / {GC.CollectionCount(2)}");
    }

    private static void Compute(CancellationToken cancellationToken)
    {
        var kept = new List<byte[]>();
        var random = new Random(1);
        while (!cancellationToken.IsCancellationRequested)
        {
            kept.Add(new byte[random.Next(100, 20_000)]);
            Keccak256.Hash(kept[^1]);
            if (kept.Count > 10_000)
            {
                kept.RemoveRange(0, random.Next(kept.Count));
            }
        }
    }

    private static Thread Start(Action work)
    {
        var thread = new Thread(() => work()) { IsBackground = true };
        thread.Start();
        return thread;
    }
}
