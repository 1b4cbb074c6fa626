using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Amp.Support;

/// <summary>
/// DuckDB as an independent judge of files; tests that use it say <c>[ToolFact("duckdb")]</c>. BLOBs come as 0x-hex,
/// integers of 64 bits and more, decimals, dates and times as strings, lists and structs as arrays and objects.
/// </summary>
internal static class DuckDb
{
    /// <summary>Runs SQL and returns the rows of its result. What DuckDB refuses fails the test with its message.</summary>
    public static async Task<List<JsonElement>> QueryAsync(string sql)
    {
        var start = new ProcessStartInfo(TestTools.Require("duckdb"), ["duckdb.mjs", "-"])
        {
            WorkingDirectory = Path.Combine(TestTools.RepositoryRoot, "tests", "tools"),
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false),
            StandardOutputEncoding = Encoding.UTF8,
        };
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(sql);
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var rows = new List<JsonElement>();
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            using var row = JsonDocument.Parse(line);
            rows.Add(row.RootElement.Clone());
        }

        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"DuckDB refused {sql}: {await errors}");
        return rows;
    }

    /// <summary>A path as a string literal of SQL.</summary>
    public static string Quote(string path) => $"'{path.Replace("'", "''", StringComparison.Ordinal)}'";
}
