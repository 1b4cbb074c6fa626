using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Amp.Parquet;

/// <summary>
/// Puts rows together from columns. Values are <see cref="bool"/>, <see cref="int"/>, <see cref="uint"/>, <see cref="ulong"/>,
/// <see cref="DateTimeOffset"/> (UTC, to 100 ns), <see cref="BigInteger"/> (decimals), <see cref="string"/>, bytes as <c>0x</c> and
/// lower-case hex digits, arrays of objects (lists), <see cref="TableRow"/> (structs) and null.
/// </summary>
internal sealed class RowAssembler(TableSchema schema)
{
    private const long NanosecondsPerTick = 100;
    private readonly ColumnCursor[] _cursors = [.. schema.Leaves.Select(leaf => new ColumnCursor(leaf))];
    private readonly Func<ColumnCursor, object>[] _values = [.. schema.Leaves.Select(leaf => ValueOf(leaf.Type))];

    /// <summary>The reader of a leaf.</summary>
    public ColumnCursor this[Index leaf] => _cursors[leaf];

    /// <summary>Stands before the first of some rows.</summary>
    public void Begin(TableBuffer rows)
    {
        for (var i = 0; i < _cursors.Length; i++)
        {
            _cursors[i].Begin(rows.Columns[i]);
        }
    }

    /// <summary>Goes to the next row, which must be there.</summary>
    public void MoveNext()
    {
        foreach (var cursor in _cursors)
        {
            cursor.MoveToNextRow();
        }
    }

    /// <summary>The values of the first <paramref name="fieldCount"/> fields; may be asked for once a row.</summary>
    public object?[] Read(int fieldCount)
    {
        var values = new object?[fieldCount];
        var leaf = 0;
        for (var i = 0; i < fieldCount; i++)
        {
            values[i] = Read(schema.Fields[i], ref leaf, definition: 0, depth: 0);
        }

        return values;
    }

    private object? Read(ArrowField field, ref int leaf, int definition, int depth)
    {
        if (field.Nullable && _cursors[leaf].Definition <= definition++)
        {
            leaf += field.LeafCount;
            return null;
        }

        switch (field.Type)
        {
            case ArrowType.List list:
                return ReadList(list, ref leaf, definition, depth);
            case ArrowType.Struct group:
                var values = new object?[group.Fields.Count];
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] = Read(group.Fields[i], ref leaf, definition, depth);
                }

                return new TableRow(null, group.Names, values);
            default:
                return _values[leaf](_cursors[leaf++]);
        }
    }

    private object?[] ReadList(ArrowType.List list, ref int leaf, int definition, int depth)
    {
        var first = leaf;
        leaf += list.Item.LeafCount;
        if (_cursors[first].Definition <= definition)
        {
            return [];
        }

        var items = new List<object?>();
        bool hasMore;
        do
        {
            var at = first;
            items.Add(Read(list.Item, ref at, definition + 1, depth + 1));
            hasMore = _cursors[first].TryMoveWithinRow(depth + 1);
            for (var i = first + 1; i < leaf; i++)
            {
                if (_cursors[i].TryMoveWithinRow(depth + 1) != hasMore)
                {
                    throw new InvalidDataException($"the columns of {_cursors[i].Name} do not fit together");
                }
            }
        }
        while (hasMore);
        return [.. items];
    }

    private static Func<ColumnCursor, object> ValueOf(ArrowType type) => type switch
    {
        _ when type == ArrowType.Boolean => cursor => cursor.Value[0] != 0,
        _ when type == ArrowType.Int32 => cursor => (int)cursor.UInt32,
        _ when type == ArrowType.UInt32 => cursor => cursor.UInt32,
        _ when type == ArrowType.UInt64 => cursor => cursor.UInt64,
        _ when type == ArrowType.TimestampNanos => cursor => DateTimeOffset.UnixEpoch.AddTicks((long)cursor.UInt64 / NanosecondsPerTick),
        _ when type == ArrowType.Decimal38 => cursor => (BigInteger)BinaryPrimitives.ReadInt128BigEndian(cursor.Value),
        _ when type == ArrowType.Utf8 => cursor => Encoding.UTF8.GetString(cursor.Value),
        _ => cursor => $"0x{Convert.ToHexStringLower(cursor.Value)}",
    };
}
