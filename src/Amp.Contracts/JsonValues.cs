using System.Collections.Specialized;
using System.Text.Json;

namespace Amp;

/// <summary>JSON as plain objects, which PowerShell shows and walks like any other.</summary>
internal static class JsonValues
{
    /// <summary>An object's members in their order; names are found in any case.</summary>
    public static OrderedDictionary ParseObject(string json) => (OrderedDictionary)Parse(json)!;

    /// <summary>A dictionary, an array, a text, a number (a long where it is one), a Boolean or null.</summary>
    public static object? Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return From(document.RootElement);
    }

    public static object? From(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                var members = new OrderedDictionary(StringComparer.OrdinalIgnoreCase);
                foreach (var member in json.EnumerateObject())
                {
                    members[member.Name] = From(member.Value);
                }

                return members;
            case JsonValueKind.Array:
                return json.EnumerateArray().Select(From).ToArray();
            case JsonValueKind.String:
                return json.GetString();
            case JsonValueKind.Number:
                return json.TryGetInt64(out var whole) ? whole : json.TryGetDecimal(out var exact) ? exact : json.GetDouble();
            default:
                return json.ValueKind is JsonValueKind.Null ? null : json.GetBoolean();
        }
    }
}
