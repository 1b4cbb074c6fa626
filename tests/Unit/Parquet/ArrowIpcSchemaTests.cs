using System.Buffers.Binary;
using System.Text;

namespace Amp.Parquet;

/// <summary>Reads the message by the rules of flatbuffers and of Arrow's Schema.fbs, without the builder.</summary>
public sealed class ArrowIpcSchemaTests
{
    [Fact]
    public void Message_HasContinuationLengthAndVersion()
    {
        var message = ArrowIpcSchema.ToMessage(RandomTable.AllTypes);

        Assert.Equal(-1, BinaryPrimitives.ReadInt32LittleEndian(message));
        Assert.Equal(message.Length - 8, BinaryPrimitives.ReadInt32LittleEndian(message.AsSpan(4)));
        Assert.Equal(0, message.Length % 8);
        var root = Root(message);
        Assert.Equal((4, 1), (root.Int16(0), root.Byte(1)));
    }

    [Fact]
    public void Message_NamesEveryFieldWithTypeAndNullability()
    {
        var fields = Root(ArrowIpcSchema.ToMessage(RandomTable.AllTypes)).Inner(2).Vector(1).Select(Describe).ToArray();

        Assert.Equal(RandomTable.AllTypes.Fields.Count, fields.Length);
        Assert.Equal("_block_num:Int(64,unsigned)", fields[0]);
        Assert.Contains("bool_or_null:Bool?", fields);
        Assert.Contains("i32:Int(32,signed)", fields);
        Assert.Contains("u32_or_null:Int(32,unsigned)?", fields);
        Assert.Contains("time:Timestamp(3,+00:00)", fields);
        Assert.Contains("decimal:Decimal(38,0,128)", fields);
        Assert.Contains("text_or_null:Utf8?", fields);
        Assert.Contains("bytes:Binary", fields);
        Assert.Contains("hash:FixedSizeBinary(32)", fields);
        Assert.Contains("numbers:List[item:Int(64,unsigned)?]", fields);
        Assert.Contains("access_list:List[item:Struct[address:FixedSizeBinary(20) storage_keys:List[item:FixedSizeBinary(32)]]]?", fields);
    }

    private static Table Root(byte[] message)
    {
        var buffer = message[8..];
        return new Table(buffer, BinaryPrimitives.ReadInt32LittleEndian(buffer));
    }

    private static string Describe(Table field)
    {
        var type = field.Inner(3);
        var name = field.Byte(2) switch
        {
            2 => $"Int({type.Int32(0)},{(type.Byte(1) == 1 ? "signed" : "unsigned")})",
            4 => "Binary",
            5 => "Utf8",
            6 => "Bool",
            7 => $"Decimal({type.Int32(0)},{type.Int32(1)},{type.Int32(2)})",
            10 => $"Timestamp({type.Int16(0)},{type.String(1)})",
            12 => "List",
            13 => "Struct",
            15 => $"FixedSizeBinary({type.Int32(0)})",
            var other => $"unknown {other}",
        };
        var children = field.Vector(5).Select(Describe).ToArray();
        return $"{field.String(0)}:{name}{(children.Length > 0 ? $"[{string.Join(' ', children)}]" : "")}{(field.Byte(1) == 1 ? "?" : "")}";
    }

    private readonly record struct Table(byte[] Buffer, int Position)
    {
        public int Int16(int slot) => Field(slot) is > 0 and var at ? BinaryPrimitives.ReadInt16LittleEndian(Buffer.AsSpan(at)) : 0;

        public int Int32(int slot) => Field(slot) is > 0 and var at ? BinaryPrimitives.ReadInt32LittleEndian(Buffer.AsSpan(at)) : 0;

        public int Byte(int slot) => Field(slot) is > 0 and var at ? Buffer[at] : 0;

        public Table Inner(int slot) => new(Buffer, Target(Field(slot)));

        public string String(int slot)
        {
            var at = Target(Field(slot));
            return Encoding.UTF8.GetString(Buffer, at + 4, BinaryPrimitives.ReadInt32LittleEndian(Buffer.AsSpan(at)));
        }

        public IEnumerable<Table> Vector(int slot)
        {
            var at = Target(Field(slot));
            for (var i = 0; i < BinaryPrimitives.ReadInt32LittleEndian(Buffer.AsSpan(at)); i++)
            {
                yield return new Table(Buffer, Target(at + 4 + (4 * i)));
            }
        }

        private int Target(int at)
        {
            Assert.Equal(0, at % 4);
            return at + BinaryPrimitives.ReadInt32LittleEndian(Buffer.AsSpan(at));
        }

        private int Field(int slot)
        {
            var vtable = Position - BinaryPrimitives.ReadInt32LittleEndian(Buffer.AsSpan(Position));
            var length = BinaryPrimitives.ReadInt16LittleEndian(Buffer.AsSpan(vtable));
            var offset = 4 + (2 * slot) < length ? BinaryPrimitives.ReadInt16LittleEndian(Buffer.AsSpan(vtable + 4 + (2 * slot))) : 0;
            return offset == 0 ? 0 : Position + offset;
        }
    }
}
