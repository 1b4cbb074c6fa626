using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Reflection.Emit;

namespace Amp.Bench;

/// <summary>
/// <c>import</c>: what <c>Import-Module Amp</c> costs beyond importing a binary module with nothing in it. Each import has a PowerShell of
/// its own; the two take turns, so that the machine's moods hit both.
/// </summary>
internal static class ImportBenchmark
{
    public static Command Create()
    {
        var count = new Option<int>("--count") { Description = "Imports of each.", DefaultValueFactory = _ => 21 };
        var module = Shell.NewModuleOption();
        var command = new Command("import", "Importing the module, against an empty one.") { count, module };
        command.SetAction((arguments, cancellationToken) => RunAsync(arguments.GetValue(count), arguments.GetValue(module)!.FullName, cancellationToken));
        return command;
    }

    private static async Task RunAsync(int count, string module, CancellationToken cancellationToken)
    {
        using var folder = new BenchFolder();
        var empty = WriteEmptyModule(folder.Path);
        var (emptyTimes, ampTimes) = (new double[count], new double[count]);
        Table.WriteConditions("import: the module against an empty one");

        // The first process of each fills the system's file cache and PowerShell's own.
        if (await ImportAsync(empty, cancellationToken) is null)
        {
            Table.Write("Import-Module", $"not measured: there is no pwsh");
            return;
        }

        await ImportAsync(module, cancellationToken);
        for (var i = 0; i < count; i++)
        {
            emptyTimes[i] = (await ImportAsync(empty, cancellationToken))!.Value;
            ampTimes[i] = (await ImportAsync(module, cancellationToken))!.Value;
        }

        Table.Write("processes", $"{count} of each, in turns; medians, fastest and slowest");
        Table.Write("empty binary module", $"{Summary(emptyTimes)}");
        Table.Write("Amp", $"{Summary(ampTimes)}");
        Table.Write("Amp costs more by", $"{Median(ampTimes) - Median(emptyTimes):0} ms");
    }

    private static string WriteEmptyModule(string folder)
    {
        var assembly = new PersistedAssemblyBuilder(new AssemblyName("Empty"), typeof(object).Assembly);
        assembly.DefineDynamicModule("Empty");
        assembly.Save(Path.Combine(folder, "Empty.dll"));
        var manifest = Path.Combine(folder, "Empty.psd1");
        File.WriteAllText(manifest, "@{ RootModule = 'Empty.dll'; ModuleVersion = '1.0'; FunctionsToExport = @(); CmdletsToExport = @(); AliasesToExport = @() }");
        return manifest;
    }

    /// <summary>Milliseconds that the import took; null when there is no PowerShell here.</summary>
    private static async Task<double?> ImportAsync(string module, CancellationToken cancellationToken) =>
        await Shell.RunAsync(
            $"$clock = [Diagnostics.Stopwatch]::StartNew(); Import-Module '{module}'; $clock.Elapsed.TotalMilliseconds.ToString([cultureinfo]::InvariantCulture)",
            cancellationToken) is { } milliseconds
            ? double.Parse(milliseconds, CultureInfo.InvariantCulture)
            : null;

    private static double Median(double[] times) => times.Order().ElementAt(times.Length / 2);

    private static string Summary(double[] times) => string.Create(CultureInfo.InvariantCulture, $"{Median(times):0} ms ({times.Min():0} to {times.Max():0} ms)");
}
