using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Amp.Support;

namespace Amp.Parquet;

public sealed class ParquetFileReaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("amp-parquet-").FullName;

    private string FilePath => Path.Combine(_folder, "000000001-00000000000000aa.parquet");

    private string Source => $"read_parquet({DuckDb.Quote(FilePath)})";

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(nameof(ParquetCodec.Uncompressed), 0)]
    [InlineData(nameof(ParquetCodec.Snappy), 0)]
    [InlineData(nameof(ParquetCodec.Gzip), 6)]
    [InlineData(nameof(ParquetCodec.Brotli), 4)]
    [InlineData(nameof(ParquetCodec.Zstd), 1)]
    [InlineData(nameof(ParquetCodec.Lz4Raw), 0)]
    public async Task AllTypes_OfEveryCodec_AreReadBack(string codec, int level)
    {
        foreach (var distinct in new[] { 0, 20 })
        {
            var table = await WriteAsync(
                new() { Codec = Enum.Parse<ParquetCodec>(codec), CompressionLevel = level, DataPageRows = 100, MaxRowGroupRows = 300, DictionaryBytes = 5600 },
                seed: 42 + distinct, distinct, [150, 0, 1, 249, 100]);

            AssertSame(table.Expected, await ReadAsync(batchRows: 70));
        }
    }

    [Fact]
    public async Task Skip_ToAnyRow_GivesTheRowsFromThere()
    {
        var table = await WriteAsync(new() { DataPageRows = 40, MaxRowGroupRows = 200 }, seed: 1, distinct: 0, [200, 200, 77]);

        foreach (var skip in new[] { 0, 1, 39, 40, 41, 199, 200, 333, 400, 476, 477 })
        {
            AssertSame(table.Expected[skip..], await ReadAsync(skip));
        }
    }

    [Fact]
    public async Task Filter_ByBlock_GivesExactlyItsRows()
    {
        // Seven rows a block from 15,000,000 on.
        var table = await WriteAsync(new() { DataPageRows = 40, MaxRowGroupRows = 200 }, seed: 2, distinct: 0, [200, 200, 77]);

        foreach (var ranges in new AmpBlockRange[][]
        {
            [new(15_000_000)], [new(15_000_005, 15_000_006)], [new("15000060..")], [new("..15000003"), new(15_000_028, 15_000_029)],
            [new(15_000_001), new(15_000_067)], [new("0..")], [new(15_000_069)], [],
        })
        {
            var expected = table.Expected.Where(row => ranges.Any(range => range.Contains(ulong.Parse((string)row["_block_num"]!, CultureInfo.InvariantCulture))));

            AssertSame([.. expected], await ReadAsync(ranges: ranges));
        }
    }

    [Fact]
    public async Task Filter_ByPageIndex_ReadsNoOtherPage()
    {
        await WriteAsync(new() { DataPageRows = 40, MaxRowGroupRows = 2000, Codec = ParquetCodec.Uncompressed }, seed: 3, distinct: 0, [2000]);
        await using var counted = new CountingStream(File.OpenRead(FilePath));
        await using var reader = await ParquetFileReader.OpenAsync(counted, FilePath, CancellationToken.None);
        var opened = counted.Count;

        var rows = await reader.ReadAsync(reader.Schema.Fields, Filter(reader, [new(15_000_200)]), 0, 1000, CancellationToken.None).ToListAsync();

        Assert.Equal(7, rows.Count);
        Assert.InRange(counted.Count - opened, 1, counted.Length / 3);
    }

    [Fact]
    public async Task Enumeration_ThatEndsEarly_ReadsNoLaterPage()
    {
        await WriteAsync(new() { DataPageRows = 100, MaxRowGroupRows = 1000, Codec = ParquetCodec.Uncompressed }, seed: 4, distinct: 0, [1000, 1000, 1000]);
        await using var counted = new CountingStream(File.OpenRead(FilePath));
        await using var reader = await ParquetFileReader.OpenAsync(counted, FilePath, CancellationToken.None);
        var opened = counted.Count;

        await reader.ReadAsync(reader.Schema.Fields, null, 0, 10, CancellationToken.None).Take(10).ToListAsync();

        Assert.InRange(counted.Count - opened, 1, counted.Length / 5);
    }

    [Fact]
    public async Task Columns_InAnyOrder_AreReadAlone()
    {
        var table = await WriteAsync(new() { DataPageRows = 40 }, seed: 5, distinct: 0, [100]);
        string[] names = ["pair", "u64_or_null", "access_list"];

        var rows = await ReadAsync(columns: names);

        Assert.All(rows, row => Assert.Equal(names, row.Select(column => column.Key)));
        AssertSame([.. table.Expected.Select(row => new JsonObject(names.Select(name => KeyValuePair.Create(name, row[name]?.DeepClone()))))], rows);
    }

    [Fact]
    public async Task NoRows_GivesNone()
    {
        await WriteAsync(new(), seed: 6, distinct: 0, [0]);

        Assert.Empty(await ReadAsync());
    }

    [Fact]
    public async Task DamagedBytes_AreRefusedOrReadButNeverAnythingElse()
    {
        foreach (var codec in new[] { ParquetCodec.Uncompressed, ParquetCodec.Zstd })
        {
            await WriteAsync(new() { Codec = codec, DataPageRows = 40, MaxRowGroupRows = 100 }, seed: 7, distinct: 30, [150]);
            var sound = await File.ReadAllBytesAsync(FilePath);
            var random = new Random(8);
            var refused = 0;
            for (var i = 0; i < 400; i++)
            {
                var damaged = sound.ToArray();
                damaged[random.Next(damaged.Length)] ^= (byte)random.Next(1, 256);
                await File.WriteAllBytesAsync(FilePath, damaged);
                try
                {
                    await ReadAsync(skip: i % 3, ranges: i % 2 == 0 ? [new(15_000_010, 15_000_012)] : null);
                }
                catch (AmpException e) when (e.ErrorCode is "ParquetFileInvalid" or "ParquetNotSupported")
                {
                    Assert.Contains(FilePath, e.Message, StringComparison.Ordinal);
                    refused++;
                }
            }

            Assert.True(refused > 20, $"only {refused} of 400 damaged files were refused");
        }
    }

    [ToolTheory("duckdb")]
    [InlineData("zstd", "v1")]
    [InlineData("snappy", "v1")]
    [InlineData("lz4_raw", "v1")]
    [InlineData("gzip", "v1")]
    [InlineData("zstd", "v2")]
    public async Task FilesOfDuckDb_WithTypesOfTables_AreReadBack(string codec, string version)
    {
        var table = await WriteAsync(new() { DataPageRows = 100 }, seed: 9, distinct: 40, [600]);
        var other = Path.Combine(_folder, "other.parquet");

        // DuckDB has no fixed-size binary; its times with a zone are of microseconds, and lists and structs may be null.
        await DuckDb.QueryAsync(
            $"COPY (SELECT * REPLACE (epoch_ns(time)::BIGINT AS time, epoch_ns(time_or_null) AS time_or_null) FROM {Source}) TO {DuckDb.Quote(other)} (FORMAT parquet, COMPRESSION {codec}, PARQUET_VERSION {version}, ROW_GROUP_SIZE 2048)");
        var error = await Assert.ThrowsAsync<AmpException>(() => ReadAsync(path: other));
        Assert.Equal("ParquetNotSupported", error.ErrorCode);
        Assert.Contains("column time ", error.Message, StringComparison.Ordinal);

        await DuckDb.QueryAsync(
            $"COPY (SELECT * REPLACE (make_timestamp_ns(epoch_ns(time)) AS time, make_timestamp_ns(epoch_ns(time_or_null)) AS time_or_null) FROM {Source}) TO {DuckDb.Quote(other)} (FORMAT parquet, COMPRESSION {codec}, PARQUET_VERSION {version}, ROW_GROUP_SIZE 2048)");
        AssertSame(table.Expected, await ReadAsync(path: other));
    }

    // Version 2.0 has data pages of version 2.
    [ToolTheory("parquet-wasm")]
    [InlineData("ZSTD", "1.0")]
    [InlineData("SNAPPY", "1.0")]
    [InlineData("LZ4_RAW", "1.0")]
    [InlineData("GZIP", "1.0")]
    [InlineData("BROTLI", "1.0")]
    [InlineData("UNCOMPRESSED", "1.0")]
    [InlineData("ZSTD", "2.0")]
    [InlineData("SNAPPY", "2.0")]
    public async Task FilesOfArrowRs_AreReadBack(string compression, string version)
    {
        foreach (var distinct in version == "1.0" ? new[] { 0, 40 } : [40])
        {
            var table = await WriteAsync(new() { Codec = ParquetCodec.Uncompressed }, seed: 10, distinct, [600]);
            var other = Path.Combine(_folder, "other.parquet");
            using var node = Process.Start(
                TestTools.Require("parquet-wasm"), [Path.Combine(TestTools.RepositoryRoot, "tests", "tools", "rewrite-arrow-rs.mjs"), FilePath, other, compression, version]);
            await node.WaitForExitAsync();
            Assert.Equal(0, node.ExitCode);

            AssertSame(table.Expected, await ReadAsync(path: other));
            AssertSame(table.Expected[577..], await ReadAsync(skip: 577, path: other));
            AssertSame(table.Expected[490..504], await ReadAsync(ranges: [new(15_000_070, 15_000_071)], path: other));
        }
    }

    private async Task<RandomTable> WriteAsync(ParquetWriterOptions options, int seed, int distinct, int[] batches)
    {
        var table = new RandomTable(RandomTable.AllTypes, seed, distinct);
        await using var file = File.Create(FilePath);
        using var writer = new ParquetFileWriter(file, table.Schema, options);
        foreach (var rows in batches)
        {
            await writer.WriteAsync(table.Next(rows), CancellationToken.None);
        }

        await writer.CompleteAsync([], CancellationToken.None);
        return table;
    }

    private async Task<List<JsonObject>> ReadAsync(
        int skip = 0, AmpBlockRange[]? ranges = null, string[]? columns = null, int batchRows = 1000, string? path = null)
    {
        await using var reader = await ParquetFileReader.OpenAsync(File.OpenRead(path ?? FilePath), path ?? FilePath, CancellationToken.None);
        ArrowField[] fields = [.. columns?.Select(name => reader.Schema.Fields.Single(field => field.Name == name)) ?? reader.Schema.Fields];
        string[] names = [.. fields.Select(field => field.Name)];
        return await reader.ReadAsync(fields, ranges is null ? null : Filter(reader, ranges), skip, batchRows, CancellationToken.None)
            .Select(values => RowJson.Of(new TableRow(null, names, values))).ToListAsync();
    }

    private static UInt64Filter Filter(ParquetFileReader reader, AmpBlockRange[] ranges) => new(reader.Schema.Fields[0], ranges);

    private static void AssertSame(List<JsonObject> expected, List<JsonObject> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (row, other) in expected.Zip(actual))
        {
            Assert.Equal(row.ToJsonString(), other.ToJsonString());
        }
    }

    private sealed class CountingStream(FileStream inner) : Stream
    {
        public long Count { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => inner.Length;

        public override long Position
        {
            get => inner.Position;
            set => inner.Position = value;
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            Count += read;
            return read;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

        public override void Flush() => inner.Flush();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
