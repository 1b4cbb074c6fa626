using System.Diagnostics;
using System.Text.Json;

namespace Amp.Bench;

/// <summary>What some work on blocks took.</summary>
/// <param name="Blocks">Blocks it took.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="CpuSeconds">Processor time of its process; of peers, all of it.</param>
/// <param name="PeakMegabytes">Largest resident memory of its process, in units of 2^20 bytes.</param>
/// <param name="OutputBytes">Size of the files it made, or of the answers it read.</param>
/// <param name="AllocatedBytes">Bytes allocated on the managed heap; null of peers.</param>
internal sealed record StageResult(int Blocks, double Seconds, double CpuSeconds, double PeakMegabytes, long OutputBytes, long? AllocatedBytes)
{
    /// <summary>Blocks a second.</summary>
    public double Rate => Blocks / Seconds;

    /// <summary>Processor seconds for 1,000 blocks.</summary>
    public double CpuPerThousand => CpuSeconds * 1000 / Blocks;

    /// <summary>Runs some work, which gives the size of what it made, and measures it.</summary>
    public static async Task<StageResult> MeasureAsync(int blocks, Func<Task<long>> work)
    {
        GC.Collect();
        using var self = Process.GetCurrentProcess();
        var (cpu, allocated, clock) = (self.TotalProcessorTime, GC.GetTotalAllocatedBytes(precise: true), Stopwatch.StartNew());
        var output = await work();
        clock.Stop();
        self.Refresh();
        return new StageResult(
            blocks, clock.Elapsed.TotalSeconds, (self.TotalProcessorTime - cpu).TotalSeconds, self.PeakWorkingSet64 / 1048576.0, output,
            GC.GetTotalAllocatedBytes(precise: true) - allocated);
    }

    /// <summary>Reads the line that a peer prints.</summary>
    public static StageResult Parse(string line)
    {
        using var document = JsonDocument.Parse(line);
        var root = document.RootElement;
        return new StageResult(
            root.GetProperty("blocks").GetInt32(), root.GetProperty("seconds").GetDouble(), root.GetProperty("cpuSeconds").GetDouble(),
            root.GetProperty("peakMegabytes").GetDouble(), root.GetProperty("bytes").EnumerateObject().Sum(table => table.Value.GetInt64()), null);
    }
}
