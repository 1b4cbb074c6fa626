using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Amp.Parquet;

/// <summary>
/// Values and levels of one leaf column for some rows, in the form in which they are decoded and encoded: values
/// stand one behind the other without gaps for nulls, in little endian (decimals in big endian, booleans a byte
/// each); definition and repetition levels are a byte per entry and absent where the column has none. Not safe for
/// use by two threads at once.
/// </summary>
internal sealed class ColumnBuffer
{
    private readonly int _width;
    private readonly byte _maxDefinition;
    private readonly bool _hasDefinition;
    private readonly bool _hasRepetition;
    private byte[] _values = [];
    private int _valuesLength;
    private int[] _ends = [];
    private byte[] _definition = [];
    private byte[] _repetition = [];

    public ColumnBuffer(LeafColumn leaf)
    {
        Leaf = leaf;
        _width = leaf.Type.ValueWidth;
        _maxDefinition = (byte)leaf.MaxDefinition;
        _hasDefinition = leaf.MaxDefinition > 0;
        _hasRepetition = leaf.MaxRepetition > 0;
    }

    /// <summary>The column this is a part of.</summary>
    public LeafColumn Leaf { get; }

    /// <summary>Number of values that are not null.</summary>
    public int ValueCount { get; private set; }

    /// <summary>Number of entries: values, nulls and empty lists.</summary>
    public int EntryCount { get; private set; }

    /// <summary>
    /// Repetition level of the next entry: 0 begins a new row (set it back to 0 after a list's last element).
    /// Without meaning for a column outside of lists.
    /// </summary>
    public byte Repetition { get; set; }

    /// <summary>All values, one behind the other.</summary>
    public ReadOnlySpan<byte> Values => _values.AsSpan(0, _valuesLength);

    /// <summary>Where each value ends in <see cref="Values"/>; empty when values have a fixed width.</summary>
    public ReadOnlySpan<int> ValueEnds => _width == 0 ? _ends.AsSpan(0, ValueCount) : [];

    /// <summary>Definition level of each entry; empty when every entry must have a value.</summary>
    public ReadOnlySpan<byte> DefinitionLevels => _hasDefinition ? _definition.AsSpan(0, EntryCount) : [];

    /// <summary>Repetition level of each entry; empty outside of lists.</summary>
    public ReadOnlySpan<byte> RepetitionLevels => _hasRepetition ? _repetition.AsSpan(0, EntryCount) : [];

    /// <summary>Bytes of values and levels held.</summary>
    public long ByteCount => _valuesLength + Overhead(EntryCount, ValueCount);

    /// <summary>A value, by its place among those that are not null.</summary>
    public ReadOnlySpan<byte> ValueAt(int value) => _values.AsSpan(ValueOffset(value)..ValueOffset(value + 1));

    /// <summary>Adds an entry with a value of fixed width and returns the place to write it to. The content is arbitrary until written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> AddFixed()
    {
        var start = _valuesLength;
        if (_values.Length - start < _width)
        {
            Array.Resize(ref _values, Grown(_values.Length, start + _width));
        }

        _valuesLength = start + _width;
        ValueCount++;
        AddEntry(_maxDefinition);
        return _values.AsSpan(start, _width);
    }

    /// <summary>Adds a fixed-width value.</summary>
    public void AddFixed(ReadOnlySpan<byte> value) => value.CopyTo(AddFixed());

    /// <summary>Adds a 64-bit value: an integer or a timestamp.</summary>
    public void AddUInt64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(AddFixed(), value);

    /// <summary>Adds a 32-bit value.</summary>
    public void AddUInt32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(AddFixed(), value);

    /// <summary>Adds a 32-bit value.</summary>
    public void AddInt32(int value) => BinaryPrimitives.WriteInt32LittleEndian(AddFixed(), value);

    /// <summary>Adds a boolean.</summary>
    public void AddBoolean(bool value) => AddFixed()[0] = value ? (byte)1 : (byte)0;

    /// <summary>Adds a decimal of scale 0.</summary>
    public void AddDecimal(Int128 value) => BinaryPrimitives.WriteInt128BigEndian(AddFixed(), value);

    /// <summary>Adds a value of <paramref name="length"/> bytes to a column of variable width and returns the place to write it to.</summary>
    public Span<byte> AddBytes(int length)
    {
        var start = _valuesLength;
        var end = checked(start + length);
        if (_values.Length < end)
        {
            Array.Resize(ref _values, Grown(_values.Length, end));
        }

        if (_ends.Length == ValueCount)
        {
            Array.Resize(ref _ends, Grown(_ends.Length, ValueCount + 1));
        }

        _valuesLength = end;
        _ends[ValueCount++] = end;
        AddEntry(_maxDefinition);
        return _values.AsSpan(start, length);
    }

    /// <summary>Adds a value of variable width.</summary>
    public void AddBytes(ReadOnlySpan<byte> value) => value.CopyTo(AddBytes(value.Length));

    /// <summary>Adds a value, of fixed width or not.</summary>
    public void AddValue(ReadOnlySpan<byte> value)
    {
        if (_width > 0)
        {
            AddFixed(value);
        }
        else
        {
            AddBytes(value);
        }
    }

