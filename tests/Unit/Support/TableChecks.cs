using System.Text.Json.Nodes;
using Amp.Extraction;
using Amp.Hosting;
using Amp.MetadataDb;
using Amp.Parquet;

namespace Amp.Support;

/// <summary>What holds of every table whenever no worker runs, and what holds even while one runs or was killed.</summary>
internal static class TableChecks
{
    /// <summary>
    /// Files on disk and rows are the same, in names, sizes, and metadata; nothing else is in the data folder; segments
    /// follow each other without gap, overlap or orphan, link by hash, and hold one row of <c>blocks</c> for each block.
    /// </summary>
    public static async Task AssertConsistentAsync(AmpDeployment deployment)
    {
        var dataDir = deployment.Configuration.DataDir;
        var named = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var table in deployment.Client.GetTablesAsync(CancellationToken.None))
        {
            var rows = await deployment.Database.Files.ListAsync(table.LocationId!.Value, CancellationToken.None);
            foreach (var row in rows)
            {
                var path = Path.Combine(dataDir, table.Path!, row.FileName);
                Assert.True(named.Add(path), $"two rows name {path}");
                await AssertFileAsync(path, table, row);
            }

            var segments = (await deployment.Database.Files.SegmentsAsync([table.LocationId.Value], CancellationToken.None))[table.LocationId.Value];
            var chain = CanonicalChain.Build(segments);
            Assert.Empty(chain.Orphaned);
            AssertContiguous(table, chain.Canonical);
            if (table.Table == "blocks" && chain.Range is { } range)
            {
                Assert.Equal((long)(range.End - range.Start + 1), await RowCountAsync(deployment, table));
            }
        }

        var onDisk = Directory.Exists(dataDir) ? Directory.EnumerateFiles(dataDir, "*", SearchOption.AllDirectories).ToHashSet(StringComparer.Ordinal) : [];
        Assert.Equal(named.Order(StringComparer.Ordinal), onDisk.Order(StringComparer.Ordinal));
        Assert.Equal(named.Count, await deployment.Database.RunAsync(
            "counting cached footers", connection => connection.ScalarAsync<int>("SELECT count(*)::int FROM footer_cache", [], CancellationToken.None),
            null, CancellationToken.None));
    }

    /// <summary>
    /// What a reader relies on at any moment: each row's file is there, whole. Gives the number of files that no row names,
    /// temporary ones and published ones.
    /// </summary>
    public static async Task<(int Temporary, int Published)> AssertReadableAsync(AmpDeployment deployment)
    {
        var dataDir = deployment.Configuration.DataDir;
        var unnamed = Directory.Exists(dataDir) ? Directory.EnumerateFiles(dataDir, "*", SearchOption.AllDirectories).ToHashSet(StringComparer.Ordinal) : [];
        await foreach (var table in deployment.Client.GetTablesAsync(CancellationToken.None))
        {
            await foreach (var file in deployment.Tables.GetFilesAsync(table, CancellationToken.None))
            {
                Assert.True(File.Exists(file.FullName), $"{file.FullName} has a row but is not there");
                Assert.Equal(file.Size, new FileInfo(file.FullName).Length);
                unnamed.Remove(file.FullName);
            }
        }

        var temporary = unnamed.Count(path => path.EndsWith(".tmp", StringComparison.Ordinal));
        return (temporary, unnamed.Count - temporary);
    }

    private static async Task AssertFileAsync(string path, AmpTable table, MetadataDb.StoredFile row)
    {
        Assert.True(File.Exists(path), $"{path} has a row but is not there");
        await using var content = File.OpenRead(path);
        Assert.Equal(row.Size, content.Length);
        Assert.Equal(new Uri(path).AbsoluteUri, row.Url);
        var footer = await ParquetFooter.ReadAsync(content, path, CancellationToken.None);
        Assert.True(
            JsonNode.DeepEquals(JsonNode.Parse(footer.KeyValueMetadata[ParquetMeta.MetadataKey]), JsonNode.Parse(row.MetadataJson)),
            $"{path} says {footer.KeyValueMetadata[ParquetMeta.MetadataKey]}, its row {row.MetadataJson}");
        Assert.Equal("[]", footer.KeyValueMetadata[ParquetMeta.ParentFileIdsKey]);
        Assert.Equal("0", footer.KeyValueMetadata[ParquetMeta.GenerationKey]);
        var metadata = ParquetMeta.Parse(row.MetadataJson);
        Assert.Equal((table.Table, row.FileName), (metadata.Table, metadata.FileName));
        Assert.Matches($"^{metadata.Ranges[0].Start:D9}-[0-9a-f]{{16}}\\.parquet$", row.FileName);
    }

    private static void AssertContiguous(AmpTable table, IReadOnlyList<Segment> segments)
    {
        foreach (var segment in segments)
        {
            Assert.True(
                segment.Start / MissingRanges.FileBoundary == segment.End / MissingRanges.FileBoundary, $"{segment.FileName} spans a boundary");
        }

        foreach (var (before, next) in segments.Zip(segments.Skip(1)))
        {
            Assert.True(before.End + 1 == next.Start, $"{table}: {next.FileName} does not follow {before.FileName}");
            Assert.Equal(before.Hash, next.PrevHash);
        }
    }

    private static async Task<long> RowCountAsync(AmpDeployment deployment, AmpTable table)
    {
        var count = 0L;
        await foreach (var file in deployment.Tables.GetFilesAsync(table, CancellationToken.None))
        {
            count += (await deployment.Tables.WithRowCountAsync(file, CancellationToken.None)).RowCount!.Value;
        }

        return count;
    }
}
