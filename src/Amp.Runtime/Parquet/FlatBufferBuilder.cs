using System.Buffers.Binary;
using System.Text;

namespace Amp.Parquet;

/// <summary>
/// Builds a flatbuffer from its end to its beginning: what is referred to is written before what refers to it. An
/// object is known by its distance from the buffer's end. Only what Arrow's schema message needs.
/// </summary>
internal sealed class FlatBufferBuilder
{
    private byte[] _array = new byte[1024];
    private int _free = 1024;
    private (int Slot, int Position)[] _fields = [];
    private int _fieldCount;
    private int _tableStart;

    private int Position => _array.Length - _free;

    /// <summary>Writes text.</summary>
    public int String(string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        Align(4, bytes.Length + 1);
        Take(1)[0] = 0;
        bytes.CopyTo(Take(bytes.Length));
        BinaryPrimitives.WriteInt32LittleEndian(Take(4), bytes.Length);
        return Position;
    }

    /// <summary>Writes a vector of references.</summary>
    public int Vector(ReadOnlySpan<int> objects)
    {
        Align(4, 4 * objects.Length);
        for (var i = objects.Length - 1; i >= 0; i--)
        {
            Reference(objects[i]);
        }

        BinaryPrimitives.WriteInt32LittleEndian(Take(4), objects.Length);
        return Position;
    }

    /// <summary>Begins a table of <paramref name="slots"/> possible fields. What they refer to is written already.</summary>
    public void BeginTable(int slots)
    {
        _fields = new (int, int)[slots];
        _fieldCount = 0;
        _tableStart = Position;
    }

    /// <summary>Writes a field of 8 bits.</summary>
    public void Byte(int slot, byte value)
    {
        Align(1, 0);
        Take(1)[0] = value;
        Field(slot);
    }

    /// <summary>Writes a field of 16 bits.</summary>
    public void Int16(int slot, short value)
    {
        Align(2, 0);
        BinaryPrimitives.WriteInt16LittleEndian(Take(2), value);
        Field(slot);
    }

    /// <summary>Writes a field of 32 bits.</summary>
    public void Int32(int slot, int value)
    {
        Align(4, 0);
        BinaryPrimitives.WriteInt32LittleEndian(Take(4), value);
        Field(slot);
    }

    /// <summary>Writes a field of 64 bits.</summary>
    public void Int64(int slot, long value)
    {
        Align(8, 0);
        BinaryPrimitives.WriteInt64LittleEndian(Take(8), value);
        Field(slot);
    }

    /// <summary>Writes a field that refers to an object.</summary>
    public void Object(int slot, int target)
    {
        Align(4, 0);
        Reference(target);
        Field(slot);
    }

    /// <summary>Ends the table.</summary>
    public int EndTable()
    {
        Align(4, 0);
        var offsetToVtable = Take(4);
        offsetToVtable.Clear();
        var table = Position;
        var fields = _fields.AsSpan(0, _fieldCount);
        var slots = 0;
        foreach (var (slot, _) in fields)
        {
            slots = Math.Max(slots, slot + 1);
        }

        var vtable = Take(4 + (2 * slots));
        vtable.Clear();
        BinaryPrimitives.WriteInt16LittleEndian(vtable, (short)vtable.Length);
        BinaryPrimitives.WriteInt16LittleEndian(vtable[2..], (short)(table - _tableStart));
        foreach (var (slot, position) in fields)
        {
            BinaryPrimitives.WriteInt16LittleEndian(vtable[(4 + (2 * slot))..], (short)(table - position));
        }

        BinaryPrimitives.WriteInt32LittleEndian(_array.AsSpan(_array.Length - table), Position - table);
        return table;
    }

    /// <summary>Ends the buffer, whose root is a table, and returns it; its length is a multiple of 8.</summary>
    public byte[] Finish(int root)
    {
        Align(8, 4);
        Reference(root);
        return _array[_free..];
    }

    private void Reference(int target)
    {
        var place = Take(4);
        BinaryPrimitives.WriteInt32LittleEndian(place, Position - target);
    }

    private void Field(int slot) => _fields[_fieldCount++] = (slot, Position);

    // The buffer's end is aligned to 8, so that distances from it align as positions do.
    private void Align(int size, int following)
    {
        var padding = -(Position + following) & (size - 1);
        Take(padding).Clear();
    }

    private Span<byte> Take(int count)
    {
        if (_free < count)
        {
            var larger = new byte[Math.Max(_array.Length * 2, Position + count)];
            _array.AsSpan(_free).CopyTo(larger.AsSpan(larger.Length - Position));
            _free += larger.Length - _array.Length;
            _array = larger;
        }

        _free -= count;
        return _array.AsSpan(_free, count);
    }
}
