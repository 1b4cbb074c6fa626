namespace Amp.Parquet;

/// <summary>Reads the schema in a file's footer, as far as tables here need it.</summary>
internal static class ParquetSchemaReader
{
    private const int MaxDepth = 16;
    private const int Optional = 1;
    private const int Repeated = 2;

    private enum Meaning
    {
        None,
        Text,
        List,
        Decimal,
        Int32,
        UInt32,
        UInt64,
        TimestampNanos,
        Other,
    }

    /// <summary>Reads the list of schema elements; a type that tables here do not have is a <see cref="NotSupportedException"/>.</summary>
    public static TableSchema Read(ref ThriftCompactReader reader)
    {
        var elements = new List<Element>();
        for (var count = reader.ReadListHeader(out _); count > 0; count--)
        {
            elements.Add(ReadElement(ref reader));
        }

        var next = 0;
        var root = Take(elements, ref next);
        return new TableSchema(root.Name, ReadFields(elements, ref next, root.Children, depth: 0));
    }

    private static ArrowField[] ReadFields(List<Element> elements, ref int next, int count, int depth)
    {
        if (depth > MaxDepth || count < Math.Min(depth, 1) || count > elements.Count - next)
        {
            throw Malformed();
        }

        var fields = new ArrowField[count];
        for (var i = 0; i < count; i++)
        {
            fields[i] = ReadField(elements, ref next, depth);
        }

        return fields;
    }

    private static ArrowField ReadField(List<Element> elements, ref int next, int depth)
    {
        var element = Take(elements, ref next);
        if (element.Repetition == Repeated)
        {
            throw NotSupported(element);
        }

        if (element.Physical is not null)
        {
            return new ArrowField(element.Name, LeafType(element), element.Repetition == Optional);
        }

        ArrowType type;
        if (element.Meaning == Meaning.List)
        {
            // Three levels: the list, a repeated group, the element.
            var group = Take(elements, ref next);
            if (element.Children != 1 || group.Repetition != Repeated || group.Children != 1)
            {
                throw NotSupported(element);
            }

            type = new ArrowType.List(ReadFields(elements, ref next, count: 1, depth + 1)[0]);
        }
        else
        {
            type = element.Meaning == Meaning.None ? new ArrowType.Struct(ReadFields(elements, ref next, element.Children, depth + 1)) : throw NotSupported(element);
        }

        return new ArrowField(element.Name, type, element.Repetition == Optional);
    }

    private static ArrowType LeafType(Element element) => (element.Physical, element.Meaning) switch
    {
        (PhysicalType.Boolean, Meaning.None) => ArrowType.Boolean,
        (PhysicalType.Int32, Meaning.None or Meaning.Int32) => ArrowType.Int32,
        (PhysicalType.Int32, Meaning.UInt32) => ArrowType.UInt32,
        (PhysicalType.Int64, Meaning.UInt64) => ArrowType.UInt64,
        (PhysicalType.Int64, Meaning.TimestampNanos) => ArrowType.TimestampNanos,
        (PhysicalType.ByteArray, Meaning.Text) => ArrowType.Utf8,
        (PhysicalType.ByteArray, Meaning.None) => ArrowType.Binary,
        (PhysicalType.FixedLenByteArray, Meaning.None) when element.Length > 0 => new ArrowType.FixedSizeBinary(element.Length),
        (PhysicalType.FixedLenByteArray, Meaning.Decimal) when element is { Length: 16, Scale: 0 } => ArrowType.Decimal38,
        _ => throw NotSupported(element),
    };

    private static Element Take(List<Element> elements, ref int next) => next < elements.Count ? elements[next++] : throw Malformed();

    private static Element ReadElement(ref ThriftCompactReader reader)
    {
        var element = new Element("", null, 0, 0, 0, 0, Meaning.None);
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            switch (id, type)
            {
                case (1, ThriftType.I32):
                    element = element with { Physical = (PhysicalType)reader.ReadInteger() };
                    break;
                case (2, ThriftType.I32):
                    element = element with { Length = (int)reader.ReadInteger() };
                    break;
                case (3, ThriftType.I32):
                    element = element with { Repetition = (int)reader.ReadInteger() };
                    break;
                case (4, ThriftType.Binary):
                    element = element with { Name = reader.ReadString() };
                    break;
                case (5, ThriftType.I32):
                    element = element with { Children = (int)reader.ReadInteger() };
                    break;
                case (6, ThriftType.I32):
                    element = element with { Meaning = ConvertedType(reader.ReadInteger()) };
                    break;
                case (7, ThriftType.I32):
                    element = element with { Scale = (int)reader.ReadInteger() };
                    break;
                case (10, ThriftType.Struct):
                    element = element with { Meaning = ReadLogicalType(ref reader) };
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return element;
    }

    /// <summary>The older way to say what a value means; the logical type, where there is one, comes after it and counts.</summary>
    private static Meaning ConvertedType(long number) => number switch
    {
        0 => Meaning.Text,
        3 => Meaning.List,
        5 => Meaning.Decimal,
        13 => Meaning.UInt32,
        14 => Meaning.UInt64,
        17 => Meaning.Int32,
        _ => Meaning.Other,
    };

    private static Meaning ReadLogicalType(ref ThriftCompactReader reader)
    {
        var meaning = Meaning.Other;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if ((id, type) == (8, ThriftType.Struct))
            {
                meaning = ReadTimestamp(ref reader);
            }
            else if ((id, type) == (10, ThriftType.Struct))
            {
                meaning = ReadInteger(ref reader);
            }
            else
            {
                meaning = id switch
                {
                    1 => Meaning.Text,
                    3 => Meaning.List,
                    5 => Meaning.Decimal,
                    _ => Meaning.Other,
                };
                reader.Skip(type);
            }
        }

        return meaning;
    }

    private static Meaning ReadTimestamp(ref ThriftCompactReader reader)
    {
        var meaning = Meaning.Other;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if ((id, type) != (2, ThriftType.Struct))
            {
                reader.Skip(type);
                continue;
            }

            short unit = 0;
            while (reader.NextField(ref unit, out var unitType))
            {
                meaning = unit == 3 ? Meaning.TimestampNanos : Meaning.Other;
                reader.Skip(unitType);
            }
        }

        return meaning;
    }

    private static Meaning ReadInteger(ref ThriftCompactReader reader)
    {
        var bits = 0;
        var isSigned = false;
        short id = 0;
        while (reader.NextField(ref id, out var type))
        {
            if ((id, type) == (1, ThriftType.Byte))
            {
                bits = reader.ReadByte();
            }
            else
            {
                isSigned |= id == 2 && type == ThriftType.True;
                reader.Skip(type);
            }
        }

        return (bits, isSigned) switch
        {
            (32, true) => Meaning.Int32,
            (32, false) => Meaning.UInt32,
            (64, false) => Meaning.UInt64,
            _ => Meaning.Other,
        };
    }

    private static NotSupportedException NotSupported(Element element) =>
        new($"column {element.Name} is of a type that Amp's tables do not have");

    private static InvalidDataException Malformed() => new("its schema is malformed");

    private sealed record Element(string Name, PhysicalType? Physical, int Length, int Repetition, int Children, int Scale, Meaning Meaning);
}
