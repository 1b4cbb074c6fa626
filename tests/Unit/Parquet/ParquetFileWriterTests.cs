using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Amp.Support;

namespace Amp.Parquet;

public sealed class ParquetFileWriterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("amp-parquet-").FullName;

    private string FilePath => Path.Combine(_folder, "000000001-00000000000000aa.parquet");

    private string Source => $"read_parquet({DuckDb.Quote(FilePath)})";

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

    [ToolFact("duckdb")]
    public async Task NoRows_DuckDbReadsAnEmptyTableWithItsColumns()
    {
        var table = new RandomTable(RandomTable.AllTypes, seed: 1);
        var info = await WriteAsync(table, new(), [0]);

        Assert.Equal(0, info.RowGroupCount);
        Assert.Empty(await DuckDb.QueryAsync($"from {Source}"));
        var columns = await DuckDb.QueryAsync($"describe from {Source}");
        Assert.Equal(RandomTable.AllTypes.Fields.Select(field => field.Name), columns.Select(column => column.GetProperty("column_name").GetString()));
    }

    [ToolFact("duckdb")]
    public async Task OneRow_DuckDbReadsIt()
    {
        var table = new RandomTable(RandomTable.AllTypes, seed: 2);
        await WriteAsync(table, new(), [1]);

        AssertSame(table.Expected, await DuckDb.QueryAsync($"from {Source}"));
    }

    [ToolFact("duckdb")]
    public async Task OnlyNulls_DuckDbReadsThem()
    {
        var schema = new TableSchema("nulls",
        [
            new("a", ArrowType.UInt64, Nullable: true), new("b", ArrowType.Binary, Nullable: true),
            new("c", ArrowType.ListOf(ArrowType.Bytes32), Nullable: true),
        ]);
        var rows = new TableBuffer(schema) { RowCount = 50_000 };
        for (var row = 0; row < rows.RowCount; row++)
        {
            rows.Columns[0].AddNull();
            rows.Columns[1].AddNull();
            rows.Columns[2].AddNull(row % 2);
        }

        await WriteAsync(schema, new(), rows);

        var counts = Assert.Single(await DuckDb.QueryAsync($"select count(*) n, count(a) a, count(b) b, count(c) c, sum(len(c)) d from {Source}"));
        Assert.Equal("""{"n":"50000","a":"0","b":"0","c":"25000","d":"0"}""", counts.GetRawText());
    }

    [ToolFact("duckdb")]
    public async Task Dictionary_WhenItOutgrowsItsLimit_FallsBackAndEveryValueIsRead()
    {
        var table = new RandomTable(RandomTable.AllTypes, seed: 3, distinct: 200);
        await WriteAsync(table, new() { Codec = ParquetCodec.Uncompressed, DictionaryBytes = 5600, DataPageRows = 300 }, [1500]);

        AssertSame(table.Expected, await DuckDb.QueryAsync($"from {Source}"));
        var encodings = await ColumnMetadataAsync("hash", "encodings");
        Assert.Equal("PLAIN, RLE_DICTIONARY", encodings.GetString());
    }

    [ToolFact("duckdb")]
    public async Task LargeValues_GetPagesOfTheirOwn()
    {
        var schema = new TableSchema("t", [new("data", ArrowType.Binary, Nullable: false)]);
        var rows = new TableBuffer(schema) { RowCount = 40 };
        var random = new Random(4);
        for (var row = 0; row < rows.RowCount; row++)
        {
            random.NextBytes(rows.Columns[0].AddBytes(row % 3 == 0 ? 300_000 : 10));
        }

        await WriteAsync(schema, new() { DataPageBytes = 100_000, BloomFilters = true }, rows);

        var read = Assert.Single(await DuckDb.QueryAsync($"select sha256(string_agg(hex(data), '')) h, sum(octet_length(data)) n from {Source}"));
        Assert.Equal(rows.Columns[0].Values.Length.ToString(CultureInfo.InvariantCulture), read.GetProperty("n").GetString());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(Convert.ToHexString(rows.Columns[0].Values)))), read.GetProperty("h").GetString());
    }

    [ToolFact("duckdb")]
    public async Task Encodings_FollowTheData()
    {
        var schema = new TableSchema("t",
        [
            new("_block_num", ArrowType.UInt64, Nullable: false), new("log_index", ArrowType.UInt32, Nullable: false),
            new("hash", ArrowType.Bytes32, Nullable: false), new("address", ArrowType.Bytes20, Nullable: false),
            new("status", ArrowType.Boolean, Nullable: false),
        ]);
        var rows = new TableBuffer(schema) { RowCount = 10_000 };
        var random = new Random(6);
        var addresses = Enumerable.Range(0, 100).Select(_ => RandomBytes(random, 20)).ToArray();
        for (var row = 0; row < rows.RowCount; row++)
        {
            rows.Columns[0].AddUInt64((ulong)row);
            rows.Columns[1].AddUInt32((uint)row % 300);
            rows.Columns[2].AddFixed(RandomBytes(random, 32));
            rows.Columns[3].AddFixed(addresses[random.Next(100)]);
            rows.Columns[4].AddBoolean(row % 1000 != 0);
        }

        await WriteAsync(schema, new() { Codec = ParquetCodec.Uncompressed }, rows);

        Assert.Equal("DELTA_BINARY_PACKED", (await ColumnMetadataAsync("_block_num", "encodings")).GetString());
        Assert.Equal("DELTA_BINARY_PACKED", (await ColumnMetadataAsync("log_index", "encodings")).GetString());
        Assert.Equal("PLAIN", (await ColumnMetadataAsync("hash", "encodings")).GetString());
        Assert.Equal("PLAIN, RLE_DICTIONARY", (await ColumnMetadataAsync("address", "encodings")).GetString());
        Assert.Equal("RLE", (await ColumnMetadataAsync("status", "encodings")).GetString());
        var check = Assert.Single(await DuckDb.QueryAsync($"select count(*) filter (status) s, sum(_block_num)::varchar b, sum(log_index)::varchar l from {Source}"));
        Assert.Equal("""{"s":"9990","b":"49995000","l":"1485000"}""", check.GetRawText());
    }

    [ToolFact("duckdb")]
    public async Task Statistics_FollowEachTypesOrder()
    {
        var schema = new TableSchema("t",
        [
            new("u64", ArrowType.UInt64, Nullable: true), new("u32", ArrowType.UInt32, Nullable: false),
            new("decimal", ArrowType.Decimal38, Nullable: false), new("text", ArrowType.Utf8, Nullable: false),
            new("time", ArrowType.TimestampNanos, Nullable: false), new("i32", ArrowType.Int32, Nullable: false),
        ]);
        var rows = new TableBuffer(schema) { RowCount = 3 };
        rows.Columns[0].AddUInt64(ulong.MaxValue);
        rows.Columns[0].AddNull();
        rows.Columns[0].AddUInt64(1);
        foreach (var value in new[] { 3u, uint.MaxValue, 2u })
        {
            rows.Columns[1].AddUInt32(value);
        }

        foreach (var value in new Int128[] { -5, 7, -6 })
        {
            rows.Columns[2].AddDecimal(value);
        }

        foreach (var value in new[] { "b", new string('é', 50), "a" })
        {
            rows.Columns[3].AddBytes(Encoding.UTF8.GetBytes(value));
        }

        foreach (var value in new[] { 5_000UL, 3_000UL, 4_000UL })
        {
            rows.Columns[4].AddUInt64(value);
        }

        foreach (var value in new[] { -1, 1, 0 })
        {
            rows.Columns[5].AddInt32(value);
        }

        await WriteAsync(schema, new(), rows);

        const string Statistics = "[stats_min_value, stats_max_value, stats_null_count::varchar]";
        Assert.Equal("""["1","18446744073709551615","1"]""", (await ColumnMetadataAsync("u64", Statistics)).GetRawText());
        Assert.Equal("""["2","4294967295","0"]""", (await ColumnMetadataAsync("u32", Statistics)).GetRawText());
        Assert.Equal("""["-6","7","0"]""", (await ColumnMetadataAsync("decimal", Statistics)).GetRawText());
        Assert.Equal("""["-1","1","0"]""", (await ColumnMetadataAsync("i32", Statistics)).GetRawText());

        // No character of the largest text can be raised and stay text: the whole of it bounds.
        Assert.Equal(new string('é', 50), (await ColumnMetadataAsync("text", "stats_max_value")).GetString());
        Assert.Equal("1970-01-01 00:00:00.000003+00", (await ColumnMetadataAsync("time", "stats_min_value")).GetString());
        Assert.Single(await DuckDb.QueryAsync($"from {Source} where u64 = 18446744073709551615"));
        Assert.Single(await DuckDb.QueryAsync($"from {Source} where u32 = 4294967295 or decimal = -6 and text = 'z'"));
    }

    [ToolFact("duckdb")]
    public async Task Schema_HasArrowsPhysicalAndLogicalTypes()
    {
        await WriteAsync(new RandomTable(RandomTable.AllTypes, seed: 8), new(), [1]);

        var elements = (await DuckDb.QueryAsync(
            $"select name, type, type_length, repetition_type, converted_type, scale, precision, logical_type from parquet_schema({DuckDb.Quote(FilePath)})"))
            .Select(element => string.Join(' ', element.EnumerateObject().Select(property => property.Value.ToString()))).ToArray();

        Assert.StartsWith("arrow_schema ", elements[0], StringComparison.Ordinal);
        Assert.Contains(elements, e => e.StartsWith("u64 INT64  REQUIRED UINT_64   IntType(", StringComparison.Ordinal) && e.EndsWith("isSigned=0)", StringComparison.Ordinal));
        Assert.Contains(elements, e => e.StartsWith("u32_or_null INT32  OPTIONAL UINT_32   IntType(", StringComparison.Ordinal));
        Assert.Contains("i32 INT32  REQUIRED    ", elements);
        Assert.Contains(elements, e => e.StartsWith("time INT64  REQUIRED    TimestampType(isAdjustedToUTC=1", StringComparison.Ordinal) && e.Contains("NANOS=NanoSeconds()", StringComparison.Ordinal));
        Assert.Contains("decimal FIXED_LEN_BYTE_ARRAY 16 REQUIRED DECIMAL 0 38 DecimalType(scale=0, precision=38)", elements);
        Assert.Contains("hash FIXED_LEN_BYTE_ARRAY 32 REQUIRED    ", elements);
        Assert.Contains("text BYTE_ARRAY  REQUIRED UTF8   StringType()", elements);
        Assert.Contains("bytes_or_null BYTE_ARRAY  OPTIONAL    ", elements);
        Assert.Contains("access_list   OPTIONAL LIST   ListType()", elements);
        Assert.Contains("list   REPEATED    ", elements);
    }

    [ToolFact("duckdb")]
    public async Task BloomFilter_ExcludesWhatIsNotThere()
    {
        // Printable addresses: DuckDB's probe mistakes other bytes, in its own files too.
        var schema = new TableSchema("t", [new("address", ArrowType.Bytes20, Nullable: false)]);
        var rows = new TableBuffer(schema) { RowCount = 500 };
        for (var row = 0; row < rows.RowCount; row++)
        {
            rows.Columns[0].AddFixed(Encoding.ASCII.GetBytes($"address number {row:D5}"));
        }

        await WriteAsync(schema, new() { BloomFilters = true }, rows);

        foreach (var row in new[] { 0, 1, 250, 499 })
        {
            Assert.False(await ExcludesAsync($"address number {row:D5}"));
        }

        var excluded = 0;
        for (var row = 500; row < 510; row++)
        {
            excluded += await ExcludesAsync($"address number {row:D5}") ? 1 : 0;
        }

        Assert.True(excluded >= 8, $"only {excluded} of 10 absent values are excluded");

        async Task<bool> ExcludesAsync(string address) => Assert.Single(await DuckDb.QueryAsync(
            $"from parquet_bloom_probe({DuckDb.Quote(FilePath)}, 'address', '{address}'::blob)")).GetProperty("bloom_filter_excludes").GetBoolean();
    }

    [Fact]
    public async Task Footer_HasRowGroupsAndKeyValues()
    {
        var info = await WriteAsync(new RandomTable(RandomTable.AllTypes, seed: 9), new() { MaxRowGroupRows = 100 }, [100, 150, 30]);

        await using var file = File.OpenRead(FilePath);
        var footer = await ParquetFooter.ReadAsync(file, FilePath, CancellationToken.None);

        Assert.Equal(280, footer.RowCount);
        Assert.Equal([100, 150, 30], footer.RowGroups.Select(group => group.RowCount));
        Assert.All(footer.RowGroups, group => Assert.True(group.CompressedSize > 1000 && group.UncompressedSize > 1000));
        Assert.Equal("0", footer.KeyValueMetadata["generation"]);
        Assert.Equal(ArrowIpcSchema.ToBase64(RandomTable.AllTypes), footer.KeyValueMetadata["ARROW:schema"]);
        Assert.StartsWith("amp-powershell version ", footer.CreatedBy, StringComparison.Ordinal);
        Assert.Equal((file.Length, 280, 3), (info.Size, info.RowCount, info.RowGroupCount));

        // The footer's copy for the cache reads as a file does.
        using var copy = new MemoryStream([.. "PAR1"u8, .. info.Footer]);
        var cached = await ParquetFooter.ReadAsync(copy, "footer_cache", CancellationToken.None);
        Assert.Equal(footer.RowGroups, cached.RowGroups);
    }

    [Fact]
    public async Task Write_WhenRowGroupBytesAreReached_ClosesTheRowGroup()
    {
        var table = new RandomTable(RandomTable.AllTypes, seed: 10);
        await using var file = File.Create(FilePath);
        using var writer = new ParquetFileWriter(file, table.Schema, new() { MaxRowGroupBytes = 300_000, DataPageRows = 100 });
        var most = 0L;
        for (var i = 0; i < 20; i++)
        {
            await writer.WriteAsync(table.Next(100), CancellationToken.None);
            most = Math.Max(most, writer.BufferedBytes);
        }

        var estimate = writer.BytesWritten;
        var info = await writer.CompleteAsync([], CancellationToken.None);

        Assert.InRange(info.RowGroupCount, 3, 8);
        Assert.InRange(most, 100_000, 400_000);
        Assert.InRange(estimate, info.Size * 0.9, info.Size * 1.1);
        Assert.Equal(2000, writer.RowCount);
    }

    [ToolFact("duckdb")]
    public async Task Abandoned_LeavesNothingThatPassesForAFile()
    {
        var table = new RandomTable(RandomTable.AllTypes, seed: 11);
        await using (var file = File.Create(FilePath))
        {
            using var writer = new ParquetFileWriter(file, table.Schema, new() { MaxRowGroupRows = 10 });
            await writer.WriteAsync(table.Next(500), CancellationToken.None);
        }

        Assert.True(new FileInfo(FilePath).Length > 10_000);
        await using var abandoned = File.OpenRead(FilePath);
        var error = await Assert.ThrowsAsync<AmpException>(() => ParquetFooter.ReadAsync(abandoned, FilePath, CancellationToken.None));
        Assert.Equal("ParquetFileInvalid", error.ErrorCode);
        await Assert.ThrowsAnyAsync<Exception>(() => DuckDb.QueryAsync($"from {Source}"));
    }

    [Fact]
    public async Task Write_AfterAFailedWrite_IsRefused()
    {
        var table = new RandomTable(RandomTable.AllTypes, seed: 12);
        await using var full = new MemoryStream(new byte[100]);
        using var writer = new ParquetFileWriter(full, table.Schema, new() { MaxRowGroupRows = 10 });

        await Assert.ThrowsAsync<NotSupportedException>(() => writer.WriteAsync(table.Next(50), CancellationToken.None).AsTask());

        await Assert.ThrowsAsync<InvalidOperationException>(() => writer.CompleteAsync([], CancellationToken.None));
    }

    [Fact]
    public async Task Write_WhenColumnsDifferInLength_IsRefusedAndTheFileGoesOn()
    {
        var table = new RandomTable(RandomTable.AllTypes, seed: 13);
        using var output = new MemoryStream();
        using var writer = new ParquetFileWriter(output, table.Schema, new());
        var rows = table.Next(5);
        rows.Columns[3].AddInt32(1);

        var error = await Assert.ThrowsAsync<ArgumentException>(() => writer.WriteAsync(rows, CancellationToken.None).AsTask());

        Assert.Contains(rows.Columns[3].Leaf.DottedPath, error.Message, StringComparison.Ordinal);
        await writer.WriteAsync(table.Next(5), CancellationToken.None);
        Assert.Equal(5, (await writer.CompleteAsync([], CancellationToken.None)).RowCount);
    }

    private async Task AssertReadBackAsync(ParquetWriterOptions options)
    {
        foreach (var distinct in new[] { 0, 20 })
        {
            var table = new RandomTable(RandomTable.AllTypes, seed: 42 + distinct, distinct);
            await WriteAsync(table, options with { DataPageRows = 100, MaxRowGroupRows = 300 }, [150, 0, 1, 249, 100]);

            var rows = await DuckDb.QueryAsync($"from {Source}");

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

    private async Task WriteAsync(TableSchema schema, ParquetWriterOptions options, TableBuffer rows)
    {
        await using var file = File.Create(FilePath);
        using var writer = new ParquetFileWriter(file, schema, options);
        await writer.WriteAsync(rows, CancellationToken.None);
        await writer.CompleteAsync([], CancellationToken.None);
    }

    private async Task<JsonElement> ColumnMetadataAsync(string column, string expression) => Assert.Single(await DuckDb.QueryAsync(
        $"select {expression} x from parquet_metadata({DuckDb.Quote(FilePath)}) where path_in_schema = '{column}'")).GetProperty("x");

    private static byte[] RandomBytes(Random random, int length)
    {
        var bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
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
