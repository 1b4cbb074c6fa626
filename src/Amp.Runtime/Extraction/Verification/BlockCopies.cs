using Amp.Parquet;

namespace Amp.Extraction.Verification;

/// <summary>The columns of <c>transactions</c> and <c>logs</c> that repeat what the row's block has.</summary>
internal sealed class BlockCopies(TableCursor table, string rowName)
{
    private readonly ColumnCursor _internalNumber = table["_block_num"];
    private readonly ColumnCursor _number = table["block_num"];
    private readonly ColumnCursor _hash = table["block_hash"];
    private readonly ColumnCursor _timestamp = table["timestamp"];

    /// <summary>
    /// Whether the table stands on a row of a block: two of the three columns that say so do. A third one that says
    /// otherwise makes it no other block's row, but one that <c>Require</c> refuses.
    /// </summary>
    public bool AreOf(in BlockKey block)
    {
        if (!table.HasRow)
        {
            return false;
        }

        var isOfNumber = _number.UInt64 == block.Number;
        var isOfInternalNumber = _internalNumber.UInt64 == block.Number;
        return (isOfNumber && isOfInternalNumber)
            || ((isOfNumber || isOfInternalNumber) && _hash.Value.SequenceEqual(block.Hash));
    }

    /// <summary>Refuses a row, number <paramref name="index"/> of its table in the block, that is not in all columns the block's.</summary>
    public void Require(in BlockKey block, int index)
    {
        Require(_internalNumber, block.Number, block, index);
        Require(_number, block.Number, block, index);
        Require(_timestamp, block.Timestamp, block, index);
        if (!_hash.Value.SequenceEqual(block.Hash))
        {
            throw VerificationError.Mismatch(block.Number, Field(_hash, index), _hash.Value, block.Hash);
        }
    }

    private void Require(ColumnCursor column, ulong expected, in BlockKey block, int index)
    {
        if (column.UInt64 != expected)
        {
            throw VerificationError.Mismatch(block.Number, Field(column, index), $"{column.UInt64}", $"{expected}");
        }
    }

    private string Field(ColumnCursor column, int index) => $"{column.Name} of {rowName} {index}";
}
