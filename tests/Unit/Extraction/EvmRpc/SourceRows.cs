namespace Amp.Extraction.EvmRpc;

/// <summary>All rows that a source gives for a range, as text, and the blocks' links.</summary>
internal sealed record SourceRows(IReadOnlyList<BlockLink> Blocks, IReadOnlyList<string>[] Tables)
{
    public static async Task<SourceRows> ReadAsync(IBlockSource source, BlockRange range, CancellationToken cancellationToken = default)
    {
        var blocks = new List<BlockLink>();
        var tables = EvmTables.All.Select(_ => new List<string>()).ToArray();
        await foreach (var batch in source.ReadAsync(range, cancellationToken))
        {
            using (batch)
            {
                blocks.AddRange(batch.Blocks);
                for (var i = 0; i < tables.Length; i++)
                {
                    tables[i].AddRange(BatchRows.Read(batch.Tables[i]));
                }
            }
        }

        return new SourceRows(blocks, tables);
    }

    /// <summary>Fails unless both have the same rows in the same order, value for value.</summary>
    public void AssertEqual(SourceRows actual)
    {
        Assert.Equal(Blocks, actual.Blocks);
        for (var i = 0; i < Tables.Length; i++)
        {
            Assert.Equal(Tables[i], actual.Tables[i]);
        }
    }
}
