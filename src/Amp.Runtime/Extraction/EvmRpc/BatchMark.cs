using Amp.Parquet;

namespace Amp.Extraction.EvmRpc;

/// <summary>How much a batch held at some moment, so that what was added since can be taken back.</summary>
internal sealed class BatchMark
{
    private readonly List<(TableBuffer Table, int RowCount)> _tables = [];
    private readonly List<(ColumnBuffer Column, int EntryCount, int ValueCount)> _columns = [];

    /// <summary>Remembers what the batch holds now.</summary>
    public void Set(BlockBatch batch)
    {
        _tables.Clear();
        _columns.Clear();
        foreach (var table in batch.Tables)
        {
            _tables.Add((table, table.RowCount));
            foreach (var column in table.Columns)
            {
                _columns.Add((column, column.EntryCount, column.ValueCount));
            }
        }
    }

    /// <summary>Rows that a table had then.</summary>
    public int RowCountOf(TableBuffer table) => _tables.Find(entry => entry.Table == table).RowCount;

    /// <summary>Takes back every row added since.</summary>
    public void Restore()
    {
        foreach (var (table, rowCount) in _tables)
        {
            table.RowCount = rowCount;
        }

        foreach (var (column, entryCount, valueCount) in _columns)
        {
            column.Truncate(entryCount, valueCount);
        }
    }
}
