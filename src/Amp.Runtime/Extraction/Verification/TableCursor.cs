using Amp.Parquet;

namespace Amp.Extraction.Verification;

/// <summary>Reads the rows of a table front to back.</summary>
internal sealed class TableCursor(TableSchema schema)
{
    private readonly ColumnCursor[] _columns = [.. schema.Leaves.Select(leaf => new ColumnCursor(leaf))];
    private int _rowsAfter;

    /// <summary>The table's name.</summary>
    public string Name => schema.Name;

    /// <summary>Whether it stands on a row.</summary>
    public bool HasRow { get; private set; }

    /// <summary>The reader of a column, by the path of its leaf.</summary>
    public ColumnCursor this[string path] => _columns[schema.Leaves.Single(leaf => leaf.DottedPath == path).Index];

    /// <summary>Stands on the first row of the table in a batch.</summary>
    public void Begin(BlockBatch batch)
    {
        var table = batch.Tables.First(table => table.Schema.Name == schema.Name);
        for (var i = 0; i < _columns.Length; i++)
        {
            _columns[i].Begin(table.Columns[i]);
        }

        _rowsAfter = table.RowCount;
        MoveNext();
    }

    /// <summary>Goes to the next row, if there is one.</summary>
    public void MoveNext()
    {
        HasRow = _rowsAfter > 0;
        if (HasRow)
        {
            _rowsAfter--;
            foreach (var column in _columns)
            {
                column.MoveToNextRow();
            }
        }
    }
}
