using System.Text.Json;
using System.Text.Json.Nodes;

namespace Amp.BackgroundJobs;

/// <summary>What handlers give, as JSON.</summary>
internal static class JobResult
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    /// <summary>JSON of a result; null for none. JSON that was given as such stays as it is.</summary>
    public static string? Write(object? result) => result switch
    {
        null => null,
        JsonNode json => json.ToJsonString(),
        JsonElement json => json.GetRawText(),
        _ => JsonSerializer.Serialize(result, result.GetType(), Options),
    };
}
