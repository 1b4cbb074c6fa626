using System.Text;
using System.Text.Json;

namespace Amp.Support;

/// <summary>Rows of tables as DuckDB reads them from their Parquet files.</summary>
internal static class TableRows
{
    /// <summary>
    /// Every row as <c>column=value</c> lines, by block and index: the form of <see cref="Extraction.EvmRpc.EvmOracle"/>.
    /// </summary>
    public static async Task<List<string>> ReadAsync(TestDeployment deployment, string dataset, string table)
    {
        var index = table switch { "transactions" => ", tx_index", "logs" => ", log_index", _ => "" };
        var rows = await DuckDb.QueryAsync(
            $"SELECT * REPLACE (epoch_ns(timestamp)::VARCHAR AS timestamp) FROM {await SourceAsync(deployment, dataset, table)} ORDER BY _block_num{index}");
        return rows.ConvertAll(row =>
        {
            var text = new StringBuilder();
            foreach (var column in row.EnumerateObject())
            {
                text.Append(column.Name).Append('=').Append(Format(column.Value)).Append('\n');
            }

            return text.ToString();
        });
    }

    /// <summary>Asserts that a table of two datasets has the same rows, each as often, and gives their number.</summary>
    public static async Task<long> AssertSameAsync(TestDeployment deployment, string expected, string actual, string table) =>
        await AssertSameAsync(await SourceAsync(deployment, expected, table), await SourceAsync(deployment, actual, table));

    /// <summary>Asserts that two tables of DuckDB's SQL have the same rows, each as often, and gives their number.</summary>
    public static async Task<long> AssertSameAsync(string one, string other)
    {
        var row = Assert.Single(await DuckDb.QueryAsync(
            $"""
            SELECT (SELECT count(*) FROM {one}) AS expected, (SELECT count(*) FROM {other}) AS actual,
              (SELECT count(*) FROM (SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other})) AS missing,
              (SELECT count(*) FROM (SELECT * FROM {other} EXCEPT ALL SELECT * FROM {one})) AS extra
            """));
        Assert.Equal(row.GetProperty("expected").GetString(), row.GetProperty("actual").GetString());
        Assert.Equal(("0", "0"), (row.GetProperty("missing").GetString(), row.GetProperty("extra").GetString()));
        return long.Parse(row.GetProperty("actual").GetString()!, System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>The table's canonical files as a table of DuckDB's SQL.</summary>
    public static async Task<string> SourceAsync(TestDeployment deployment, string dataset, string table)
    {
        var files = (await deployment.FilesAsync(dataset, table)).Where(file => file.IsCanonical);
        return $"read_parquet([{string.Join(", ", files.Select(file => DuckDb.Quote(file.FullName)))}])";
    }

    private static string Format(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => "null",
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Array => $"[{string.Join(", ", value.EnumerateArray().Select(Format))}]",
        JsonValueKind.Object => $"{{{string.Join(", ", value.EnumerateObject().Select(field => $"{field.Name}:{Format(field.Value)}"))}}}",
        _ => value.GetRawText(),
    };
}
