using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Amp.Hosting.AdminApi;

/// <summary>How answers are written and bodies read.</summary>
internal static class ApiJson
{
    /// <summary>
    /// Names in snake case; times in UTC, in whole seconds, which is what <c>jq</c>'s <c>fromdateiso8601</c> reads; durations in seconds.
    /// </summary>
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new TimeConverter(), new DurationConverter() },
    };

    /// <summary>A text of a body; null when it is not there.</summary>
    public static string? Text(this JsonElement body, string name) => Find(body, name, JsonValueKind.String)?.GetString();

    /// <summary>A text of a body that must be there.</summary>
    public static string RequireText(this JsonElement body, string name) => body.Text(name) is { Length: > 0 } text
        ? text
        : throw Invalid($"the body lacks \"{name}\"");

    /// <summary>A whole number of a body; null when it is not there.</summary>
    public static int? Integer(this JsonElement body, string name) => Find(body, name, JsonValueKind.Number) is not { } value ? null
        : value.TryGetInt32(out var number) ? number
        : throw Invalid($"\"{name}\" is not a whole number in range");

    /// <summary>A flag of a body; false when it is not there.</summary>
    public static bool Flag(this JsonElement body, string name) => Find(body, name, JsonValueKind.True, JsonValueKind.False)?.GetBoolean() ?? false;

    public static AmpException Invalid(string reason) => new("InvalidRequest", AmpErrorKind.InvalidInput, $"The request cannot be understood: {reason}.")
    {
        RecommendedAction = "GET /openapi.json says what can be asked, and how.",
    };

    private static JsonElement? Find(JsonElement body, string name, params JsonValueKind[] kinds)
    {
        if (!body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return kinds.Contains(value.ValueKind) ? value : throw Invalid($"\"{name}\" is a {value.ValueKind}, not a {kinds[0]}");
    }

    private sealed class DurationConverter : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TimeSpan.FromTicks((long)(reader.GetDecimal() * TimeSpan.TicksPerSecond));

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
            writer.WriteNumberValue((decimal)value.Ticks / TimeSpan.TicksPerSecond);
    }

    private sealed class TimeConverter : JsonConverter<DateTimeOffset>
    {
        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDateTimeOffset();

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
    }
}
