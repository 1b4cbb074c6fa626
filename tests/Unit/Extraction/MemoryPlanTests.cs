using Amp.Extraction.EvmRpc;

namespace Amp.Extraction;

public sealed class MemoryPlanTests
{
    [Theory]
    [InlineData(16, 1, 1)]
    [InlineData(16, 64, 2)]
    [InlineData(64, 4, 4)]
    [InlineData(512, 1, 1)]
    [InlineData(512, 64, 64)]
    [InlineData(1_048_576, 64, 64)]
    public void Of_GivesAwayNoMoreThanTheBudget(int budgetMb, int wantedWriters, int writers)
    {
        var budget = (long)budgetMb << 20;

        var plan = MemoryPlan.Of(budget, wantedWriters, EvmTables.All);

        Assert.Equal(writers, plan.Writers);
        Assert.InRange((plan.ReadingBytes + plan.BufferBytes) * writers, budget - (2 * writers), budget);
        Assert.InRange(plan.ReadingBytes, 1 << 20, budget / 4);

        // All columns with a full page and a full dictionary, in buffers of twice the size, fit.
        Assert.True(plan.PageBytes == 16 << 10 || plan.PageBytes * 4L * EvmTables.All.Sum(table => table.Leaves.Count) <= plan.BufferBytes);
        Assert.InRange(plan.PageBytes, 16 << 10, 1 << 20);
    }
}
