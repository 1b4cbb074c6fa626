using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Amp.Parquet;

/// <summary>
/// Random rows of any schema, both as columns (shredded by the rules of the format's definition and repetition levels)
/// and as the JSON that DuckDB prints of them.
/// </summary>
internal sealed class RandomTable
{
    private readonly Random _random;
    private readonly int _distinct;
    private ulong _counter;

    /// <summary>Begins an empty table; each leaf draws from about <paramref name="distinct"/> different values, 0 for no bound.</summary>
    public RandomTable(TableSchema schema, int seed, int distinct = 0)
    {
        Schema = schema;
        _random = new Random(seed);
        _distinct = distinct;
    }

    /// <summary>One column of every type, required and nullable, and every nesting that tables here have.</summary>
    public static TableSchema AllTypes { get; } = new("all_types",
    [
        new("_block_num", ArrowType.UInt64, Nullable: false),
        .. new (string Name, ArrowType Type)[]
        {
            ("bool", ArrowType.Boolean), ("i32", ArrowType.Int32), ("u32", ArrowType.UInt32), ("u64", ArrowType.UInt64),
            ("time", ArrowType.TimestampNanos), ("decimal", ArrowType.Decimal38), ("text", ArrowType.Utf8),
            ("bytes", ArrowType.Binary), ("hash", ArrowType.Bytes32), ("address", ArrowType.Bytes20),
        }.SelectMany(column => new ArrowField[]
        {
            new(column.Name, column.Type, Nullable: false),
            new(column.Name + "_or_null", column.Type, Nullable: true),
        }),
        new("hashes", ArrowType.ListOf(ArrowType.Bytes32), Nullable: true),
        new("numbers", new ArrowType.List(new("item", ArrowType.UInt64, Nullable: true)), Nullable: false),
        new("access_list", ArrowType.ListOf(new ArrowType.Struct(
        [
            new("address", ArrowType.Bytes20, Nullable: false),
            new("storage_keys", ArrowType.ListOf(ArrowType.Bytes32), Nullable: false),
        ])), Nullable: true),
        new("authorization_list", ArrowType.ListOf(new ArrowType.Struct(
        [
            new("chain_id", ArrowType.UInt64, Nullable: false),
            new("y_parity", ArrowType.Boolean, Nullable: false),
            new("note", ArrowType.Utf8, Nullable: true),
        ])), Nullable: true),
        new("pair", new ArrowType.Struct(
        [
            new("left", ArrowType.Int32, Nullable: true),
            new("right", new ArrowType.List(new("item", ArrowType.ListOf(ArrowType.UInt32), Nullable: true)), Nullable: true),
        ]), Nullable: true),
    ]);

    public TableSchema Schema { get; }

    /// <summary>What DuckDB prints of each row, in order.</summary>
    public List<JsonObject> Expected { get; } = [];

    /// <summary>Adds rows and returns them as columns.</summary>
    public TableBuffer Next(int rows)
    {
        var buffer = new TableBuffer(Schema);
        for (var row = 0; row < rows; row++)
        {
            var expected = new JsonObject();
            var leaf = 0;
            foreach (var field in Schema.Fields)
            {
                expected[field.Name] = Add(buffer, ref leaf, field, repetition: 0, definition: 0, depth: 0);
            }

            buffer.RowCount++;
            Expected.Add(expected);
        }

        return buffer;
    }

    private JsonNode? Add(TableBuffer buffer, ref int leaf, ArrowField field, int repetition, int definition, int depth)
    {
        if (field.Nullable)
        {
            if (_random.Next(4) == 0)
            {
                AddNulls(buffer, ref leaf, field, repetition, definition);
                return null;
            }

            definition++;
        }

        switch (field.Type)
        {
            case ArrowType.List list:
                var items = new JsonArray();
                var count = _random.Next(4);
                if (count == 0)
                {
                    AddNulls(buffer, ref leaf, list.Item, repetition, definition);
                }

                var first = leaf;
                for (var i = 0; i < count; i++)
                {
                    leaf = first;
                    items.Add(Add(buffer, ref leaf, list.Item, i == 0 ? repetition : depth + 1, definition + 1, depth + 1));
                }

                return items;
            case ArrowType.Struct group:
                var fields = new JsonObject();
                foreach (var child in group.Fields)
                {
                    fields[child.Name] = Add(buffer, ref leaf, child, repetition, definition, depth);
                }

                return fields;
            default:
                var column = buffer.Columns[leaf++];
                column.Repetition = (byte)repetition;
                return AddValue(column, field.Name);
        }
    }

