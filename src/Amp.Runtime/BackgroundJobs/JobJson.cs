using System.Text.Json;
using System.Text.Json.Nodes;

namespace Amp.BackgroundJobs;

/// <summary>What handlers give and workers count, as JSON.</summary>
internal static class JobJson
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    /// <summary>JSON of a result, which can be read again; null for none. JSON that was parsed stays as it is.</summary>
    public static string? Write(object? result) => result switch
    {
        null => null,
        JsonElement json => json.GetRawText(),
        _ => JsonSerializer.Serialize(result, result.GetType(), Options),
    };

    /// <summary>What <see cref="Write"/> wrote.</summary>
    public static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, Options)!;
}
