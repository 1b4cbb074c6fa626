using Amp.Parquet;
using Amp.Storage;
using Amp.Support;

namespace Amp.Extraction;

public sealed class SegmentWriterTests : IDisposable
{
    private const int Batches = 200;
    private const int BlocksPerBatch = 500;

    private readonly string _folder = Directory.CreateTempSubdirectory("amp-segment-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [ToolFact("duckdb")]
    public async Task Write_BeyondItsShareOfTheMemory_HandsRowGroupsToTheDisk()
    {
        const long share = 256 << 10;
        TargetTable[] tables = [.. ModelChain.Tables.Select((schema, i) => new TargetTable(i, schema, i + 1, schema.Name))];
        var options = new SegmentOptions(
            new ParquetWriterOptions { Codec = ParquetCodec.Uncompressed, DataPageBytes = 16 << 10, DictionaryBytes = 16 << 10 }, long.MaxValue, TimeSpan.MaxValue)
        {
            BufferBytes = share,
        };
        var random = new Random(1);
        SegmentWriter? segment = null;
        for (var i = 0; i < Batches; i++)
        {
            using var batch = Batch(random, i * BlocksPerBatch);
            segment ??= await SegmentWriter.CreateAsync(
                "model", batch, tables, new SegmentStore(_folder), options, DateTimeOffset.UnixEpoch, CancellationToken.None);

            await segment.WriteAsync(batch, CancellationToken.None);

            Assert.InRange(segment.BufferedBytes, 0, share);
        }

        var files = await segment!.PublishAsync(DateTimeOffset.UnixEpoch, CancellationToken.None);
        await segment.DisposeAsync();
        foreach (var (file, table) in files.Zip(tables))
        {
            var path = Path.Combine(_folder, table.Path, file.FileName);
            var row = Assert.Single(await DuckDb.QueryAsync(
                $"""
                SELECT count(*) AS rows, count(DISTINCT _block_num) AS blocks, max(_block_num) AS last,
                  (SELECT count(DISTINCT row_group_id) FROM parquet_metadata({DuckDb.Quote(path)})) AS groups
                FROM read_parquet({DuckDb.Quote(path)})
                """));
            Assert.Equal(("100000", "100000", "99999"), (row.GetProperty("rows").GetString(), row.GetProperty("blocks").GetString(), row.GetProperty("last").GetString()));
            Assert.True(int.Parse(row.GetProperty("groups").GetString()!, System.Globalization.CultureInfo.InvariantCulture) > 10);
        }
    }

    private static BlockBatch Batch(Random random, int first)
    {
        var batch = new BlockBatch(ModelChain.Tables);
        for (var i = 0; i < BlocksPerBatch; i++)
        {
            batch.Blocks.Add(new BlockLink((ulong)(first + i), default, default));
            foreach (var table in batch.Tables)
            {
                table.Columns[0].AddUInt64((ulong)(first + i));
                random.NextBytes(table.Columns[1].AddFixed());
                table.RowCount++;
            }
        }

        return batch;
    }
}
