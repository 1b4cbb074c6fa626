using System.CommandLine;
using Amp.Hosting;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Bench;

/// <summary><c>notify</c>: how many transactions a second can notify: PostgreSQL lets only one at a time commit that do.</summary>
internal static class NotifyBenchmark
{
    private const int Connections = 16;

    public static Command Create()
    {
        var seconds = new Option<int>("--seconds") { Description = "For how long, each way.", DefaultValueFactory = _ => 10 };
        var command = new Command("notify", "Transactions a second with and without a notification.") { seconds };
        command.SetAction((arguments, cancellationToken) => RunAsync(TimeSpan.FromSeconds(arguments.GetValue(seconds)), cancellationToken));
        return command;
    }

    private static async Task RunAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        await using var deployment = await AmpDeployment.OpenSoloAsync(folder.Path, NullLoggerFactory.Instance, cancellationToken);
        await deployment.Database.RunAsync(
            "making a table", connection => connection.ExecuteAsync("CREATE TABLE bench (id int)", [], cancellationToken), null, cancellationToken);
        var without = await MeasureAsync(deployment.Database, "INSERT INTO bench VALUES (1)", duration, cancellationToken);
        var with = await MeasureAsync(
            deployment.Database, "WITH i AS (INSERT INTO bench VALUES (1)) SELECT pg_notify('change-tracking', '1')", duration, cancellationToken);
        Table.WriteConditions("notify: transactions that notify");
        Table.Write("connections", $"{Connections}, for {duration.TotalSeconds:0} s each way");
        Table.Write("without a notification", $"{without:0} a second");
        Table.Write("with one", $"{with:0} a second");
    }

    private static async Task<double> MeasureAsync(MetadataDatabase database, string sql, TimeSpan duration, CancellationToken cancellationToken)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        time.CancelAfter(duration);
        var counts = await Task.WhenAll(Enumerable.Range(0, Connections).Select(async _ =>
        {
            await using var connection = await database.OpenDedicatedAsync("measuring", CancellationToken.None);
            var count = 0;
            for (; !time.IsCancellationRequested; count++)
            {
                await connection.ExecuteAsync(sql, [], CancellationToken.None);
            }

            return count;
        }));
        return counts.Sum() / duration.TotalSeconds;
    }
}
