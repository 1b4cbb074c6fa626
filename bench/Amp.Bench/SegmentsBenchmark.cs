using System.CommandLine;
using System.Diagnostics;
using Amp.Hosting;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Bench;

/// <summary><c>segments</c>: what it takes to find the canonical chain of a table with very many files.</summary>
internal static class SegmentsBenchmark
{
    public static Command Create()
    {
        var segments = new Option<int>("--segments") { Description = "How many files the table has.", DefaultValueFactory = _ => 1_000_000 };
        var command = new Command("segments", "Listing a table with very many files.") { segments };
        command.SetAction((arguments, cancellationToken) => RunAsync(arguments.GetValue(segments), cancellationToken));
        return command;
    }

    private static async Task RunAsync(int segments, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        await using var deployment = await AmpDeployment.OpenSoloAsync(folder.Path, NullLoggerFactory.Instance, cancellationToken);
        var table = await deployment.Database.PhysicalTables.GetOrCreateAsync("bench", "many", new string('0', 64), "logs", null, cancellationToken);
        await deployment.Database.RunAsync("making files", connection => connection.ExecuteAsync(
            """
            INSERT INTO file_metadata (location_id, file_name, metadata, object_size, url)
            SELECT $1, lpad(i::text, 9, '0') || '-0000000000000000.parquet', jsonb_build_object(
                'table', 'logs', 'filename', lpad(i::text, 9, '0') || '-0000000000000000.parquet', 'created_at', jsonb_build_object('secs', i, 'nanos', 0),
                'ranges', jsonb_build_array(jsonb_build_object(
                    'numbers', jsonb_build_object('start', i, 'end', i), 'network', 'mainnet',
                    'hash', '0x' || lpad(to_hex(i + 1), 64, '0'), 'prev_hash', '0x' || lpad(to_hex(i), 64, '0')))), 1000, 'file:///data'
            FROM generate_series(0, $2 - 1) i
            """, [table.LocationId, segments], cancellationToken), null, cancellationToken);

        var start = Stopwatch.GetTimestamp();
        var rows = (await deployment.Database.Files.SegmentsAsync([table.LocationId], cancellationToken))[table.LocationId].ToList();
        var read = Stopwatch.GetElapsedTime(start);
        start = Stopwatch.GetTimestamp();
        var chain = CanonicalChain.Build(rows);
        var built = Stopwatch.GetElapsedTime(start);
        if (chain.Canonical.Count != segments)
        {
            throw new InvalidOperationException($"{chain.Canonical.Count} of {segments} segments are canonical");
        }

        Table.WriteConditions("segments: a table with very many files");
        Table.Write("files", $"{segments}");
        Table.Write("reading their rows", $"{read.TotalSeconds:0.00} s, {read.TotalMicroseconds / segments:0.0} µs each");
        Table.Write("finding the canonical chain", $"{built.TotalSeconds:0.00} s, {built.TotalMicroseconds / segments:0.0} µs each");
        Table.Write("memory", $"{GC.GetTotalMemory(forceFullCollection: true) / 1048576.0 / segments * 1024:0.00} KiB each");
        GC.KeepAlive(chain);
    }
}
