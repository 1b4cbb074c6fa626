using System.Buffers.Binary;

namespace Amp.Parquet;

/// <summary>Reads a column front to back: row by row and, inside of a list, entry by entry.</summary>
internal sealed class ColumnCursor(LeafColumn leaf)
{
    private readonly int _maxDefinition = leaf.MaxDefinition;
    private readonly bool _isRepeated = leaf.MaxRepetition > 0;
    private ColumnBuffer _column = new(leaf);
    private int _entry;
    private int _value;

    /// <summary>Name of the table's column, which for a leaf of a nested one is the outermost name.</summary>
    public string Name => leaf.Path[0];

    /// <summary>How much of the entry's path is there: 0 for a null at the outermost level.</summary>
    public int Definition => _maxDefinition == 0 ? 0 : _column.DefinitionLevels[_entry];

    /// <summary>Whether the entry has a value: it is neither null nor an empty list.</summary>
    public bool HasValue => Definition == _maxDefinition;

    /// <summary>The entry's value; without meaning when it has none.</summary>
    public ReadOnlySpan<byte> Value => _column.ValueAt(_value);

    /// <summary>The entry's value as an integer or a time.</summary>
    public ulong UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(Value);

    /// <summary>The entry's value as an integer of 32 bits.</summary>
    public uint UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(Value);

    /// <summary>Stands before the first row of a buffer of this column.</summary>
    public void Begin(ColumnBuffer column)
    {
        _column = column;
        _entry = -1;
        _value = 0;
    }

    /// <summary>Goes to the first entry of the next row, which must be there.</summary>
    public void MoveToNextRow()
    {
        while (_isRepeated && TryMoveWithinRow(1))
        {
        }

        MoveToNextEntry();
    }

    /// <summary>Goes to the next element of the list at a depth (1 is the outermost); false when it has no more.</summary>
    public bool TryMoveWithinRow(int depth)
    {
        if (_entry < 0 || _entry + 1 == _column.EntryCount || _column.RepetitionLevels[_entry + 1] < depth)
        {
            return false;
        }

        MoveToNextEntry();
        return true;
    }

    private void MoveToNextEntry()
    {
        if (_entry >= 0 && HasValue)
        {
            _value++;
        }

        _entry++;
    }
}
