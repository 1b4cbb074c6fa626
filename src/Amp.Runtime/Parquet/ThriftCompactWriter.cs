using System.Text;

namespace Amp.Parquet;

/// <summary>Types of Thrift's compact protocol, as they stand in field and list headers.</summary>
internal enum ThriftType : byte
{
    Stop = 0,
    True = 1,
    False = 2,
    Byte = 3,
    I16 = 4,
    I32 = 5,
    I64 = 6,
    Double = 7,
    Binary = 8,
    List = 9,
    Set = 10,
    Map = 11,
    Struct = 12,
}

/// <summary>
/// Writes Thrift's compact protocol, in which Parquet's headers and footer are encoded. The fields of a struct are
/// written in rising order of their ids.
/// </summary>
internal sealed class ThriftCompactWriter(ByteBuffer output)
{
    private readonly short[] _outerIds = new short[16];
    private int _depth;
    private short _lastId;

    /// <summary>Begins a struct: the outermost, or an element of a list.</summary>
    public void BeginStruct()
    {
        _outerIds[_depth++] = _lastId;
        _lastId = 0;
    }

    /// <summary>Begins a struct that is a field.</summary>
    public void BeginStruct(short id)
    {
        Header(id, ThriftType.Struct);
        BeginStruct();
    }

    /// <summary>Ends the innermost struct.</summary>
    public void EndStruct()
    {
        output.WriteByte((byte)ThriftType.Stop);
        _lastId = _outerIds[--_depth];
    }

    /// <summary>Begins a list; its elements follow, nothing ends it.</summary>
    public void BeginList(short id, ThriftType element, int count)
    {
        Header(id, ThriftType.List);
        if (count < 15)
        {
            output.WriteByte((byte)((count << 4) | (int)element));
        }
        else
        {
            output.WriteByte((byte)(0xf0 | (int)element));
            output.WriteVarint((uint)count);
        }
    }

    /// <summary>Writes a field.</summary>
    public void Boolean(short id, bool value) => Header(id, value ? ThriftType.True : ThriftType.False);

    /// <summary>Writes a field of 8 bits.</summary>
    public void Byte(short id, byte value)
    {
        Header(id, ThriftType.Byte);
        output.WriteByte(value);
    }

    /// <summary>Writes a field.</summary>
    public void I16(short id, short value)
    {
        Header(id, ThriftType.I16);
        Zigzag(value);
    }

    /// <summary>Writes a field.</summary>
    public void I32(short id, int value)
    {
        Header(id, ThriftType.I32);
        Zigzag(value);
    }

    /// <summary>Writes a field.</summary>
    public void I64(short id, long value)
    {
        Header(id, ThriftType.I64);
        Zigzag(value);
    }

    /// <summary>Writes a field.</summary>
    public void Binary(short id, ReadOnlySpan<byte> value)
    {
        Header(id, ThriftType.Binary);
        BinaryElement(value);
    }

    /// <summary>Writes a field.</summary>
    public void String(short id, string value) => Binary(id, Encoding.UTF8.GetBytes(value));

    /// <summary>Writes a list's element.</summary>
    public void BooleanElement(bool value) => output.WriteByte((byte)(value ? ThriftType.True : ThriftType.False));

    /// <summary>Writes a list's element of 32 or 64 bits.</summary>
    public void IntegerElement(long value) => Zigzag(value);

    /// <summary>Writes a list's element.</summary>
    public void BinaryElement(ReadOnlySpan<byte> value)
    {
        output.WriteVarint((uint)value.Length);
        output.Write(value);
    }

    private void Header(short id, ThriftType type)
    {
        var step = id - _lastId;
        if (step is > 0 and <= 15)
        {
            output.WriteByte((byte)((step << 4) | (int)type));
        }
        else
        {
            output.WriteByte((byte)type);
            Zigzag(id);
        }

        _lastId = id;
    }

    private void Zigzag(long value) => output.WriteVarint((ulong)((value << 1) ^ (value >> 63)));
}
