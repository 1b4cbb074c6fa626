using System.Buffers.Binary;

namespace Amp.Parquet;

public sealed class PageIndexTests
{
    [Fact]
    public async Task PageIndex_PointsAtPagesAndBoundsThem()
    {
        var (bytes, footer, _) = await WriteAsync(falling: false);

        var chunks = Chunks(footer).ToArray();

        Assert.Equal(4, chunks.Length);
        foreach (var chunk in chunks)
        {
            var columnIndex = Read(bytes, chunk.Long(6), chunk.Long(7));
            var pages = Read(bytes, chunk.Long(4), chunk.Long(5)).List(1).Cast<Struct>().ToArray();
            Assert.Equal(5, pages.Length);
            Assert.Equal([0L, 100, 200, 300, 400], pages.Select(page => page.Long(3)));
            var expected = chunk.Inner(3).Long(9);
            foreach (var page in pages)
            {
                // Pages follow each other without gaps, the header's size is the page's.
                Assert.Equal(expected, page.Long(1));
                var header = Read(bytes, page.Long(1), page.Long(2), out var headerLength);
                Assert.Equal(page.Long(2), headerLength + header.Long(3));
                Assert.Equal(100, header.Inner(5).Long(1));
                expected += page.Long(2);
            }

            Assert.Equal([false, false, false, false, false], columnIndex.List(1).Cast<bool>());
            Assert.Equal([0L, 0, 0, 0, 0], columnIndex.List(5).Cast<long>());
        }

        // _block_num rises by 1 a row; the second row group goes on where the first ended.
        var index = Read(bytes, chunks[2].Long(6), chunks[2].Long(7));
        Assert.Equal([500UL, 600, 700, 800, 900], index.List(2).Select(min => BinaryPrimitives.ReadUInt64LittleEndian((byte[])min)));
        Assert.Equal([599UL, 699, 799, 899, 999], index.List(3).Select(max => BinaryPrimitives.ReadUInt64LittleEndian((byte[])max)));
        Assert.Equal(1, index.Long(4));
    }

    [Fact]
    public async Task SortingColumns_WhenRowsAreSorted_AreDeclared()
    {
        var (_, footer, _) = await WriteAsync(falling: false);

        foreach (var rowGroup in footer.List(4).Cast<Struct>())
        {
            var sorting = Assert.IsType<Struct>(Assert.Single(rowGroup.List(4)));
            Assert.Equal(0, sorting.Long(1));
            Assert.Equal(false, sorting[2]);
        }
    }

    [Fact]
    public async Task SortingColumns_WhenARowFalls_AreNotDeclared()
    {
        var (bytes, footer, _) = await WriteAsync(falling: true);

        Assert.All(footer.List(4).Cast<Struct>(), rowGroup => Assert.False(rowGroup.ContainsKey(4)));
        var chunk = Chunks(footer).First();
        Assert.Equal(2, Read(bytes, chunk.Long(6), chunk.Long(7)).Long(4));
    }

    [Fact]
    public async Task FooterForTheCache_HasItsOwnPageIndex()
    {
        var (bytes, footer, info) = await WriteAsync(falling: false);

        var cached = Footer(info.Footer);

        foreach (var (inFile, inCache) in Chunks(footer).Zip(Chunks(cached)))
        {
            Assert.Equal(inFile.Inner(3).Long(9), inCache.Inner(3).Long(9));
            Assert.Equal(
                bytes.AsSpan((int)inFile.Long(6), (int)inFile.Long(7)), info.Footer.AsSpan((int)inCache.Long(6), (int)inCache.Long(7)));
            Assert.Equal(
                bytes.AsSpan((int)inFile.Long(4), (int)inFile.Long(5)), info.Footer.AsSpan((int)inCache.Long(4), (int)inCache.Long(5)));
        }
    }

    // Two row groups of 500 rows, pages of 100.
    private static async Task<(byte[] Bytes, Struct Footer, ParquetFileInfo Info)> WriteAsync(bool falling)
    {
        var schema = new TableSchema("t", [new("_block_num", ArrowType.UInt64, Nullable: false), new("hash", ArrowType.Bytes32, Nullable: false)]);
        using var output = new MemoryStream();
        using var writer = new ParquetFileWriter(output, schema, new() { DataPageRows = 100, MaxRowGroupRows = 500 });
        var random = new Random(3);
        for (var group = 0; group < 2; group++)
        {
            var rows = new TableBuffer(schema) { RowCount = 500 };
            for (var row = 0; row < 500; row++)
            {
                rows.Columns[0].AddUInt64((ulong)(falling ? 999 - (group * 500) - row : (group * 500) + row));
                random.NextBytes(rows.Columns[1].AddFixed());
            }

            await writer.WriteAsync(rows, CancellationToken.None);
        }

        var info = await writer.CompleteAsync([], CancellationToken.None);
        var bytes = output.ToArray();
        return (bytes, Footer(bytes), info);
    }

    private static Struct Footer(byte[] file)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(file.Length - 8));
        return Read(file, file.Length - 8 - length, length);
    }

    private static IEnumerable<Struct> Chunks(Struct footer) =>
        footer.List(4).Cast<Struct>().SelectMany(group => group.List(1)).Cast<Struct>();

    private static Struct Read(byte[] file, long offset, long length) => Read(file, offset, length, out _);

    private static Struct Read(byte[] file, long offset, long length, out int read)
    {
        var reader = new ThriftCompactReader(file.AsSpan((int)offset, (int)length));
        var value = (Struct)Value(ref reader, ThriftType.Struct, inList: false);
        read = reader.Position;
        return value;
    }

    private static object Value(ref ThriftCompactReader reader, ThriftType type, bool inList)
    {
        switch (type)
        {
            case ThriftType.True or ThriftType.False:
                return inList ? reader.ReadByte() == (byte)ThriftType.True : type == ThriftType.True;
            case ThriftType.Byte:
                return (long)reader.ReadByte();
            case ThriftType.Binary:
                return reader.ReadBinary().ToArray();
            case ThriftType.List:
                var list = new List<object>();
                for (var count = reader.ReadListHeader(out var element); count > 0; count--)
                {
                    list.Add(Value(ref reader, element, inList: true));
                }

                return list;
            case ThriftType.Struct:
                var fields = new Struct();
                short id = 0;
                while (reader.NextField(ref id, out var field))
                {
                    fields[id] = Value(ref reader, field, inList: false);
                }

                return fields;
            default:
                return reader.ReadInteger();
        }
    }

    private sealed class Struct : Dictionary<short, object>
    {
        public long Long(short id) => (long)this[id];

        public List<object> List(short id) => (List<object>)this[id];

        public Struct Inner(short id) => (Struct)this[id];
    }
}
