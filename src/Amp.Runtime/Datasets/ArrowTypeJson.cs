using System.Text.Json;
using Amp.Parquet;

namespace Amp.Datasets;

/// <summary>
/// The spelling of Arrow types in manifests, which is arrow-rs's own: <c>"UInt64"</c>, <c>{"FixedSizeBinary":32}</c>,
/// <c>{"Timestamp":["Nanosecond","+00:00"]}</c>, <c>{"Decimal128":[38,0]}</c>, <c>{"List":{…field…}}</c>,
/// <c>{"Struct":[{…field…}]}</c>; a field within a type is
/// <c>{"name","data_type","nullable","dict_id","dict_is_ordered","metadata"}</c>.
/// </summary>
internal static class ArrowTypeJson
{
    private static readonly ArrowType[] Plain =
        [ArrowType.Boolean, ArrowType.Int32, ArrowType.UInt32, ArrowType.UInt64, ArrowType.Utf8, ArrowType.Binary];

    /// <summary>Writes a type.</summary>
    public static void Write(CanonicalJsonWriter json, ArrowType type)
    {
        switch (type)
        {
            case ArrowType.FixedSizeBinary binary:
                json.Raw("{\"FixedSizeBinary\":").Number((ulong)binary.Size).Raw("}");
                break;
            case ArrowType.List list:
                json.Raw("{\"List\":");
                WriteField(json, list.Item);
                json.Raw("}");
                break;
            case ArrowType.Struct group:
                json.Raw("{\"Struct\":[");
                for (var i = 0; i < group.Fields.Count; i++)
                {
                    json.Raw(i == 0 ? "" : ",");
                    WriteField(json, group.Fields[i]);
                }

                json.Raw("]}");
                break;
            case var _ when type == ArrowType.TimestampNanos:
                json.Raw("{\"Timestamp\":[\"Nanosecond\",\"+00:00\"]}");
                break;
            case var _ when type == ArrowType.Decimal38:
                json.Raw("{\"Decimal128\":[38,0]}");
                break;
            case ArrowType.Primitive primitive:
                json.Text(primitive.Name);
                break;
            default:
                throw new ArgumentException($"{type} has no spelling in manifests", nameof(type));
        }
    }

    /// <summary>Reads a type; null when it is none that tables here are made of.</summary>
    public static ArrowType? Read(JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.String)
        {
            return Plain.FirstOrDefault(type => ((ArrowType.Primitive)type).Name == json.GetString());
        }

        if (json.ValueKind != JsonValueKind.Object || json.GetPropertyCount() != 1)
        {
            return null;
        }

        var property = json.EnumerateObject().First();
        return property.Name switch
        {
            "FixedSizeBinary" when property.Value.ValueKind == JsonValueKind.Number && property.Value.TryGetInt32(out var size) && size > 0 =>
                new ArrowType.FixedSizeBinary(size),
            "Timestamp" when IsArray(property.Value, JsonValueKind.String, "Nanosecond", "+00:00") => ArrowType.TimestampNanos,
            "Decimal128" when IsArray(property.Value, JsonValueKind.Number, "38", "0") => ArrowType.Decimal38,
            "List" when ReadField(property.Value) is { } item => new ArrowType.List(item),
            "Struct" when property.Value.ValueKind == JsonValueKind.Array
                && property.Value.EnumerateArray().Select(ReadField).ToArray() is var fields && fields.All(field => field is not null) =>
                new ArrowType.Struct(fields!),
            _ => null,
        };
    }

    /// <summary>The type as a message shows it.</summary>
    public static string Describe(ArrowType type)
    {
        var json = new CanonicalJsonWriter();
        Write(json, type);
        return json.ToString();
    }

    private static void WriteField(CanonicalJsonWriter json, ArrowField field)
    {
        json.Raw("{\"name\":").Text(field.Name).Raw(",\"data_type\":");
        Write(json, field.Type);
        json.Raw(",\"nullable\":").Boolean(field.Nullable).Raw(",\"dict_id\":0,\"dict_is_ordered\":false,\"metadata\":{}}");
    }

    private static ArrowField? ReadField(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object
            || !json.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String
            || !json.TryGetProperty("data_type", out var dataType) || Read(dataType) is not { } type
            || !json.TryGetProperty("nullable", out var nullable) || nullable.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
        {
            return null;
        }

        // The other members must have the values that are written; what is anything else is another type.
        var isPlain = json.EnumerateObject().All(member => member.Name switch
        {
            "name" or "data_type" or "nullable" => true,
            "dict_id" => member.Value.GetRawText() == "0",
            "dict_is_ordered" => member.Value.ValueKind == JsonValueKind.False,
            "metadata" => member.Value.ValueKind == JsonValueKind.Object && member.Value.GetPropertyCount() == 0,
            _ => false,
        });
        return isPlain ? new ArrowField(name.GetString()!, type, nullable.GetBoolean()) : null;
    }

    private static bool IsArray(JsonElement json, JsonValueKind kind, params string[] items) =>
        json.ValueKind == JsonValueKind.Array
        && json.EnumerateArray().All(item => item.ValueKind == kind)
        && json.EnumerateArray().Select(item => item.ToString()).SequenceEqual(items);
}
