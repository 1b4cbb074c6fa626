using System.Globalization;
using System.Runtime.InteropServices;

namespace Amp.Bench;

/// <summary>What a benchmark prints: a line a figure, and the conditions.</summary>
internal static class Table
{
    /// <summary>Prints what the figures depend on.</summary>
    public static void WriteConditions(string benchmark)
    {
        Console.WriteLine($"\n== {benchmark}");
        Write("machine", $"{Environment.ProcessorCount} cores, {CpuName()}, {RuntimeInformation.OSDescription}");
        Write("runtime", $"{RuntimeInformation.FrameworkDescription}, {(System.Runtime.GCSettings.IsServerGC ? "server" : "workstation")} GC");
    }

    /// <summary>Prints a figure.</summary>
    public static void Write(string name, FormattableString value) => Console.WriteLine($"{name,-44} {value.ToString(CultureInfo.InvariantCulture)}");

    private static string CpuName()
    {
        const string path = "/proc/cpuinfo";
        return File.Exists(path) && File.ReadLines(path).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':', StringComparison.Ordinal) + 2)..]
            : RuntimeInformation.ProcessArchitecture.ToString();
    }
}
