using System.Globalization;
using System.Numerics;
using System.Text.Json.Nodes;
using Amp.Parquet;

namespace Amp.Support;

/// <summary>Rows that were read here, in the JSON that DuckDB prints of them.</summary>
internal static class RowJson
{
    public static JsonObject Of(TableRow row) =>
        new(row.Columns.Zip(row.Values, (name, value) => KeyValuePair.Create(name, Value(value))));

    private static JsonNode? Value(object? value) => value switch
    {
        null => null,
        bool or int or uint or string => JsonValue.Create(value),
        ulong number => number.ToString(CultureInfo.InvariantCulture),
        BigInteger number => number.ToString(CultureInfo.InvariantCulture),
        DateTimeOffset time => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.FFFFFF", CultureInfo.InvariantCulture) + "+00",
        TableRow group => Of(group),
        object?[] list => new JsonArray([.. list.Select(Value)]),
        _ => throw new InvalidOperationException($"rows do not have values of {value.GetType()}"),
    };
}
