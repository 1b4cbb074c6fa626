using System.CommandLine;
using System.Diagnostics;
using Amp.Extraction.EvmRpc;
using Amp.Hosting;
using Amp.MetadataDb;
using Amp.Parquet;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Bench;

/// <summary>
/// <c>segments</c>: what committing a segment and asking for a job's progress take when its tables have many files already, and what it
/// takes to find the canonical chain of a table with very many.
/// </summary>
internal static class SegmentsBenchmark
{
    private const int Repeats = 51;
    private const string Worker = "bench";
    private static readonly string Manifest = new('0', 64);

    public static Command Create()
    {
        var segments = new Option<int>("--segments") { Description = "How many files the one table has.", DefaultValueFactory = _ => 1_000_000 };
        var each = new Option<int>("--each") { Description = "How many files each table of the job has.", DefaultValueFactory = _ => 10_000 };
        var command = new Command("segments", "Tables with very many files.") { segments, each };
        command.SetAction((arguments, cancellationToken) => RunAsync(arguments.GetValue(segments), arguments.GetValue(each), cancellationToken));
        return command;
    }

    private static async Task RunAsync(int segments, int each, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        await using var deployment = await AmpDeployment.OpenSoloAsync(folder.Path, NullLoggerFactory.Instance, cancellationToken);
        var database = deployment.Database;
        Table.WriteConditions("segments: tables with very many files");

        var registered = await database.Workers.RegisterAsync(Worker, new AmpBuildInfo("v1", null, null, null), cancellationToken);
        foreach (var count in new[] { 0, each })
        {
            var descriptor = new AmpJobDescriptor { Kind = "materialize-raw", DatasetNamespace = "bench", DatasetName = $"job{count}", ManifestHash = Manifest, EndBlock = "1000000" };
            var (job, _) = await database.Jobs.ScheduleAsync(Worker, descriptor, descriptor.DatasetName, cancellationToken: cancellationToken);
            await database.Jobs.MarkRunningAsync(job, Worker, cancellationToken);
            var locations = new List<long>();
            foreach (var schema in EvmTables.All)
            {
                locations.Add(await FillAsync(database, descriptor.DatasetName, schema.Name, count, cancellationToken));
            }

            Table.Write("files of each of the job's three tables", $"{count}");
            Table.Write("committing a segment of three files", $"{await MedianAsync(i => database.Files.CommitSegmentsAsync(job, Worker, [.. locations.Select(location => File(location, count + i))], registered, cancellationToken)):0.0} ms");
            Table.Write("progress of the job", $"{await MedianAsync(_ => deployment.Client.GetJobProgressAsync(job, cancellationToken)):0.0} ms");
        }

        var many = await FillAsync(database, "many", "logs", segments, cancellationToken);
        var start = Stopwatch.GetTimestamp();
        var rows = (await database.Files.SegmentsAsync([many], cancellationToken))[many].ToList();
        var read = Stopwatch.GetElapsedTime(start);
        start = Stopwatch.GetTimestamp();
        var chain = CanonicalChain.Build(rows);
        var built = Stopwatch.GetElapsedTime(start);
        if (chain.Canonical.Count != segments)
        {
            throw new InvalidOperationException($"{chain.Canonical.Count} of {segments} segments are canonical");
        }

        Table.Write("files of one table", $"{segments}");
        Table.Write("reading their rows", $"{read.TotalSeconds:0.00} s, {read.TotalMicroseconds / segments:0.0} µs each");
        Table.Write("finding the canonical chain", $"{built.TotalSeconds:0.00} s, {built.TotalMicroseconds / segments:0.0} µs each");
        Table.Write("memory", $"{GC.GetTotalMemory(forceFullCollection: true) / 1048576.0 / segments * 1024:0.00} KiB each");
        GC.KeepAlive(chain);
    }

    /// <summary>Makes a table with a file for each of so many blocks, and gives its location.</summary>
    private static async Task<long> FillAsync(MetadataDatabase database, string dataset, string table, int files, CancellationToken cancellationToken)
    {
        var location = (await database.PhysicalTables.GetOrCreateAsync("bench", dataset, Manifest, table, null, cancellationToken)).LocationId;
        await database.RunAsync("making files", connection => connection.ExecuteAsync(
            """
            INSERT INTO file_metadata (location_id, file_name, metadata, object_size, url)
            SELECT $1, lpad(i::text, 9, '0') || '-0000000000000000.parquet', jsonb_build_object(
                'table', $3::text, 'filename', lpad(i::text, 9, '0') || '-0000000000000000.parquet', 'created_at', jsonb_build_object('secs', i, 'nanos', 0),
                'ranges', jsonb_build_array(jsonb_build_object(
                    'numbers', jsonb_build_object('start', i, 'end', i), 'network', 'mainnet',
                    'hash', '0x' || lpad(to_hex(i + 1), 64, '0'), 'prev_hash', '0x' || lpad(to_hex(i), 64, '0')))), 1000, 'file:///data'
            FROM generate_series(0, $2 - 1) i
            """, [location, files, table], cancellationToken), null, cancellationToken);
        await database.RunAsync("analysing", connection => connection.ExecuteAsync("ANALYZE file_metadata", [], cancellationToken), null, cancellationToken);
        return location;
    }

    /// <summary>The file that follows those of <see cref="FillAsync"/> for a block.</summary>
    private static NewFile File(long location, int block)
    {
        var name = ParquetMeta.NewFileName((ulong)block);
        var metadata = new ParquetMeta("logs", name, DateTimeOffset.UtcNow, [new SegmentRange((ulong)block, (ulong)block, "mainnet", $"0x{block + 1:x64}", $"0x{block:x64}")]);
        return new NewFile { LocationId = location, FileName = name, MetadataJson = metadata.Serialize(), Size = 1000, Url = "file:///data", Footer = new byte[20_000] };
    }

    private static async Task<double> MedianAsync(Func<int, Task> action)
    {
        var times = new double[Repeats];
        for (var i = 0; i < Repeats; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await action(i);
            times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }

        return times.Order().ElementAt(Repeats / 2);
    }
}
