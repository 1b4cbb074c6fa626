using Amp.Extraction;

namespace Amp.Hosting.Reports;

/// <summary>How many blocks were written when: equal steps of time, no more than <see cref="MostSteps"/> of them. Pure.</summary>
/// <param name="Start">When the first step begins (UTC).</param>
/// <param name="Step">How long a step is; a length that people count in.</param>
/// <param name="Before">Blocks that were there before.</param>
/// <param name="Blocks">Blocks written in each step.</param>
internal sealed record CommitHistory(DateTimeOffset Start, TimeSpan Step, ulong Before, IReadOnlyList<ulong> Blocks)
{
    /// <summary>Most steps that a chart shows; with fewer files fewer, since a step with no file says nothing of the rate.</summary>
    public const int MostSteps = 60;

    private const int LeastSteps = 10;

    private static readonly double[] StepSeconds =
    [
        0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600,
    ];

    /// <summary>When the last step ends (UTC).</summary>
    public DateTimeOffset End => Start + (Step * Blocks.Count);

    /// <summary>Blocks per second in each step.</summary>
    public IEnumerable<double> Rates => Blocks.Select(blocks => blocks / Step.TotalSeconds);

    /// <summary>Blocks that were there at the end.</summary>
    public ulong Total => Blocks.Aggregate(Before, (sum, blocks) => sum + blocks);

    /// <summary>The history that files tell.</summary>
    /// <param name="files">The table's files that count, in any order.</param>
    /// <param name="since">Leaves out what was written before; null for no limit.</param>
    /// <returns>Null when all was written at one moment, or nothing was.</returns>
    public static CommitHistory? Of(IReadOnlyCollection<AmpFile> files, DateTimeOffset? since)
    {
        var shown = files.Where(file => since is null || file.CreatedAt >= since).ToList();
        if (shown.Count == 0)
        {
            return null;
        }

        var (first, last) = (shown.Min(file => file.CreatedAt), shown.Max(file => file.CreatedAt));
        var step = StepFor(last - first, Math.Clamp(shown.Count, LeastSteps, MostSteps));
        var start = new DateTimeOffset(first.UtcTicks - (first.UtcTicks % step.Ticks), TimeSpan.Zero);
        var blocks = new ulong[((last - start).Ticks / step.Ticks) + 1];
        foreach (var file in shown)
        {
            blocks[(file.CreatedAt - start).Ticks / step.Ticks] += Count(file);
        }

        var before = files.Where(file => file.CreatedAt < since).Aggregate(0UL, (sum, file) => sum + Count(file));
        return blocks.Length > 1 ? new CommitHistory(start, step, before, blocks) : null;
    }

    // One less than the most, since a span may begin and end amid a step.
    private static TimeSpan StepFor(TimeSpan span, int most)
    {
        var seconds = span.TotalSeconds / (most - 1);
        var known = StepSeconds.FirstOrDefault(step => step >= seconds);
        return TimeSpan.FromSeconds(known > 0 ? known : Math.Ceiling(seconds / StepSeconds[^1]) * StepSeconds[^1]);
    }

    private static ulong Count(AmpFile file) => new BlockRange(file.StartBlock, file.EndBlock).Count;
}
