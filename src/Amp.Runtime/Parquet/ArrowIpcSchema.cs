using System.Buffers.Binary;

namespace Amp.Parquet;

/// <summary>
/// A table's schema as an encapsulated Arrow IPC message. In base64 it stands in the footer under
/// <see cref="MetadataKey"/>, from which Arrow readers restore the exact types.
/// </summary>
internal static class ArrowIpcSchema
{
    /// <summary>The footer's key for the schema.</summary>
    public const string MetadataKey = "ARROW:schema";

    private const byte MessageIsSchema = 1;
    private const short MetadataVersion5 = 4;
    private const short Nanoseconds = 3;

    /// <summary>The message in base64.</summary>
    public static string ToBase64(TableSchema schema) => Convert.ToBase64String(ToMessage(schema));

    /// <summary>The message: continuation marker, length, flatbuffer.</summary>
    public static byte[] ToMessage(TableSchema schema)
    {
        var builder = new FlatBufferBuilder();
        var fields = builder.Vector([.. schema.Fields.Select(field => Field(builder, field))]);
        builder.BeginTable(2);
        builder.Object(1, fields);
        var root = builder.EndTable();
        builder.BeginTable(4);
        builder.Int64(3, 0);
        builder.Object(2, root);
        builder.Int16(0, MetadataVersion5);
        builder.Byte(1, MessageIsSchema);
        var content = builder.Finish(builder.EndTable());
        var message = new byte[8 + content.Length];
        BinaryPrimitives.WriteInt32LittleEndian(message, -1);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(4), content.Length);
        content.CopyTo(message, 8);
        return message;
    }

    private static int Field(FlatBufferBuilder builder, ArrowField field)
    {
        ArrowField[] nested = field.Type switch
        {
            ArrowType.List list => [list.Item],
            ArrowType.Struct group => [.. group.Fields],
            _ => [],
        };
        var children = builder.Vector([.. nested.Select(child => Field(builder, child))]);
        var (kind, type) = Type(builder, field.Type);
        var name = builder.String(field.Name);
        builder.BeginTable(7);
        builder.Object(0, name);
        builder.Object(3, type);
        builder.Object(5, children);
        builder.Byte(2, kind);
        builder.Byte(1, field.Nullable ? (byte)1 : (byte)0);
        return builder.EndTable();
    }

    // The kinds are the members of Arrow's union of types.
    private static (byte Kind, int Offset) Type(FlatBufferBuilder builder, ArrowType type) => type switch
    {
        _ when type == ArrowType.Boolean => (6, Empty(builder)),
        _ when type == ArrowType.Int32 => (2, Integer(builder, 32, signed: true)),
        _ when type == ArrowType.UInt32 => (2, Integer(builder, 32, signed: false)),
        _ when type == ArrowType.UInt64 => (2, Integer(builder, 64, signed: false)),
        _ when type == ArrowType.TimestampNanos => (10, Timestamp(builder)),
        _ when type == ArrowType.Decimal38 => (7, Decimal(builder)),
        _ when type == ArrowType.Utf8 => (5, Empty(builder)),
        _ when type == ArrowType.Binary => (4, Empty(builder)),
        ArrowType.FixedSizeBinary binary => (15, FixedSizeBinary(builder, binary.Size)),
        ArrowType.List => (12, Empty(builder)),
        ArrowType.Struct => (13, Empty(builder)),
        _ => throw new NotSupportedException($"no Arrow message for {type}"),
    };

    private static int Empty(FlatBufferBuilder builder)
    {
        builder.BeginTable(0);
        return builder.EndTable();
    }

    private static int Integer(FlatBufferBuilder builder, int bits, bool signed)
    {
        builder.BeginTable(2);
        builder.Int32(0, bits);
        builder.Byte(1, signed ? (byte)1 : (byte)0);
        return builder.EndTable();
    }

    private static int Timestamp(FlatBufferBuilder builder)
    {
        var zone = builder.String("+00:00");
        builder.BeginTable(2);
        builder.Object(1, zone);
        builder.Int16(0, Nanoseconds);
        return builder.EndTable();
    }

    private static int Decimal(FlatBufferBuilder builder)
    {
        builder.BeginTable(3);
        builder.Int32(0, 38);
        builder.Int32(1, 0);
        builder.Int32(2, 128);
        return builder.EndTable();
    }

    private static int FixedSizeBinary(FlatBufferBuilder builder, int size)
    {
        builder.BeginTable(1);
        builder.Int32(0, size);
        return builder.EndTable();
    }
}