    private static void AddNulls(TableBuffer buffer, ref int leaf, ArrowField field, int repetition, int definition)
    {
        switch (field.Type)
        {
            case ArrowType.List list:
                AddNulls(buffer, ref leaf, list.Item, repetition, definition);
                break;
            case ArrowType.Struct group:
                foreach (var child in group.Fields)
                {
                    AddNulls(buffer, ref leaf, child, repetition, definition);
                }

                break;
            default:
                var column = buffer.Columns[leaf++];
                column.Repetition = (byte)repetition;
                column.AddNull(definition);
                break;
        }
    }

    private JsonNode AddValue(ColumnBuffer column, string name)
    {
        if (name == "_block_num")
        {
            column.AddUInt64(15_000_000 + (_counter / 7));
            return (15_000_000 + (_counter++ / 7)).ToString(CultureInfo.InvariantCulture);
        }

        var type = column.Leaf.Type;
        var random = _distinct == 0 ? _random : new Random(_random.Next(_distinct));
        if (type == ArrowType.Boolean)
        {
            var value = random.Next(2) == 1;
            column.AddBoolean(value);
            return value;
        }

        if (type == ArrowType.Int32)
        {
            var value = random.Next(10) switch { 0 => int.MinValue, 1 => int.MaxValue, _ => random.Next(-1000, 1000) };
            column.AddInt32(value);
            return value;
        }

        if (type == ArrowType.UInt32)
        {
            var value = random.Next(10) switch { 0 => uint.MaxValue, 1 => 0u, _ => (uint)random.Next(100_000) };
            column.AddUInt32(value);
            return value;
        }

        if (type == ArrowType.UInt64)
        {
            var value = random.Next(10) switch { 0 => ulong.MaxValue, 1 => 0ul, 2 => 1UL << 63, _ => (ulong)random.NextInt64(1L << random.Next(1, 62)) };
            column.AddUInt64(value);
            return value.ToString(CultureInfo.InvariantCulture);
        }

        if (type == ArrowType.TimestampNanos)
        {
            // DuckDB keeps microseconds of a time with a zone.
            var microseconds = random.NextInt64(1_438_269_973_000_000, 1_900_000_000_000_000);
            column.AddUInt64((ulong)(microseconds * 1000));
            return DateTime.UnixEpoch.AddMicroseconds(microseconds).ToString("yyyy-MM-dd HH:mm:ss.FFFFFF", CultureInfo.InvariantCulture) + "+00";
        }

        if (type == ArrowType.Decimal38)
        {
            var largest = (Int128)UInt128.Parse(new string('9', 38), CultureInfo.InvariantCulture);
            Int128 value = random.Next(8) switch { 0 => largest, 1 => -largest, 2 => 0, 3 => -1, _ => new Int128((ulong)random.NextInt64(1 << 20), (ulong)random.NextInt64()) * (random.Next(2) == 0 ? 1 : -1) };
            column.AddDecimal(value);
            return value.ToString(CultureInfo.InvariantCulture);
        }

        if (type == ArrowType.Utf8)
        {
            string[] characters = ["é", "€", "🚀", "~", " ", "\"", "z", "7"];
            var value = string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => characters[random.Next(characters.Length)]));
            column.AddBytes(Encoding.UTF8.GetBytes(value));
            return value;
        }

        var bytes = new byte[type.ValueWidth > 0 ? type.ValueWidth : random.Next(20) == 0 ? random.Next(3000) : random.Next(100)];
        random.NextBytes(bytes);
        if (type == ArrowType.Binary)
        {
            column.AddBytes(bytes);
        }
        else
        {
            column.AddFixed(bytes);
        }

        return "0x" + Convert.ToHexStringLower(bytes);
    }
}
