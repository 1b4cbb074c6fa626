using Amp.Parquet;

namespace Amp.Extraction;

/// <summary>How a job's memory budget is shared out. An eighth is for blocks on their way, the rest for what encoding holds.</summary>
/// <param name="Writers">How many writers there is room for.</param>
/// <param name="ReadingBytes">Bytes that the blocks of one writer's reading may take: answers and rows.</param>
/// <param name="BufferBytes">Bytes that the open files of one writer may hold: encoded pages, dictionaries, open pages.</param>
/// <param name="PageBytes">Largest page, and largest dictionary, of a column, so that all columns together fit.</param>
internal sealed record MemoryPlan(int Writers, long ReadingBytes, long BufferBytes, int PageBytes)
{
    /// <summary>Less than this is not enough for a writer.</summary>
    private const long MinBytesPerWriter = 8 << 20;

    private const int MinPageBytes = 16 << 10;
    private const int MaxPageBytes = 1 << 20;

    /// <summary>Shares out a budget among at most so many writers of the given tables.</summary>
    public static MemoryPlan Of(long budget, int wantedWriters, IReadOnlyCollection<TableSchema> tables)
    {
        var writers = (int)Math.Clamp(budget / MinBytesPerWriter, 1, wantedWriters);
        var reading = budget / 8 / writers;
        var buffer = (budget / writers) - reading;

        // A column holds an open page and a dictionary, and buffers grow by doubling.
        var columns = tables.Sum(table => table.Leaves.Count);
        return new MemoryPlan(writers, reading, buffer, (int)Math.Clamp(buffer / (columns * 4), MinPageBytes, MaxPageBytes));
    }
}
