using System.Text.Json;
using System.Text.Json.Nodes;
using Amp.Support;

namespace Amp.Parquet;

public sealed class ParquetFileWriterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("amp-parquet-").FullName;

    private string FilePath => Path.Combine(_folder, "000000001-00000000000000aa.parquet");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [ToolFact("duckdb")]
    public Task Zstd_AllTypes_DuckDbReadsEveryValue() => AssertReadBackAsync(new() { Codec = ParquetCodec.Zstd });

    [ToolFact("duckdb")]
    public Task Uncompressed_AllTypes_DuckDbReadsEveryValue() => AssertReadBackAsync(new() { Codec = ParquetCodec.Uncompressed });

    [ToolFact("duckdb")]
    public Task Snappy_AllTypes_DuckDbReadsEveryValue() => AssertReadBackAsync(new() { Codec = ParquetCodec.Snappy });

    [ToolFact("duckdb")]
    public Task Gzip_AllTypes_DuckDbReadsEveryValue() => AssertReadBackAsync(new() { Codec = ParquetCodec.Gzip, CompressionLevel = 6 });

    [ToolFact("duckdb")]
    public Task Brotli_AllTypes_DuckDbReadsEveryValue() => AssertReadBackAsync(new() { Codec = ParquetCodec.Brotli, CompressionLevel = 4 });

    [ToolFact("duckdb")]
    public Task Lz4_AllTypes_DuckDbReadsEveryValue() => AssertReadBackAsync(new() { Codec = ParquetCodec.Lz4Raw });

    private async Task AssertReadBackAsync(ParquetWriterOptions options)
    {
        foreach (var distinct in new[] { 0, 20, 1 })
        {
            var table = new RandomTable(RandomTable.AllTypes, seed: 42 + distinct, distinct);
            await WriteAsync(table, options with { DataPageRows = 300, MaxRowGroupRows = 1500 }, [700, 0, 1, 999, 400, 500]);

            var rows = await DuckDb.QueryAsync($"select * from read_parquet({DuckDb.Quote(FilePath)})");

            AssertSame(table.Expected, rows);
        }
    }

    private async Task<ParquetFileInfo> WriteAsync(RandomTable table, ParquetWriterOptions options, int[] batches)
    {
        await using var file = File.Create(FilePath);
        using var writer = new ParquetFileWriter(file, table.Schema, options);
        foreach (var rows in batches)
        {
            var buffer = table.Next(rows);
            await writer.WriteAsync(buffer, CancellationToken.None);
            buffer.Clear();
        }

        return await writer.CompleteAsync([new("generation", "0")], CancellationToken.None);
    }

    private static void AssertSame(List<JsonObject> expected, List<JsonElement> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (var row = 0; row < expected.Count; row++)
        {
            foreach (var (name, value) in expected[row])
            {
                var got = JsonNode.Parse(actual[row].GetProperty(name).GetRawText());
                Assert.True(
                    JsonNode.DeepEquals(value, got),
                    $"row {row}, column {name}: expected {value?.ToJsonString() ?? "null"}, DuckDB read {got?.ToJsonString() ?? "null"}");
            }
        }
    }
}
