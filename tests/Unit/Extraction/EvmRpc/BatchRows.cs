using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Amp.Parquet;

namespace Amp.Extraction.EvmRpc;

/// <summary>The rows of a table buffer as text, put together again from values and levels.</summary>
internal static class BatchRows
{
    private sealed record Entry(int Repetition, int Definition, string? Value);

    /// <summary>Every row as <c>column=value</c> lines, in the order of the columns.</summary>
    public static List<string> Read(TableBuffer table)
    {
        var leaves = table.Columns.Select(ReadLeaf).ToList();
        var rows = Enumerable.Range(0, table.RowCount).Select(_ => new StringBuilder()).ToList();
        var next = 0;
        foreach (var field in table.Schema.Fields)
        {
            var count = CountLeaves(field.Type);
            var ofField = leaves.GetRange(next, count);
            Assert.All(ofField, leaf => Assert.Equal(table.RowCount, leaf.Count));
            for (var row = 0; row < rows.Count; row++)
            {
                rows[row].Append(field.Name).Append('=').Append(Format(field, 0, 0, [.. ofField.Select(leaf => leaf[row])])).Append('\n');
            }

            next += count;
        }

        return [.. rows.Select(row => row.ToString())];
    }

    // The entries of a leaf, row by row.
    private static List<List<Entry>> ReadLeaf(ColumnBuffer column)
    {
        var rows = new List<List<Entry>>();
        var value = 0;
        for (var i = 0; i < column.EntryCount; i++)
        {
            int repetition = column.RepetitionLevels.IsEmpty ? 0 : column.RepetitionLevels[i];
            int definition = column.DefinitionLevels.IsEmpty ? 0 : column.DefinitionLevels[i];
            if (repetition == 0)
            {
                rows.Add([]);
            }

            rows[^1].Add(new Entry(repetition, definition, definition == column.Leaf.MaxDefinition ? FormatValue(column, value++) : null));
        }

        Assert.Equal(column.ValueCount, value);
        return rows;
    }

    private static string Format(ArrowField field, int definition, int repetition, List<List<Entry>> leaves)
    {
        if (field.Nullable && leaves[0][0].Definition < ++definition)
        {
            Assert.All(leaves, leaf => Assert.Single(leaf));
            return "null";
        }

        switch (field.Type)
        {
            case ArrowType.List list:
                if (leaves[0][0].Definition < definition + 1)
                {
                    return "[]";
                }

                var elements = leaves.Select(leaf => Split(leaf, repetition + 1)).ToList();
                return $"[{string.Join(", ", Enumerable.Range(0, elements[0].Count).Select(i =>
                    Format(list.Item, definition + 1, repetition + 1, [.. elements.Select(leaf => leaf[i])])))}]";
            case ArrowType.Struct group:
                var parts = new List<string>();
                var next = 0;
                foreach (var child in group.Fields)
                {
                    var count = CountLeaves(child.Type);
                    parts.Add($"{child.Name}:{Format(child, definition, repetition, leaves.GetRange(next, count))}");
                    next += count;
                }

                return $"{{{string.Join(", ", parts)}}}";
            default:
                return Assert.Single(leaves[0]).Value!;
        }
    }

    private static List<List<Entry>> Split(List<Entry> entries, int repetition)
    {
        var elements = new List<List<Entry>>();
        foreach (var entry in entries)
        {
            if (elements.Count == 0 || entry.Repetition <= repetition)
            {
                elements.Add([]);
            }

            elements[^1].Add(entry);
        }

        return elements;
    }

    private static string FormatValue(ColumnBuffer column, int index)
    {
        var type = column.Leaf.Type;
        if (type.ValueWidth == 0)
        {
            var bytes = column.Values[(index == 0 ? 0 : column.ValueEnds[index - 1])..column.ValueEnds[index]];
            return type == ArrowType.Utf8 ? Encoding.UTF8.GetString(bytes) : $"0x{Convert.ToHexStringLower(bytes)}";
        }

        var value = column.Values.Slice(index * type.ValueWidth, type.ValueWidth);
        return type switch
        {
            _ when type == ArrowType.Boolean => value[0] switch { 0 => "false", 1 => "true", _ => throw new InvalidDataException() },
            _ when type == ArrowType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(value).ToString(CultureInfo.InvariantCulture),
            _ when type == ArrowType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(value).ToString(CultureInfo.InvariantCulture),
            _ when type == ArrowType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(value).ToString(CultureInfo.InvariantCulture),
            _ when type == ArrowType.TimestampNanos => BinaryPrimitives.ReadInt64LittleEndian(value).ToString(CultureInfo.InvariantCulture),
            _ when type == ArrowType.Decimal38 => BinaryPrimitives.ReadInt128BigEndian(value).ToString(CultureInfo.InvariantCulture),
            _ => $"0x{Convert.ToHexStringLower(value)}",
        };
    }

    private static int CountLeaves(ArrowType type) => type switch
    {
        ArrowType.List list => CountLeaves(list.Item.Type),
        ArrowType.Struct group => group.Fields.Sum(field => CountLeaves(field.Type)),
        _ => 1,
    };
}