    /// <summary>
    /// Adds an entry without a value. <paramref name="definition"/> says how much of its path is there: 0 for a null
    /// at the outermost level, one less than <see cref="LeafColumn.MaxDefinition"/> for an empty innermost list.
    /// </summary>
    public void AddNull(int definition = 0) => AddEntry((byte)definition);

    /// <summary>Adds all entries of another buffer of the same column.</summary>
    public void Append(ColumnBuffer other) => Append(other, 0, other.EntryCount, 0, other.ValueCount);

    /// <summary>
    /// Adds some entries of another buffer of the same column: <paramref name="entryCount"/> from
    /// <paramref name="entryStart"/>, whose values are <paramref name="valueCount"/> from <paramref name="valueStart"/>.
    /// </summary>
    public void Append(ColumnBuffer other, int entryStart, int entryCount, int valueStart, int valueCount)
    {
        var from = other.ValueOffset(valueStart);
        var bytes = other._values.AsSpan(from, other.ValueOffset(valueStart + valueCount) - from);
        Reserve(ref _values, checked(_valuesLength + bytes.Length));
        bytes.CopyTo(_values.AsSpan(_valuesLength));
        if (_width == 0)
        {
            if (_ends.Length < ValueCount + valueCount)
            {
                Array.Resize(ref _ends, Grown(_ends.Length, ValueCount + valueCount));
            }

            var shift = _valuesLength - from;
            for (var i = 0; i < valueCount; i++)
            {
                _ends[ValueCount + i] = other._ends[valueStart + i] + shift;
            }
        }

        if (_hasDefinition)
        {
            Reserve(ref _definition, EntryCount + entryCount);
            other._definition.AsSpan(entryStart, entryCount).CopyTo(_definition.AsSpan(EntryCount));
        }

        if (_hasRepetition)
        {
            Reserve(ref _repetition, EntryCount + entryCount);
            other._repetition.AsSpan(entryStart, entryCount).CopyTo(_repetition.AsSpan(EntryCount));
        }

        _valuesLength += bytes.Length;
        ValueCount += valueCount;
        EntryCount += entryCount;
    }

    /// <summary>What <see cref="ByteCount"/> would be of some entries and their values.</summary>
    public long BytesOf(int entryCount, int valueStart, int valueCount) =>
        ValueOffset(valueStart + valueCount) - ValueOffset(valueStart) + Overhead(entryCount, valueCount);

    /// <summary>Forgets the entries after the first <paramref name="entryCount"/>, which have <paramref name="valueCount"/> values.</summary>
    public void Truncate(int entryCount, int valueCount)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(entryCount, EntryCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(valueCount, ValueCount);
        _valuesLength = _width > 0 ? _width * valueCount : valueCount > 0 ? _ends[valueCount - 1] : 0;
        ValueCount = valueCount;
        EntryCount = entryCount;
        Repetition = 0;
    }

    /// <summary>Forgets all entries and keeps the memory.</summary>
    public void Clear()
    {
        _valuesLength = 0;
        ValueCount = 0;
        EntryCount = 0;
        Repetition = 0;
    }

    private long Overhead(int entryCount, int valueCount) =>
        (_width == 0 ? 4L * valueCount : 0) + (_hasDefinition ? entryCount : 0) + (_hasRepetition ? entryCount : 0);

    private int ValueOffset(int value) => _width > 0 ? value * _width : value == 0 ? 0 : _ends[value - 1];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddEntry(byte definition)
    {
        if (_hasDefinition)
        {
            Reserve(ref _definition, EntryCount + 1);
            _definition[EntryCount] = definition;
        }

        if (_hasRepetition)
        {
            Reserve(ref _repetition, EntryCount + 1);
            _repetition[EntryCount] = Repetition;
        }

        EntryCount++;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Reserve(ref byte[] array, int length)
    {
        if (array.Length < length)
        {
            Array.Resize(ref array, Grown(array.Length, length));
        }
    }

    private static int Grown(int length, int needed) =>
        (int)Math.Min(Array.MaxLength, Math.Max(needed, Math.Max(64, length * 2L)));
}

/// <summary>Rows of one table, as columns.</summary>
internal sealed class TableBuffer
{
    public TableBuffer(TableSchema schema)
    {
        Schema = schema;
        Columns = [.. schema.Leaves.Select(leaf => new ColumnBuffer(leaf))];
    }

    /// <summary>The table.</summary>
    public TableSchema Schema { get; }

    /// <summary>One buffer per leaf of the schema, in its order.</summary>
    public ColumnBuffer[] Columns { get; }

    /// <summary>Number of complete rows; whoever adds entries to the columns counts them here.</summary>
    public int RowCount { get; set; }

    /// <summary>Bytes of values and levels held.</summary>
    public long ByteCount
    {
        get
        {
            var sum = 0L;
            foreach (var column in Columns)
            {
                sum += column.ByteCount;
            }

            return sum;
        }
    }

    /// <summary>Adds all rows of another buffer of the same table.</summary>
    public void Append(TableBuffer other)
    {
        for (var i = 0; i < Columns.Length; i++)
        {
            Columns[i].Append(other.Columns[i]);
        }

        RowCount += other.RowCount;
    }

    /// <summary>Forgets all rows and keeps the memory.</summary>
    public void Clear()
    {
        foreach (var column in Columns)
        {
            column.Clear();
        }

        RowCount = 0;
    }
}
