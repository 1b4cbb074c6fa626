using System.Text;

namespace Amp.Parquet;

/// <summary>
/// Reads Thrift's compact protocol. Bytes that are not Thrift, or end too early, are an
/// <see cref="InvalidDataException"/>.
/// </summary>
internal ref struct ThriftCompactReader(ReadOnlySpan<byte> input)
{
    private const int MaxDepth = 64;
    private readonly ReadOnlySpan<byte> _input = input;
    private int _depth;

    /// <summary>Number of bytes read.</summary>
    public int Position { get; private set; }

    /// <summary>
    /// Reads the header of a struct's next field; false at the struct's end. <paramref name="lastId"/> is 0 at the
    /// struct's beginning and belongs to this struct.
    /// </summary>
    public bool NextField(ref short lastId, out ThriftType type)
    {
        var header = ReadByte();
        type = (ThriftType)(header & 0x0f);
        if (type == ThriftType.Stop)
        {
            return false;
        }

        var step = header >> 4;
        lastId = step == 0 ? (short)ReadInteger() : (short)(lastId + step);
        return true;
    }

    /// <summary>Reads a list's header.</summary>
    public int ReadListHeader(out ThriftType element)
    {
        var header = ReadByte();
        element = (ThriftType)(header & 0x0f);
        var count = header >> 4;
        if (count == 15)
        {
            count = ReadLength();
        }

        // Every element takes a byte at least: a larger count is a lie that would cost memory.
        return count <= _input.Length - Position ? count : throw Malformed();
    }

    /// <summary>Reads a signed integer of 16 to 64 bits.</summary>
    public long ReadInteger()
    {
        var raw = ReadVarint();
        return (long)(raw >> 1) ^ -(long)(raw & 1);
    }

    /// <summary>Reads bytes.</summary>
    public ReadOnlySpan<byte> ReadBinary()
    {
        var length = ReadLength();
        if (length > _input.Length - Position)
        {
            throw Malformed();
        }

        var bytes = _input.Slice(Position, length);
        Position += length;
        return bytes;
    }

    /// <summary>Reads text.</summary>
    public string ReadString() => Encoding.UTF8.GetString(ReadBinary());

    /// <summary>Reads past a value that is not needed.</summary>
    public void Skip(ThriftType type, bool inList = false)
    {
        if (++_depth > MaxDepth)
        {
            throw Malformed();
        }

        switch (type)
        {
            case ThriftType.True or ThriftType.False:
                Position += inList ? 1 : 0;
                break;
            case ThriftType.Byte:
                ReadByte();
                break;
            case ThriftType.I16 or ThriftType.I32 or ThriftType.I64:
                ReadVarint();
                break;
            case ThriftType.Double:
                Position += 8;
                break;
            case ThriftType.Binary:
                ReadBinary();
                break;
            case ThriftType.List or ThriftType.Set:
                for (var count = ReadListHeader(out var element); count > 0; count--)
                {
                    Skip(element, inList: true);
                }

                break;
            case ThriftType.Struct:
                short id = 0;
                while (NextField(ref id, out var field))
                {
                    Skip(field);
                }

                break;
            default:
                throw Malformed();
        }

        _depth--;
    }

    /// <summary>Reads a byte, or a boolean that is a list's element.</summary>
    public byte ReadByte() => (uint)Position < (uint)_input.Length ? _input[Position++] : throw Malformed();

    private int ReadLength()
    {
        var length = ReadVarint();
        return length <= int.MaxValue ? (int)length : throw Malformed();
    }

    private ulong ReadVarint()
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = ReadByte();
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw Malformed();
    }

    private static InvalidDataException Malformed() => new("the Thrift structure is malformed or cut off");
}
