namespace Amp.Parquet;

/// <summary>The Arrow types that tables here are made of; the spelling of each in a manifest is in <c>Datasets</c>.</summary>
internal abstract record ArrowType
{
    /// <summary>true or false.</summary>
    public static readonly ArrowType Boolean = new Primitive("Boolean", 1);

    /// <summary>32-bit signed integer.</summary>
    public static readonly ArrowType Int32 = new Primitive("Int32", 4);

    /// <summary>32-bit unsigned integer.</summary>
    public static readonly ArrowType UInt32 = new Primitive("UInt32", 4);

    /// <summary>64-bit unsigned integer.</summary>
    public static readonly ArrowType UInt64 = new Primitive("UInt64", 8);

    /// <summary>Nanoseconds since 1970-01-01T00:00:00 UTC, time zone <c>+00:00</c>.</summary>
    public static readonly ArrowType TimestampNanos = new Primitive("Timestamp", 8);

    /// <summary>Decimal of 38 digits, none after the point; 16 bytes, two's complement.</summary>
    public static readonly ArrowType Decimal38 = new Primitive("Decimal128", 16);

    /// <summary>UTF-8 text.</summary>
    public static readonly ArrowType Utf8 = new Primitive("Utf8", 0);

    /// <summary>Bytes of any length.</summary>
    public static readonly ArrowType Binary = new Primitive("Binary", 0);

    /// <summary>32 bytes: a hash.</summary>
    public static readonly ArrowType Bytes32 = new FixedSizeBinary(32);

    /// <summary>20 bytes: an address.</summary>
    public static readonly ArrowType Bytes20 = new FixedSizeBinary(20);

    /// <summary>Width of a value in a <see cref="ColumnBuffer"/> in bytes; 0 when values differ in length.</summary>
    public virtual int ValueWidth => 0;

    /// <summary>A type without children.</summary>
    public sealed record Primitive(string Name, int Width) : ArrowType
    {
        /// <inheritdoc/>
        public override int ValueWidth => Width;
    }

    /// <summary>Exactly <paramref name="Size"/> bytes.</summary>
    public sealed record FixedSizeBinary(int Size) : ArrowType
    {
        /// <inheritdoc/>
        public override int ValueWidth => Size;
    }

    /// <summary>A list; the field of its elements is called <c>item</c>, as Arrow does.</summary>
    public sealed record List(ArrowField Item) : ArrowType;

    /// <summary>A group of named fields.</summary>
    public sealed record Struct(IReadOnlyList<ArrowField> Fields) : ArrowType
    {
        /// <summary>Names of the fields.</summary>
        public IReadOnlyList<string> Names { get; } = [.. Fields.Select(field => field.Name)];
    }

    /// <summary>A list whose elements are never null.</summary>
    public static ArrowType ListOf(ArrowType element) => new List(new ArrowField("item", element, Nullable: false));
}

/// <summary>A named, typed field of a table or struct.</summary>
internal sealed record ArrowField(string Name, ArrowType Type, bool Nullable)
{
    /// <summary>Number of leaves below it; 1 when it is one itself.</summary>
    public int LeafCount { get; } = Type switch
    {
        ArrowType.List list => list.Item.LeafCount,
        ArrowType.Struct group => group.Fields.Sum(field => field.LeafCount),
        _ => 1,
    };
}

/// <summary>The fields of a table, in the order of its columns.</summary>
internal sealed class TableSchema
{
    public TableSchema(string name, IReadOnlyList<ArrowField> fields)
    {
        Name = name;
        Fields = fields;
        var leaves = new List<LeafColumn>();
        foreach (var field in fields)
        {
            AddLeaves(leaves, field, [], definition: 0, repetition: 0);
        }

        Leaves = leaves;
    }

    /// <summary>The table's name.</summary>
    public string Name { get; }

    /// <summary>Its fields.</summary>
    public IReadOnlyList<ArrowField> Fields { get; }

    /// <summary>The columns that hold values: the leaves of the field tree, in order, as Parquet stores them.</summary>
    public IReadOnlyList<LeafColumn> Leaves { get; }

    private static void AddLeaves(
        List<LeafColumn> leaves, ArrowField field, string[] parents, int definition, int repetition)
    {
        definition += field.Nullable ? 1 : 0;
        string[] path = [.. parents, field.Name];
        switch (field.Type)
        {
            case ArrowType.List list:
                // Parquet's three-level list: optional group X (LIST) { repeated group list { required E item } }.
                AddLeaves(leaves, list.Item, [.. path, "list"], definition + 1, repetition + 1);
                break;
            case ArrowType.Struct group:
                foreach (var child in group.Fields)
                {
                    AddLeaves(leaves, child, path, definition, repetition);
                }

                break;
            default:
                leaves.Add(new LeafColumn(leaves.Count, path, field.Type, definition, repetition));
                break;
        }
    }
}

/// <summary>A column of values: a leaf of a table's field tree.</summary>
/// <param name="Index">Position among the table's leaves.</param>
/// <param name="Path">Names from the table's field down to the leaf, Parquet's list levels included.</param>
/// <param name="Type">Type of the values.</param>
/// <param name="MaxDefinition">Definition level of an entry that has a value (Parquet's Dremel encoding).</param>
/// <param name="MaxRepetition">Depth of lists around it.</param>
internal sealed record LeafColumn(int Index, string[] Path, ArrowType Type, int MaxDefinition, int MaxRepetition)
{
    /// <summary>The path with dots, as Parquet tools show it.</summary>
    public string DottedPath => string.Join('.', Path);
}
